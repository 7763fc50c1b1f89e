/** What a DHCP server tells its clients, as the options of a reply (RFC 2131 table 3). */

import { assert, readU16be, writeU16be, writeU32be } from '#core';
import type { Ipv4Address } from '../ip.ts';
import { ipv4AddressOf, netmaskOf } from '../ip-address.ts';
import { dhcpReplyBytesMin } from '../limits.ts';
import {
  DHCPV4_ACK,
  DHCPV4_HEADER_BYTES,
  DHCPV4_NAK,
  type Dhcpv4Option,
  type Dhcpv4Repr,
  dhcpv4Option,
  dhcpv4OptionBytes,
  dhcpv4U32,
} from '../wire/dhcpv4.ts';
import { emitDomainSearch } from '../wire/dhcpv4-options.ts';

const IP_UDP_BYTES = 28;
const NAME_BYTES_MAX = 255;

export interface ServedConfiguration {
  /** The server's, in the prefix that it serves. */
  readonly address: Ipv4Address;
  /** 1..30. */
  readonly prefixBits: number;
  readonly leaseSeconds: number;
  /** Null: there is none. */
  readonly router: Ipv4Address | null;
  readonly dnsServers: readonly Ipv4Address[];
  readonly domain: string | null;
  readonly searchDomains: readonly string[];
  /** Null: clients take the link's. */
  readonly mtuBytes: number | null;
}

/**
 * The options of a reply: what says who and how long always, the rest as the client's list (option
 * 55) asks, or all without one, as far as the client takes them (option 57). `leaseSeconds` 0: no
 * lease.
 */
export function replyOptions(
  serve: ServedConfiguration,
  request: Dhcpv4Repr,
  type: number,
  leaseSeconds: number,
): Dhcpv4Option[] {
  const options: Dhcpv4Option[] = [
    { code: dhcpv4Option.messageType, value: Uint8Array.of(type) },
    { code: dhcpv4Option.serverIdentifier, value: dhcpv4U32(serve.address) },
  ];
  if (leaseSeconds > 0) {
    options.push({ code: dhcpv4Option.leaseSeconds, value: dhcpv4U32(leaseSeconds) });
    const renewSeconds = Math.floor(leaseSeconds / 2);
    const rebindSeconds = Math.floor(leaseSeconds * 0.875);
    options.push({ code: dhcpv4Option.renewSeconds, value: dhcpv4U32(renewSeconds) });
    options.push({ code: dhcpv4Option.rebindSeconds, value: dhcpv4U32(rebindSeconds) });
  }
  // RFC 6842 §3.
  const identifier = dhcpv4OptionBytes(request, dhcpv4Option.clientIdentifier);
  if (identifier !== null) {
    options.push({ code: dhcpv4Option.clientIdentifier, value: identifier });
  }
  if (type === DHCPV4_NAK) return options;
  assert(leaseSeconds > 0 || type === DHCPV4_ACK);
  const wanted = dhcpv4OptionBytes(request, dhcpv4Option.parameterList);
  let roomBytes = messageBytesMax(request) - DHCPV4_HEADER_BYTES - 1 - sizeOf(options);
  for (const option of servedOptions(serve)) {
    const isWanted = wanted === null || wanted.includes(option.code);
    const bytes = sizeOf([option]);
    if (!isWanted || bytes > roomBytes) continue;
    roomBytes -= bytes;
    options.push(option);
  }
  return options;
}

/** What matters most comes first. */
function servedOptions(serve: ServedConfiguration): Dhcpv4Option[] {
  const { address, prefixBits, router, dnsServers, domain, searchDomains, mtuBytes } = serve;
  const netmask = netmaskOf(prefixBits);
  const options: Dhcpv4Option[] = [{ code: dhcpv4Option.netmask, value: dhcpv4U32(netmask) }];
  if (router !== null) options.push({ code: dhcpv4Option.router, value: dhcpv4U32(router) });
  if (dnsServers.length > 0) {
    const value = new Uint8Array(4 * dnsServers.length);
    dnsServers.forEach((server, i) => {
      writeU32be(value, 4 * i, server);
    });
    options.push({ code: dhcpv4Option.dnsServers, value });
  }
  const broadcast = ipv4AddressOf(address | ~netmask);
  options.push({ code: dhcpv4Option.broadcast, value: dhcpv4U32(broadcast) });
  if (mtuBytes !== null) {
    const value = new Uint8Array(2);
    writeU16be(value, 0, mtuBytes);
    options.push({ code: dhcpv4Option.mtu, value });
  }
  if (domain !== null) options.push({ code: dhcpv4Option.domain, value: textBytes(domain) });
  if (searchDomains.length > 0) {
    const value = new Uint8Array(searchDomains.length * NAME_BYTES_MAX);
    const bytes = emitDomainSearch(value, searchDomains);
    options.push({ code: dhcpv4Option.domainSearch, value: value.slice(0, bytes) });
  }
  return options;
}

/** Of the DHCP message: option 57 counts the IP packet (RFC 2132 §9.10). */
function messageBytesMax(request: Dhcpv4Repr): number {
  const value = dhcpv4OptionBytes(request, dhcpv4Option.messageBytesMax);
  const said = value?.length === 2 ? readU16be(value, 0) - IP_UDP_BYTES : 0;
  return Math.max(dhcpReplyBytesMin, said);
}

/** Long ones travel in pieces (RFC 3396). */
const sizeOf = (options: readonly Dhcpv4Option[]): number =>
  options.reduce(
    (sum, { value }) => sum + value.length + 2 * Math.max(1, Math.ceil(value.length / 255)),
    0,
  );

const textBytes = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
