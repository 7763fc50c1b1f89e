/** A session with an authority in virtual time, and what procedures come to. */

import assert from 'node:assert/strict';
import {
  after,
  type Duration,
  FOREVER,
  hot,
  instantOfMicros,
  seconds,
  TimerQueue,
  wallTimeOfMillis,
} from '#core';
import { nodeCrypto } from '#targets/node/crypto';
import { SimRandom } from '#targets/sim/index';
import { Proofs } from './challenge.ts';
import { runProcedure } from './driver.ts';
import { type Failure, formatAcmeError } from './error.ts';
import { type AcmeLimits, DEFAULT_LIMITS } from './limits.ts';
import { type OrderOptions, OrderProcedure } from './order.ts';
import { AcmeSession, type Procedure, type SessionOptions } from './session.ts';
import { DIRECTORY, TestServer } from './test-server.ts';
import { type AcmeUrl, parseUrl } from './wire/url.ts';

export function urlOf(text: string): AcmeUrl {
  const url = parseUrl(text);
  assert.ok(url.ok, text);
  return url.value;
}

/** 2026-11-26T12:00:00Z. */
const WALL_MILLIS = Date.UTC(2026, 10, 26, 12);

export class AcmeBench {
  readonly timers = new TimerQueue(instantOfMicros(0));
  readonly random = new SimRandom(7);
  readonly server = new TestServer(this.timers);
  readonly proofs = new Proofs();
  readonly limits: AcmeLimits;
  readonly session: AcmeSession;
  readonly accountKey = nodeCrypto.generatePrivateKey('P-256', this.random);
  /** How far the wall clock was set ahead. */
  wallJumpMillis = 0;
  readonly clock = {
    wall: () =>
      wallTimeOfMillis(WALL_MILLIS + this.wallJumpMillis + Math.floor(this.timers.now / 1_000)),
  };

  constructor(options: Partial<SessionOptions> = {}, limits: Partial<AcmeLimits> = {}) {
    this.limits = { ...DEFAULT_LIMITS, ...limits };
    this.session = new AcmeSession({
      crypto: nodeCrypto,
      entropy: this.random,
      clock: this.clock,
      limits: this.limits,
      directory: urlOf(DIRECTORY),
      accountKey: this.accountKey,
      email: null,
      agreesToTerms: true,
      externalAccount: null,
      ...options,
    });
    this.server.validate = (type, token) =>
      this.proofs.find(type as 'http-01', (one) => one.token === token)?.keyAuthorization ?? null;
  }

  order(names: readonly string[], options: Partial<OrderOptions> = {}): OrderProcedure {
    return new OrderProcedure({
      crypto: nodeCrypto,
      clock: this.clock,
      limits: this.limits,
      identifiers: names.map((value) => ({ type: 'dns', value })),
      csr: Uint8Array.of(1, 2, 3),
      challenges: () => ['http-01'],
      responder: this.proofs,
      replaces: null,
      readChain: (bytes) => [bytes],
      ...options,
    });
  }

  /** What `procedure` comes to within `time`. */
  run(procedure: Procedure, time: Duration = seconds(3_600)): Failure | null | 'nothing' {
    let outcome: Failure | null | 'nothing' = 'nothing';
    let count = 0;
    runProcedure(this.session, procedure, this.server, this.timers, (failure) => {
      outcome = failure;
      count += 1;
    });
    const end = after(this.timers.now, time);
    while (count === 0) {
      const next = this.timers.nextDeadline();
      if (next > end || next === FOREVER) break;
      this.timers.run(next);
      this.session.checkInvariants();
    }
    assert.ok(count <= 1, 'told twice');
    return outcome;
  }

  /** It must succeed. */
  succeed(procedure: Procedure): void {
    const failure = this.run(procedure);
    assert.ok(failure !== 'nothing', 'no end');
    assert.ok(failure === null, failure === null ? '' : formatAcmeError(failure.error));
  }

  /** It must fail; the failure. */
  fail(procedure: Procedure): Failure {
    const failure = this.run(procedure);
    assert.ok(failure !== null && failure !== 'nothing', 'no failure');
    assert.equal(this.proofs.size, 0, 'no proof stays behind');
    return failure;
  }

  /** Requests of this beginning. */
  asked(what: string): number {
    return this.server.log.filter((line) => line.startsWith(what)).length;
  }
}

export const textOfBytes = (bytes: Uint8Array): string => hot.latin1(bytes, 0, bytes.length);
