/**
 * The TCP workload: a client asks for so many bytes and sends so many, both at once, and both ends
 * check every byte. What broke under faults is tried again; what breaks on a healed network is a
 * failure.
 */

import { after, millis, readU32be, seconds, Timer, writeU32be } from '#core';
import type { Flow, FlowEnd, FlowHandler } from '#device';
import type { SimRandom } from '#targets/sim/index';
import { PatternSink, PatternSource, Violation } from './pattern.ts';
import { LivenessFailure, Retried } from './retried.ts';
import type { StackHost } from './stack-host.ts';

export const TRANSFER_PORT = 80;
const REQUEST_BYTES = 12;
const IDLE_LIMIT = seconds(150);

export interface TransferPlan {
  readonly uploadBytes: number;
  readonly downloadBytes: number;
  readonly salt: number;
  /** The client breaks off after so many bytes; Infinity: never. */
  readonly abortAfterBytes: number;
}

/** How readers and writers behave, drawn from the seed. */
export interface Habits {
  readonly random: SimRandom;
  readonly pauseShare: number;
}

/** What both ends do with a flow: check one stream, send the other, pause now and then. */
abstract class TransferEnd implements FlowHandler {
  protected readonly flow: Flow;
  protected readonly host: StackHost;
  private readonly habits: Habits;
  protected source: PatternSource | null = null;
  protected sink: PatternSink | null = null;
  private isEnded = false;
  private isClosed = false;
  private readonly resumeTimer = new Timer(() => {
    if (!this.isClosed) this.flow.resume();
    this.isPaused = false;
  });
  private isPaused = false;
  /** A peer that crashed is never heard of again; nobody must wait for it for ever. */
  private readonly idleTimer = new Timer(() => this.flow.abort());

  constructor(host: StackHost, flow: Flow, habits: Habits) {
    this.host = host;
    this.flow = flow;
    this.habits = habits;
    this.stayAlive();
    flow.lowWaterBytes = habits.random.pick([1_024, 16_384, 65_536]);
  }

  data(bytes: Uint8Array): void {
    if (this.isEnded || this.isClosed) throw new Violation('data after the end');
    if (this.isPaused) throw new Violation('data while paused');
    if (bytes.length === 0) throw new Violation('no data');
    this.stayAlive();
    this.take(bytes);
    if (!this.isClosed && this.habits.random.chance(this.habits.pauseShare)) this.pause();
  }

  drained(): void {
    if (this.isClosed) throw new Violation('drained after closed');
    this.stayAlive();
    this.source?.pump();
  }

  end(): void {
    if (this.isEnded || this.isClosed) throw new Violation('end told twice');
    this.isEnded = true;
    if (this.sink === null) throw new Violation('end before the request was whole');
    this.sink.end();
  }

  closed(how: FlowEnd): void {
    if (this.isClosed) throw new Violation('closed told twice');
    this.isClosed = true;
    this.host.world.timers.stop(this.idleTimer);
    if (how === 'closed' && !this.isEnded) throw new Violation('closed without end');
    this.finished(how);
  }

  protected abstract take(bytes: Uint8Array): void;
  protected abstract finished(how: FlowEnd): void;

  protected send(salt: number, total: number): void {
    const { random } = this.habits;
    const most = random.pick([1, 100, 1_460, 16_384]);
    // Single bytes are for short streams only, or a run takes minutes.
    const pieceMax = total > 5_000 ? Math.max(most, 1_460) : most;
    this.source = new PatternSource(this.flow, salt, total, () => random.between(1, pieceMax));
    this.source.pump();
  }

  private stayAlive(): void {
    const { timers } = this.host.world;
    timers.arm(this.idleTimer, after(timers.now, IDLE_LIMIT));
  }

  private pause(): void {
    this.isPaused = true;
    this.flow.pause();
    const wait = millis(this.habits.random.between(0, 100));
    const { timers } = this.host.world;
    timers.arm(this.resumeTimer, after(timers.now, wait));
  }
}

class ServerEnd extends TransferEnd {
  private readonly request = new Uint8Array(REQUEST_BYTES);
  private requestHave = 0;

  protected take(bytes: Uint8Array): void {
    let at = 0;
    if (this.sink === null) {
      at = Math.min(REQUEST_BYTES - this.requestHave, bytes.length);
      this.request.set(bytes.subarray(0, at), this.requestHave);
      this.requestHave += at;
      if (this.requestHave < REQUEST_BYTES) return;
      const [uploadBytes, downloadBytes, salt] = [0, 4, 8].map((i) => readU32be(this.request, i));
      this.sink = new PatternSink('upload', salt!, uploadBytes!);
      this.send(salt! + 1, downloadBytes!);
    }
    if (at < bytes.length) this.sink.take(bytes.subarray(at));
  }

  protected finished(): void {}
}

class ClientEnd extends TransferEnd {
  private readonly plan: TransferPlan;
  private readonly done: (how: FlowEnd) => void;

  constructor(
    host: StackHost,
    flow: Flow,
    habits: Habits,
    plan: TransferPlan,
    done: (how: FlowEnd) => void,
  ) {
    super(host, flow, habits);
    this.plan = plan;
    this.done = done;
    this.sink = new PatternSink('download', plan.salt + 1, plan.downloadBytes);
  }

  begin(): void {
    const request = new Uint8Array(REQUEST_BYTES);
    writeU32be(request, 0, this.plan.uploadBytes);
    writeU32be(request, 4, this.plan.downloadBytes);
    writeU32be(request, 8, this.plan.salt);
    this.flow.write(request);
    this.send(this.plan.salt, this.plan.uploadBytes);
  }

  protected take(bytes: Uint8Array): void {
    this.sink?.take(bytes);
    if ((this.sink?.received ?? 0) >= this.plan.abortAfterBytes) this.flow.abort();
  }

  protected finished(how: FlowEnd): void {
    this.done(how);
  }
}

export function serveTransfers(host: StackHost, habits: Habits): void {
  host.run(() => {
    const listening = host.tcp.listen(TRANSFER_PORT, (flow) => {
      flow.attach(new ServerEnd(host, flow, habits));
    });
    if (!listening.ok) throw new LivenessFailure('can not listen');
  });
}

/** One transfer, tried until it is done. */
export class Transfer extends Retried {
  private readonly plan: TransferPlan;
  private readonly habits: Habits;

  constructor(
    client: StackHost,
    server: StackHost,
    plan: TransferPlan,
    habits: Habits,
    isHealed: () => boolean,
  ) {
    super(client, server, TRANSFER_PORT, isHealed);
    this.plan = plan;
    this.habits = habits;
  }

  protected begin(flow: Flow, finished: (how: FlowEnd) => void): void {
    const end = new ClientEnd(this.client, flow, this.habits, this.plan, finished);
    flow.attach(end);
    end.begin();
  }

  protected isGood(how: FlowEnd): boolean {
    return how === 'closed' || (how === 'reset' && this.plan.abortAfterBytes !== Infinity);
  }
}

/** How long the slowest retry of anything may take on a healed network. */
export const livenessLimit = seconds(400);
