/**
 * What may come in from outside without being asked for. As text:
 * "tcp:[2001:db8::10]:80-90,udp:[2001:db8::10]:53,ping:[2001:db8::10]"; '*' stands for any host.
 */

import { err, ok, type Result } from '#core';
import {
  formatIpv6Address,
  type Ipv6Address,
  isIpv6HostAddress,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  parseIpv6Address,
} from '#net';
import { PROTOCOL_ICMPV6 } from '#net/wire';
import { firewallRulesMax } from '../limits.ts';

export interface FirewallRule {
  /** TCP, UDP, or ICMPv6 for echo requests. */
  readonly protocol: number;
  /** Null: any. */
  readonly address: Ipv6Address | null;
  /** Both are of it; not used for echo. */
  readonly firstPort: number;
  readonly lastPort: number;
}

/** One sentence for a person. */
export type RulesFault = { readonly kind: 'rule'; readonly message: string };

const FORM = /^(tcp|udp|ping):(?:\[([\da-f:.]+)\]|\*)(?::(\d{1,5})(?:-(\d{1,5}))?)?$/i;
const PROTOCOLS: Readonly<Record<string, number>> = {
  tcp: PROTOCOL_TCP,
  udp: PROTOCOL_UDP,
  ping: PROTOCOL_ICMPV6,
};

export function parseRules(text: string): Result<readonly FirewallRule[], RulesFault> {
  const rules: FirewallRule[] = [];
  for (const word of text === '' ? [] : text.split(',')) {
    const rule = readRule(word);
    if (rule === null) {
      const message = `'${word}' is not as tcp:[2001:db8::10]:80-90, udp:*:53 or ping:*`;
      return err({ kind: 'rule', message });
    }
    rules.push(rule);
  }
  if (rules.length <= firewallRulesMax) return ok(rules);
  return err({ kind: 'rule', message: `more than ${firewallRulesMax}` });
}

function readRule(word: string): FirewallRule | null {
  const [whole, name = '', host, first, last = first] = FORM.exec(word) ?? [];
  const address = host === undefined ? null : parseIpv6Address(host);
  const isHost = host === undefined || (address !== null && isIpv6HostAddress(address));
  const protocol = PROTOCOLS[name.toLowerCase()];
  if (whole === undefined || protocol === undefined || !isHost) return null;
  if (protocol === PROTOCOL_ICMPV6) {
    return first === undefined ? { protocol, address, firstPort: 0, lastPort: 0 } : null;
  }
  const [firstPort, lastPort] = [Number(first), Number(last)];
  if (!(firstPort >= 1 && lastPort >= firstPort && lastPort <= 65_535)) return null;
  return { protocol, address, firstPort, lastPort };
}

export function formatRule({ protocol, address, firstPort, lastPort }: FirewallRule): string {
  const host = address === null ? '*' : `[${formatIpv6Address(address)}]`;
  if (protocol === PROTOCOL_ICMPV6) return `ping:${host}`;
  const ports = firstPort === lastPort ? `${firstPort}` : `${firstPort}-${lastPort}`;
  return `${protocol === PROTOCOL_TCP ? 'tcp' : 'udp'}:${host}:${ports}`;
}

/** O(rules). */
export function isAllowed(
  rules: readonly FirewallRule[],
  protocol: number,
  address: Ipv6Address,
  port: number,
): boolean {
  return rules.some(
    (rule) =>
      rule.protocol === protocol &&
      (rule.address === null || rule.address.equals(address)) &&
      (protocol === PROTOCOL_ICMPV6 || (port >= rule.firstPort && port <= rule.lastPort)),
  );
}
