// tidy: int32
/** Passive open: listeners, and SEGMENT ARRIVES in LISTEN, RFC 9293 §3.10.7.2. */

import { err, ok, type Result, type SeqNumber } from '#core';
import type { Flow, ListenError, Listener } from '#device';
import { TCP_ACK, TCP_RST, TCP_SYN } from '../wire/tcp.ts';
import { takeSyn } from './arrives-syn-sent.ts';
import { randomPort } from './connect.ts';
import { Connection, type Opener } from './connection.ts';
import { EPHEMERAL_TRIES_MAX } from './limits.ts';
import { sendSyn } from './output.ts';
import type { Segment } from './segment.ts';
import type { TcpStack } from './stack.ts';

export class TcpListener implements Listener, Opener {
  readonly port: number;
  private readonly stack: TcpStack;
  private readonly accept: (flow: Flow) => void;
  private isOpen = true;

  constructor(stack: TcpStack, port: number, accept: (flow: Flow) => void) {
    this.stack = stack;
    this.port = port;
    this.accept = accept;
  }

  close(): void {
    if (this.isOpen) this.stack.listeners.delete(this.port);
    this.isOpen = false;
  }

  opened(connection: Connection): boolean {
    if (this.isOpen) this.accept(connection);
    return this.isOpen;
  }

  /** A half-open connection went; nobody had heard of it. */
  failed(): void {}
}

/** Full, or the port is taken: 'port in use'. */
export function listen(
  stack: TcpStack,
  port: number,
  accept: (flow: Flow) => void,
): Result<Listener, ListenError> {
  let chosen = port;
  for (let i = 0; port === 0 && i < EPHEMERAL_TRIES_MAX; i++) {
    chosen = randomPort(stack.entropy);
    if (!stack.listeners.has(chosen)) break;
  }
  if (stack.listeners.has(chosen) || stack.listeners.size >= stack.limits.listenersMax) {
    return err({ kind: 'port in use', port: chosen });
  }
  const listener = new TcpListener(stack, chosen, accept);
  stack.listeners.set(chosen, listener);
  return ok(listener);
}

/**
 * A segment to a listening port; `iss` when the connection before asks for a certain first sequence
 * number.
 */
export function arrivesListen(
  stack: TcpStack,
  listener: TcpListener,
  s: Segment,
  iss: SeqNumber | null,
): void {
  // First RST, second ACK, third SYN.
  if (s.flags & TCP_RST) return;
  if (s.flags & TCP_ACK) {
    stack.reset(s);
    return;
  }
  if ((s.flags & TCP_SYN) === 0) {
    stack.counts.noSyn += 1;
    return;
  }
  const route = stack.ip.route(s.source, s.destination);
  if (route === null) return;
  if (stack.halfOpen.size >= stack.limits.halfOpenMax) evictOldest(stack);
  if (stack.isFull) {
    stack.counts.connectionsFull += 1;
    return;
  }
  const ports = (s.ports << 16) | (s.ports >>> 16);
  const first = iss ?? stack.isn.at(stack.timers.now, s.destination, s.source, ports);
  const c = new Connection(stack, route, s.ports & 0xffff, s.ports >>> 16, first, listener);
  if (s.options.hasTimestamps) {
    c.timestampOffset = stack.isn.timestampOffset(s.destination, s.source, ports);
  }
  // Text on a SYN isn't taken (no RFC 7413): it comes again after our SYN-ACK, which leaves it out.
  takeSyn(c, s.seq, s.options);
  c.sndWnd = s.window; // The window of a SYN is not scaled.
  c.startPassive();
  stack.add(c);
  stack.halfOpen.add(c);
  sendSyn(c);
}

/**
 * The oldest half-open connection makes room for a new one: with a flood, it is the likeliest to be
 * a fake.
 */
function evictOldest(stack: TcpStack): void {
  for (const oldest of stack.halfOpen) {
    stack.counts.halfOpenEvicted += 1;
    stack.remove(oldest, 'timeout');
    return;
  }
}
