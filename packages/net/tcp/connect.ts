/** Active open, RFC 9293 §3.10.1, with ephemeral ports chosen at random (RFC 6056 §3.3.1). */

import { err, ok, type Result } from '#core';
import type { ConnectError, Connecting, Entropy, Flow, FlowEnd } from '#device';
import type { IpAddress } from '../ip.ts';
import { Connection, type Opener } from './connection.ts';
import {
  CONNECTION_BYTES,
  EPHEMERAL_PORT_FIRST,
  EPHEMERAL_PORT_LAST,
  EPHEMERAL_TRIES_MAX,
} from './limits.ts';
import { sendSyn } from './output.ts';
import type { TcpStack } from './stack.ts';

export type Opened = (result: Result<Flow, ConnectError>) => void;

class Caller implements Opener, Connecting {
  private readonly tell: Opened;
  /** Null once told, or not to be told any more. */
  connection: Connection | null = null;

  constructor(tell: Opened) {
    this.tell = tell;
  }

  opened(connection: Connection): boolean {
    this.connection = null;
    this.tell(ok(connection));
    return true;
  }

  failed(_: Connection, how: FlowEnd | 'unreachable'): void {
    if (this.connection === null) return;
    this.connection = null;
    this.tell(err({ kind: how === 'reset' || how === 'closed' ? 'refused' : how }));
  }

  /** RFC 9293 §3.10.5: a peer that hasn't answered isn't told anything. */
  cancel(): void {
    const { connection } = this;
    this.connection = null;
    connection?.abort();
  }
}

/** What failed at once can't be given up. */
const NOTHING: Connecting = { cancel() {} };

/** Calls `opened` once: with a flow, or with why not. A full table counts as 'no port'. */
export function connect(
  stack: TcpStack,
  address: IpAddress,
  port: number,
  opened: Opened,
): Connecting {
  if (port < 1 || port > 65_535) {
    opened(err({ kind: 'bad address' }));
    return NOTHING;
  }
  const route = stack.ip.route(address);
  if (route === null) {
    opened(err({ kind: 'unreachable' }));
    return NOTHING;
  }
  const local = choosePort(stack, route.destination, port);
  if (local === null || !stack.tcpMemory.connections.take(CONNECTION_BYTES)) {
    stack.counts.connectionsFull += 1;
    opened(err({ kind: 'no port' }));
    return NOTHING;
  }
  const ports = local * 65_536 + port;
  const iss = stack.isn.at(stack.timers.now, route.source, route.destination, ports);
  const caller = new Caller(opened);
  const c = new Connection(stack, route, local, port, iss, caller);
  caller.connection = c;
  if (stack.timestamps) {
    c.timestampOffset = stack.isn.timestampOffset(route.source, route.destination, ports);
  }
  c.startActive();
  stack.add(c);
  sendSyn(c);
  return caller;
}

/** A port without a connection to that peer; null when so many tries found none. */
function choosePort(stack: TcpStack, address: IpAddress, port: number): number | null {
  for (let i = 0; i < EPHEMERAL_TRIES_MAX; i++) {
    const local = randomPort(stack.entropy);
    if (stack.listeners.has(local)) continue;
    if (!stack.isTaken(address, (port << 16) | local)) return local;
  }
  return null;
}

const EPHEMERAL_COUNT = EPHEMERAL_PORT_LAST - EPHEMERAL_PORT_FIRST + 1;

export function randomPort(entropy: Entropy): number {
  const bytes = new Uint8Array(2);
  entropy.fill(bytes);
  // The count is a power of two, so the remainder is uniform.
  return EPHEMERAL_PORT_FIRST + (((bytes[0]! << 8) | bytes[1]!) % EPHEMERAL_COUNT);
}
