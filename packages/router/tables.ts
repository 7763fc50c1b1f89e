/** The router's tables as plain data, for whoever looks inside. */

import { type Instant, since } from '#core';
import { formatIpv4Address, formatIpv6Address, PROTOCOL_TCP, PROTOCOL_UDP } from '#net';
import { PROTOCOL_ICMPV6 } from '#net/wire';
import type { Flow, Flows } from './ipv6/flows.ts';
import { type FirewallRule, formatRule } from './ipv6/rules.ts';
import { formatForward, type PortForward } from './nat/forwards.ts';
import type { Session } from './nat/session.ts';
import type { Sessions } from './nat/sessions.ts';
import {
  ALIVE_IN,
  ALIVE_OUT,
  FIN_IN,
  FIN_OUT,
  RESET,
  SYN_IN,
  SYN_OUT,
  UNPROVEN,
} from './nat/tcp-state.ts';

export interface NatSessionSnapshot {
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  /** As "192.168.7.10:1234"; ICMP's ports are identifiers, and none for the remote end. */
  readonly inside: string;
  readonly outside: string;
  readonly remote: string;
  readonly isEstablished: boolean;
  /** Of TCP: what was seen, as "syn-out syn-in". */
  readonly state: string;
  readonly isForward: boolean;
  readonly idleSeconds: number;
}

export interface NatTables {
  readonly sessions: readonly NatSessionSnapshot[];
  /** How many there are, of which `sessions` may be some. */
  readonly sessionCount: number;
  readonly mappingCount: number;
  readonly forwards: readonly string[];
}

const STATES: readonly [number, string][] = [
  [SYN_OUT, 'syn-out'],
  [SYN_IN, 'syn-in'],
  [FIN_OUT, 'fin-out'],
  [FIN_IN, 'fin-in'],
  [RESET, 'reset'],
  [ALIVE_OUT, 'alive-out'],
  [ALIVE_IN, 'alive-in'],
  [UNPROVEN, 'unproven'],
];

export function tablesOf(
  sessions: Sessions,
  forwards: readonly PortForward[],
  now: Instant,
  most: number,
): NatTables {
  const list: NatSessionSnapshot[] = [];
  for (const session of sessions.list()) {
    if (list.length >= most) break;
    list.push(snapshotOf(session, now));
  }
  return {
    sessions: list,
    sessionCount: sessions.size,
    mappingCount: sessions.mappingCount,
    forwards: forwards.map(formatForward),
  };
}

function snapshotOf(session: Session, now: Instant): NatSessionSnapshot {
  const { mapping, state } = session;
  const { protocol, insideAddress, insidePort, outsideAddress, outsidePort } = mapping;
  const remote = formatIpv4Address(session.remoteAddress);
  return {
    protocol: protocol === PROTOCOL_TCP ? 'tcp' : protocol === PROTOCOL_UDP ? 'udp' : 'icmp',
    inside: `${formatIpv4Address(insideAddress)}:${insidePort}`,
    outside: `${formatIpv4Address(outsideAddress)}:${outsidePort}`,
    remote: session.remotePort === 0 ? remote : `${remote}:${session.remotePort}`,
    isEstablished: session.isEstablished,
    state: stateText(state),
    isForward: mapping.isForward,
    idleSeconds: Math.round(since(session.usedAt, now) / 1_000_000),
  };
}

const stateText = (state: number): string =>
  STATES.flatMap(([bit, name]) => ((state & bit) === 0 ? [] : [name])).join(' ');

export interface FlowSnapshot {
  /** 'tcp', 'udp', 'icmp', or the protocol's number. */
  readonly protocol: string;
  /** As "[2001:db8::1]:80". */
  readonly inside: string;
  readonly remote: string;
  readonly isEstablished: boolean;
  readonly state: string;
  readonly idleSeconds: number;
}

export interface FirewallTables {
  readonly flows: readonly FlowSnapshot[];
  /** How many there are, of which `flows` may be some. */
  readonly flowCount: number;
  readonly rules: readonly string[];
}

export function firewallTablesOf(
  flows: Flows,
  rules: readonly FirewallRule[],
  now: Instant,
  most: number,
): FirewallTables {
  const list: FlowSnapshot[] = [];
  for (const flow of flows.list()) {
    if (list.length >= most) break;
    list.push(flowSnapshotOf(flow, now));
  }
  return { flows: list, flowCount: flows.size, rules: rules.map(formatRule) };
}

function flowSnapshotOf(flow: Flow, now: Instant): FlowSnapshot {
  const { protocol, inside, remote, insidePort, remotePort, isEstablished, state } = flow;
  return {
    protocol: NAMES.get(protocol) ?? `${protocol}`,
    inside: `[${formatIpv6Address(inside)}]:${insidePort}`,
    remote: `[${formatIpv6Address(remote)}]:${remotePort}`,
    isEstablished,
    state: stateText(state),
    idleSeconds: Math.round(since(flow.usedAt, now) / 1_000_000),
  };
}

const NAMES = new Map([
  [PROTOCOL_TCP, 'tcp'],
  [PROTOCOL_UDP, 'udp'],
  [PROTOCOL_ICMPV6, 'icmp'],
]);
