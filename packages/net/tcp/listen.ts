// tidy: int32
/** Passive open: listeners, and SEGMENT ARRIVES in LISTEN, RFC 9293 §3.10.7.2. */

import { err, ok, type Result, type SeqNumber } from '#core';
import type { Flow, ListenError, Listener } from '#device';
import { PROTOCOL_TCP, type Route } from '../ip.ts';
import { pseudoHeaderSum } from '../wire/checksum.ts';
import { clearTcpOptions, TCP_ACK, TCP_RST, TCP_SYN } from '../wire/tcp.ts';
import { takeSyn } from './arrives-syn-sent.ts';
import { randomPort } from './connect.ts';
import { Connection, type Opener } from './connection.ts';
import { keyOf } from './connection-table.ts';
import { ECN_FLAGS, ECN_ON } from './ecn.ts';
import { emitBare } from './emit.ts';
import { CONNECTION_BYTES, EPHEMERAL_TRIES_MAX } from './limits.ts';
import { sendSyn } from './output.ts';
import type { Segment } from './segment.ts';
import type { TcpStack } from './stack.ts';
import { timestampAt } from './timestamps.ts';

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

/** A segment that belongs to no connection: TIME_WAIT, LISTEN or CLOSED. */
export function arrivesElsewhere(stack: TcpStack, s: Segment): void {
  const key = keyOf(s.source, s.ports);
  const record = stack.waiting.find(key, s);
  const first = record === null ? null : stack.waiting.arrives(key, record, s);
  if (record !== null && first === null) return;
  const { foreign } = stack;
  const listener = stack.listeners.get(s.ports & 0xffff);
  if (foreign?.takes(s.destination) === true) foreign.arrives(s, first);
  else if (listener !== undefined) arrivesListen(stack, listener, s, first);
  else stack.reset(s);
}

/**
 * A segment to a listening port, of no connection; `iss` when the connection before asks for a
 * certain first sequence number.
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
    // (A SYN-ACK opens nothing, so what a cookie would make for it would stay half-open for ever.)
    const mayOpen = iss === null && (s.flags & TCP_SYN) === 0;
    if (!mayOpen || !opensByCookie(stack, listener, s)) stack.reset(s);
    return;
  }
  if ((s.flags & TCP_SYN) === 0) {
    stack.counts.noSyn += 1;
    return;
  }
  const route = stack.ip.route(s.source, s.destination);
  if (route === null || openPassive(stack, listener, s, route, iss)) return;
  // A cookie can't be a certain number; when the SYN comes again, nothing asks for one.
  if (iss === null) sendCookie(stack, s, route, (s.ports << 16) | (s.ports >>> 16));
}

/** Makes the connection that a SYN asks for, and answers it; false when there is no room. */
export function openPassive(
  stack: TcpStack,
  opener: Opener,
  s: Segment,
  route: Route,
  iss: SeqNumber | null,
): boolean {
  const ports = (s.ports << 16) | (s.ports >>> 16);
  const { halfOpen } = stack.tcpMemory;
  // Nothing is evicted for a SYN, which costs its sender nothing.
  if (!halfOpen.fits(CONNECTION_BYTES) || !halfOpen.take(CONNECTION_BYTES)) return false;
  const first = iss ?? stack.isn.at(stack.timers.now, s.destination, s.source, ports);
  const c = new Connection(stack, route, s.ports & 0xffff, s.ports >>> 16, first, opener);
  if (s.options.hasTimestamps) {
    c.timestampOffset = stack.isn.timestampOffset(s.destination, s.source, ports);
  }
  // Text on a SYN isn't taken (no RFC 7413): it comes again after our SYN-ACK, which leaves it out.
  takeSyn(c, s.seq, s.options);
  // RFC 3168 §6.1.1: the peer asks, we agree.
  if ((s.flags & ECN_FLAGS) === ECN_FLAGS) c.ecn = ECN_ON;
  c.sndWnd = s.window; // The window of a SYN is not scaled.
  c.startPassive();
  stack.add(c);
  stack.halfOpen.add(c);
  sendSyn(c);
  return true;
}

/** The SYN-ACK of a SYN that finds no room: all that we must know comes back with its ACK. */
function sendCookie(stack: TcpStack, s: Segment, route: Route, ports: number): void {
  const { source, destination, options } = s;
  const { now } = stack.timers;
  const cookie = stack.cookies.make(now, destination, source, ports, s.seq, options);
  const answer = stack.optionsOut;
  clearTcpOptions(answer);
  answer.mss = stack.mssOf(route, 0);
  const windowBytes = stack.limits.receiveWindowBytes;
  if (options.windowShift >= 0) answer.windowShift = stack.windowShift;
  answer.sackPermitted = options.sackPermitted;
  if (options.hasTimestamps) {
    answer.hasTimestamps = true;
    const offset = stack.isn.timestampOffset(destination, source, ports);
    answer.timestamp = timestampAt(now, offset);
    answer.timestampEcho = options.timestamp;
  }
  const sum = pseudoHeaderSum(route.source, route.destination, PROTOCOL_TCP, 0);
  const window = Math.min(0xffff, windowBytes);
  const ack = (s.seq + 1) | 0;
  emitBare(stack, route, sum, ports, cookie, ack, TCP_SYN | TCP_ACK, window, answer);
  stack.counts.cookies += 1;
}

/**
 * An acknowledgment of a cookie: makes the connection that its SYN asked for, and gives it the
 * segment. False when it is none of ours. When there is no room it is dropped in silence: the peer
 * believes that the connection is open, and what it sends asks again.
 */
function opensByCookie(stack: TcpStack, listener: TcpListener, s: Segment): boolean {
  const { source, destination } = s;
  const { tcpMemory } = stack;
  const { now } = stack.timers;
  const ports = (s.ports << 16) | (s.ports >>> 16);
  const cookie = (s.ack - 1) | 0;
  const seq = ((s.seq - 1) | 0) as SeqNumber;
  const facts = stack.cookies.read(now, destination, source, ports, seq, cookie);
  if (facts === null) {
    stack.counts.badCookie += 1;
    return false;
  }
  const route = stack.ip.route(source, destination);
  if (route === null) return true;
  if (!tcpMemory.mayAccept()) {
    stack.counts.acceptsHeld += 1;
    return true;
  }
  if (!tcpMemory.connections.take(CONNECTION_BYTES)) {
    stack.counts.connectionsFull += 1;
    return true;
  }
  const iss = cookie as SeqNumber;
  const c = new Connection(stack, route, s.ports & 0xffff, s.ports >>> 16, iss, listener);
  const options = stack.optionsOut;
  clearTcpOptions(options);
  options.mss = facts.mss;
  options.windowShift = facts.windowShift;
  options.sackPermitted = facts.sackPermitted;
  // The peer sends them in every segment once both SYNs had them (RFC 7323 §3.2).
  if (s.options.hasTimestamps) {
    c.timestampOffset = stack.isn.timestampOffset(destination, source, ports);
    options.hasTimestamps = true;
    options.timestamp = s.options.timestamp;
  }
  takeSyn(c, seq, options);
  c.startPassive();
  c.sndNxt = ((iss + 1) | 0) as SeqNumber;
  c.sndMax = c.sndNxt;
  c.rttSeq = c.sndMax; // When the cookie left isn't known: it measures no round trip.
  stack.add(c);
  stack.counts.cookiesOpened += 1;
  stack.arrives(c, s);
  return true;
}
