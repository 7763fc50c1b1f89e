/** The name servers that the host asks (its resolv.conf), for who passes questions on to them. */

import dns from 'node:dns';
import type { Endpoint } from '#device';

const DNS_PORT = 53;

/** In the host's order; empty when it has none. As they were when this process began. */
export function hostNameServers(): readonly Endpoint[] {
  return dns.getServers().flatMap((text) => parseNameServer(text) ?? []);
}

/** "192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:5353"; null for a scoped one. */
export function parseNameServer(text: string): Endpoint | null {
  const found = /^\[([^\]]+)\]:(\d+)$/.exec(text) ?? /^([\d.]+):(\d+)$/.exec(text);
  const [, address = text, port = `${DNS_PORT}`] = found ?? [];
  // A scope says which interface: nobody but the host itself can use it.
  return address.includes('%') ? null : { address, port: Number(port) };
}
