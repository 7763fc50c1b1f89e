/**
 * A switch on a UNIX socket: each connection is a port. Required reading: packages/switch,
 * stream-frames.ts (what is on the wire).
 *
 * What one read brought is passed on without being copied: frames that stand side by side in it
 * and leave on the same port leave as one piece. Each port gets one write when the turn ends. A
 * peer that doesn't read has QUEUE_BYTES_MAX of memory here, then its frames are dropped; a peer
 * that lies about a length is disconnected. Neither is noticed on any other port.
 */

import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import type { BigIntStats } from 'node:fs';
import { link, lstat, rename, unlink } from 'node:fs/promises';
import net, { type Socket } from 'node:net';
import { err, ok, type Result } from '#core';
import { type PortHandler, PREFIX_BYTES, type Switch, type SwitchPort } from '#switch';
import type { NodeLoop } from './loop.ts';
import { StreamFrames } from './stream-frames.ts';

/** What may wait for a port, what its socket has been given included. */
export const QUEUE_BYTES_MAX = 1_048_576;
/** More pieces than this are put together, and leave as one. */
const PIECES_MAX = 16;
/** Connections that may wait to be accepted. */
const BACKLOG = 64;

export type PortEnd =
  | { readonly kind: 'closed' }
  | { readonly kind: 'frame length'; readonly bytes: number };

/** For one sentence: "port 3 ...". */
export function formatPortEnd(end: PortEnd): string {
  return end.kind === 'closed'
    ? 'left'
    : `sent a frame of ${end.bytes} bytes, which no frame has, and was cut off`;
}

export type SwitchListenError =
  | { readonly kind: 'in use' }
  | { readonly kind: 'not a socket' }
  | { readonly kind: 'refused'; readonly message: string };

export interface SwitchServerEvents {
  joined(port: SwitchPort): void;
  left(port: SwitchPort, end: PortEnd): void;
  /** A connection was closed, since the switch has no port left. */
  full(): void;
}

interface Piece {
  readonly bytes: Uint8Array;
  readonly start: number;
  end: number;
}

export class SwitchServer {
  private readonly loop: NodeLoop;
  private readonly network: Switch;
  private readonly events: SwitchServerEvents;
  private readonly server: net.Server;
  private readonly ports = new Set<StreamPort>();
  /** Those that have something to send when the turn ends. */
  private readonly due: StreamPort[] = [];
  private numbers = 0;

  constructor(loop: NodeLoop, network: Switch, events: SwitchServerEvents) {
    this.loop = loop;
    this.network = network;
    this.events = events;
    this.server = net.createServer((socket) => this.join(socket));
    loop.atTurnEnd(() => this.flush());
  }

  /** How many connections there are. */
  get size(): number {
    return this.ports.size;
  }

  /** Listens at `place`; a socket that nobody listens on any more is replaced. */
  async listen(place: string): Promise<Result<null, SwitchListenError>> {
    const taken = await freePlace(place);
    if (taken !== null) return err(taken);
    try {
      this.server.listen({ path: place, backlog: BACKLOG });
      await once(this.server, 'listening');
      return ok(null);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      return err(code === 'EADDRINUSE' ? { kind: 'in use' } : { kind: 'refused', message });
    }
  }

  /** Closes all connections and removes the socket. */
  async close(): Promise<void> {
    for (const port of [...this.ports]) port.stop({ kind: 'closed' });
    if (!this.server.listening) return;
    this.server.close();
    await once(this.server, 'close');
  }

  private join(socket: Socket): void {
    const stream = new StreamPort(this.loop, socket, this.due, (end) => {
      this.ports.delete(stream);
      port?.unplug();
      if (port !== null) this.events.left(port, end);
    });
    const port = this.network.plug(`${++this.numbers}`, stream);
    if (port === null) {
      socket.destroy();
      this.events.full();
      return;
    }
    this.ports.add(stream);
    stream.begin(port);
    this.events.joined(port);
  }

  private flush(): void {
    const { due } = this;
    for (const port of due) port.flush();
    due.length = 0;
  }
}

/** Null when `place` is free, or was left behind and is free now. */
async function freePlace(place: string): Promise<SwitchListenError | null> {
  const found = await lstat(place, { bigint: true }).catch(() => null);
  if (found === null) return null;
  if (!found.isSocket()) return { kind: 'not a socket' };
  const probe = net.connect(place);
  try {
    await once(probe, 'connect');
    return { kind: 'in use' };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EAGAIN') return { kind: 'in use' };
    if (code !== 'ECONNREFUSED' && code !== 'ENOENT') return { kind: 'refused', message };
    return (await removeStale(place, found)) ? null : { kind: 'in use' };
  } finally {
    probe.destroy();
  }
}

let graves = 0;

/**
 * Removes `found`, on which nobody listens, and nothing else: another may have done the same, and
 * listen at `place` by now. That one's is moved too before it can be told apart, and goes back.
 */
async function removeStale(place: string, found: BigIntStats): Promise<boolean> {
  const grave = `${place}.old-${process.pid}-${++graves}`;
  try {
    await rename(place, grave);
  } catch (error) {
    // It is gone already, or isn't ours to remove.
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
  const moved = await lstat(grave, { bigint: true });
  const isIt = moved.ino === found.ino && moved.mtimeNs === found.mtimeNs;
  if (!isIt) await link(grave, place).catch(() => {});
  await unlink(grave);
  return isIt;
}

class StreamPort implements PortHandler {
  private readonly loop: NodeLoop;
  private readonly socket: Socket;
  private readonly due: StreamPort[];
  private readonly onEnd: (end: PortEnd) => void;
  private isStopped = false;
  /** To leave when the turn ends, prefixes included. */
  private pieces: Piece[] = [];
  private last: Piece | null = null;
  /** Copies of what came while the socket took nothing: its memory is nobody else's. */
  private held: Uint8Array[] = [];
  /** Of `pieces`, of `held`, and of what the socket has. */
  private queuedBytes = 0;

  constructor(loop: NodeLoop, socket: Socket, due: StreamPort[], onEnd: (end: PortEnd) => void) {
    this.loop = loop;
    this.socket = socket;
    this.due = due;
    this.onEnd = onEnd;
  }

  begin(port: SwitchPort): void {
    const { loop, socket } = this;
    const frames = new StreamFrames(0, (bytes, start, end) => {
      port.receive(bytes, start, end);
      return !this.isStopped;
    });
    socket.on('data', (chunk: Buffer) => {
      if (this.isStopped) return;
      loop.turn(() => {
        const wrong = frames.push(chunk);
        if (wrong !== null) this.stop({ kind: 'frame length', bytes: wrong });
      });
    });
    socket.on('error', () => this.stop({ kind: 'closed' }));
    socket.on('close', () => this.stop({ kind: 'closed' }));
  }

  /** Of PortHandler. */
  transmit(bytes: Uint8Array, start: number, end: number): boolean {
    const from = start - PREFIX_BYTES;
    const count = end - from;
    if (this.queuedBytes + count > QUEUE_BYTES_MAX || this.isStopped) return false;
    this.queuedBytes += count;
    const { last } = this;
    if (last !== null && last.bytes === bytes && last.end === from) {
      last.end = end;
      return true;
    }
    if (last === null) {
      this.due.push(this);
      this.loop.plan();
    }
    this.last = { bytes, start: from, end };
    this.pieces.push(this.last);
    return true;
  }

  /** Gives the socket what has gathered, unless it has some that the peer didn't take. */
  flush(): void {
    const { pieces, socket, held } = this;
    if (this.isStopped || pieces.length === 0) return;
    this.pieces = [];
    this.last = null;
    if (socket.writableLength > 0) held.push(together(pieces));
    else if (pieces.length > PIECES_MAX) this.write([together(pieces)]);
    else this.write(pieces.map(({ bytes, start, end }) => bytes.subarray(start, end)));
  }

  stop(end: PortEnd): void {
    if (this.isStopped) return;
    this.isStopped = true;
    this.pieces = [];
    this.held = [];
    this.socket.destroy();
    this.onEnd(end);
  }

  /** One system call, as a rule; `parts` are the socket's until it has written them. */
  private write(parts: readonly Uint8Array[]): void {
    const { socket } = this;
    const count = parts.reduce((sum, part) => sum + part.length, 0);
    if (parts.length > 1) socket.cork();
    parts.forEach((part, index) => {
      if (index < parts.length - 1) socket.write(part);
      else socket.write(part, () => this.written(count));
    });
    if (parts.length > 1) socket.uncork();
  }

  private written(count: number): void {
    this.queuedBytes -= count;
    if (this.held.length === 0 || this.isStopped) return;
    const { held } = this;
    this.held = [];
    this.write(held.length > PIECES_MAX ? [Buffer.concat(held)] : held);
  }
}

/** In memory of its own. */
function together(pieces: readonly Piece[]): Uint8Array {
  const total = pieces.reduce((sum, { start, end }) => sum + end - start, 0);
  const whole = Buffer.allocUnsafeSlow(total);
  let at = 0;
  for (const { bytes, start, end } of pieces) {
    whole.set(bytes.subarray(start, end), at);
    at += end - start;
  }
  return whole;
}
