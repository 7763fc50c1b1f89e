/**
 * The request and response workload: one connection, one question after the other, each asked when
 * the answer to the last has come whole. And connections that can't succeed, whose failure must be
 * told in time.
 */

import { after, millis, readU32be, seconds, Timer, writeU32be } from '#core';
import type { ConnectError, Flow, FlowEnd } from '#device';
import type { Ipv4Address } from '#net';
import { pattern, Violation } from './pattern.ts';
import { LivenessFailure, Retried } from './retried.ts';
import type { StackHost } from './stack-host.ts';

const DIALOGUE_PORT = 81;
const QUESTION_BYTES = 8;
const IDLE_LIMIT = seconds(150);

/** Answers each question, its salt and a size, with so many bytes. */
export function serveDialogues(host: StackHost): void {
  host.run(() => {
    host.tcp.listen(DIALOGUE_PORT, (flow) => {
      const { timers } = host.world;
      const idle = new Timer(() => flow.abort());
      const stayAlive = () => timers.arm(idle, after(timers.now, IDLE_LIMIT));
      let had: number[] = [];
      stayAlive();
      flow.attach({
        data(bytes) {
          stayAlive();
          had.push(...bytes);
          for (; had.length >= QUESTION_BYTES; had = had.slice(QUESTION_BYTES)) {
            const question = Uint8Array.from(had.slice(0, QUESTION_BYTES));
            flow.write(pattern(readU32be(question, 0), 0, readU32be(question, 4)));
          }
        },
        drained: stayAlive,
        end: () => flow.shutdown(),
        closed: () => timers.stop(idle),
      });
    });
  });
}

export interface DialoguePlan {
  readonly salt: number;
  /** Bytes of each answer, at most 16 KiB. */
  readonly answers: readonly number[];
}

export class Dialogue extends Retried {
  private readonly plan: DialoguePlan;

  constructor(client: StackHost, server: StackHost, plan: DialoguePlan, isHealed: () => boolean) {
    super(client, server, DIALOGUE_PORT, isHealed);
    this.plan = plan;
  }

  protected begin(flow: Flow, finished: (how: FlowEnd) => void): void {
    const { salt, answers } = this.plan;
    let round = 0;
    let received = 0;
    const { timers } = this.client.world;
    // The server may have crashed.
    const idle = new Timer(() => flow.abort());
    const ask = (): void => {
      timers.arm(idle, after(timers.now, IDLE_LIMIT));
      // An answer of no bytes is never heard of.
      while (round < answers.length && answers[round] === 0) round += 1;
      received = 0;
      if (round >= answers.length) {
        flow.shutdown();
        return;
      }
      const question = new Uint8Array(QUESTION_BYTES);
      writeU32be(question, 0, salt + round);
      writeU32be(question, 4, answers[round]!);
      flow.write(question);
    };
    flow.attach({
      data(bytes) {
        const wanted = pattern(salt + round, received, bytes.length);
        if (received + bytes.length > (answers[round] ?? 0)) throw new Violation('unasked bytes');
        if (Buffer.compare(bytes, wanted) !== 0) throw new Violation('a wrong answer');
        received += bytes.length;
        if (received < answers[round]!) return;
        round += 1;
        ask();
      },
      drained() {},
      end() {
        if (round < answers.length) throw new Violation('ended before the answers were whole');
      },
      closed(how) {
        timers.stop(idle);
        finished(how);
      },
    });
    ask();
  }

  protected isGood(how: FlowEnd): boolean {
    return how === 'closed';
  }
}

/** Three minutes of SYNs (RFC 9293 §3.8.3), and one more to be told. */
const TOLD_WITHIN = seconds(240);

/** A connection to where nobody answers: once, and its end must be told in time. */
export class Vain {
  isDone = false;
  private readonly client: StackHost;
  private readonly address: Ipv4Address;
  private readonly kinds: readonly ConnectError['kind'][];
  private readonly late = new Timer(() => {
    throw new LivenessFailure('nobody was told that a connection can not be');
  });

  /** `kinds`: how it may fail. */
  constructor(client: StackHost, address: Ipv4Address, kinds: readonly ConnectError['kind'][]) {
    this.client = client;
    this.address = address;
    this.kinds = kinds;
    client.run(() => {
      // A crash takes the attempt with it.
      if (client.boots > 1) this.finish();
    });
  }

  startAfter(waitMillis: number): void {
    const { timers } = this.client.world;
    timers.arm(new Timer(() => this.attempt()), after(timers.now, millis(waitMillis)));
  }

  get name(): string {
    return `a vain connection from ${this.client.name}`;
  }

  private attempt(): void {
    if (this.isDone) return;
    if (this.client.address() === null) {
      this.startAfter(200);
      return;
    }
    const { timers } = this.client.world;
    const { boots } = this.client;
    timers.arm(this.late, after(timers.now, TOLD_WITHIN));
    this.client.tcp.connect(this.address, 9, (result) => {
      if (this.client.boots !== boots) return;
      if (result.ok) throw new Violation('connected to nobody');
      const { kind } = result.error;
      if (!this.kinds.includes(kind)) throw new Violation(`a vain connection failed by ${kind}`);
      this.finish();
    });
  }

  private finish(): void {
    this.isDone = true;
    this.client.world.timers.stop(this.late);
  }
}
