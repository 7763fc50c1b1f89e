/** Active open, RFC 9293 §3.10.1, with ephemeral ports chosen at random (RFC 6056 §3.3.1). */

import { err, ok, type Result } from '#core';
import type { ConnectError, Entropy, Flow, FlowEnd } from '#device';
import type { IpAddress } from '../ip.ts';
import { Connection, type Opener } from './connection.ts';
import { EPHEMERAL_PORT_FIRST, EPHEMERAL_PORT_LAST, EPHEMERAL_TRIES_MAX } from './limits.ts';
import { sendSyn } from './output.ts';
import type { TcpStack } from './stack.ts';

export type Opened = (result: Result<Flow, ConnectError>) => void;

class Caller implements Opener {
  private readonly tell: Opened;

  constructor(tell: Opened) {
    this.tell = tell;
  }

  opened(connection: Connection): boolean {
    this.tell(ok(connection));
    return true;
  }

  failed(_: Connection, how: FlowEnd | 'unreachable'): void {
    this.tell(err({ kind: how === 'reset' || how === 'closed' ? 'refused' : how }));
  }
}

/** Calls `opened` once: with a flow, or with why not. A full table counts as 'no port'. */
export function connect(stack: TcpStack, address: IpAddress, port: number, opened: Opened): void {
  if (port < 1 || port > 65_535) {
    opened(err({ kind: 'bad address' }));
    return;
  }
  const route = stack.ip.route(address);
  if (route === null) {
    opened(err({ kind: 'unreachable' }));
    return;
  }
  const local = stack.isFull ? null : choosePort(stack, route.destination, port);
  if (local === null) {
    stack.counts.connectionsFull += 1;
    opened(err({ kind: 'no port' }));
    return;
  }
  const ports = local * 65_536 + port;
  const iss = stack.isn.at(stack.timers.now, route.source, route.destination, ports);
  const c = new Connection(stack, route, local, port, iss, new Caller(opened));
  c.startActive();
  stack.add(c);
  sendSyn(c);
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
