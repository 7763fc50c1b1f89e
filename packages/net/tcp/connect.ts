/** Active open, RFC 9293 §3.10.1, with ephemeral ports chosen at random (RFC 6056 §3.3.1 and 2). */

import { err, ok, type Result } from '#core';
import type { ConnectError, Connecting, Entropy, Flow, FlowEnd } from '#device';
import type { IpAddress } from '../ip.ts';
import { Connection, type Opener } from './connection.ts';
import { keyOf } from './connection-table.ts';
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
  // RFC 9293 §3.9.2.3: never to many, whatever a name server says.
  if (route === null || route.isForMany) {
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
  const iss =
    stack.waiting.reuse(keyOf(route.destination, (port << 16) | local)) ??
    stack.isn.at(stack.timers.now, route.source, route.destination, ports);
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

const EPHEMERAL_COUNT = EPHEMERAL_PORT_LAST - EPHEMERAL_PORT_FIRST + 1;

/**
 * A port without a connection to that peer: a random one, or when tries find none, the first free
 * one after a random one; or else one whose last connection is only waiting (RFC 1122 §4.2.2.13
 * lets us use it again with a later sequence number). Null when each has a connection. O(ports) at
 * worst.
 */
function choosePort(stack: TcpStack, address: IpAddress, port: number): number | null {
  for (let i = 0; i < EPHEMERAL_TRIES_MAX; i++) {
    const local = randomPort(stack.entropy);
    if (useOf(stack, address, port, local) === 'free') return local;
  }
  const start = randomPort(stack.entropy) - EPHEMERAL_PORT_FIRST;
  let waiting: number | null = null;
  for (let i = 0; i < EPHEMERAL_COUNT; i++) {
    const local = EPHEMERAL_PORT_FIRST + ((start + i) % EPHEMERAL_COUNT);
    const use = useOf(stack, address, port, local);
    if (use === 'free') return local;
    if (use === 'waiting') waiting ??= local;
  }
  return waiting;
}

function useOf(
  stack: TcpStack,
  address: IpAddress,
  port: number,
  local: number,
): 'free' | 'waiting' | 'taken' {
  if (stack.listeners.has(local)) return 'taken';
  const ports = (port << 16) | local;
  if (stack.isTaken(address, ports)) return 'taken';
  return stack.waiting.has(keyOf(address, ports)) ? 'waiting' : 'free';
}

export function randomPort(entropy: Entropy): number {
  const bytes = new Uint8Array(2);
  entropy.fill(bytes);
  // The count is a power of two, so the remainder is uniform.
  return EPHEMERAL_PORT_FIRST + (((bytes[0]! << 8) | bytes[1]!) % EPHEMERAL_COUNT);
}
