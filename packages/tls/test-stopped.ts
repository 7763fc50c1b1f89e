/**
 * An end of TLS that is brought into a state and kept there, so that anything may be said to it as
 * if its peer had: under the peer's keys, as the next record. The peer is our own other end, whose
 * keys and records are held back here.
 */

import { assert } from '#core';
import type { RecordProtection } from './record/protection.ts';
import type { StateName } from './states.ts';
import { quickCrypto } from './test-quick-crypto.ts';
import {
  deliver,
  makeEnvironment,
  type PairOptions,
  type TestEnd,
  TestPair,
} from './test-session.ts';
import { recordOf, splitRecords } from './test-tamper.ts';
import { RECORD_HEADER_BYTES, recordType } from './wire/record.ts';

export class StoppedEnd {
  readonly target: TestEnd;
  private readonly peer: TestEnd;
  /** The peer's keys for writing, in the order in which they were used; kept from wiping. */
  private readonly protections: RecordProtection[] = [];
  private readonly waiting: Uint8Array[] = [];
  private opened = 0;
  private keys = 0;

  /** Runs until `role` is in `state`. */
  constructor(role: 'client' | 'server', options: PairOptions, state: StateName) {
    const pair = new TestPair({ env: makeEnvironment(quickCrypto), ...options });
    this.target = pair[role];
    this.peer = role === 'client' ? pair.server : pair.client;
    this.watch(this.peer);
    for (let step = 0; this.target.engine.state !== state; step++) {
      assert(step < 60 && this.target.failure === null, `${state} is never reached`);
      this.step();
    }
    this.listen();
  }

  /** The peer's next record, when there is one. */
  step(): void {
    this.listen();
    const record = this.waiting.shift();
    if (record !== undefined) this.give(record);
  }

  /** Says `content` as the peer's next record; `isPlain`: without protection. */
  say(type: number, content: Uint8Array, isPlain = false): void {
    const protection = this.keys === 0 || isPlain ? null : this.protections[this.keys - 1]!;
    if (protection === null) {
      this.give(recordOf(type, content));
      return;
    }
    const contentAt = RECORD_HEADER_BYTES + protection.prefixBytes;
    const record = new Uint8Array(contentAt + content.length + protection.suffixBytes);
    record.set(content, contentAt);
    (protection as { records: number }).records = this.opened;
    protection.seal(record, 0, type, content.length, 0);
    this.give(record);
  }

  private give(record: Uint8Array): void {
    const { reader } = this.target.engine;
    const before = this.keys;
    const protection = before === 0 ? null : this.protections[before - 1]!;
    // A change_cipher_spec of TLS 1.3 isn't protected, and not counted.
    const isCounted = !protection?.hasInnerType || recordType(record, 0) === 23;
    deliver(this.target, record);
    this.keys = reader.keys;
    if (this.keys !== before) this.opened = 0;
    else if (isCounted) this.opened++;
  }

  /** The peer hears at once what the target says. */
  private listen(): void {
    deliver(this.peer, this.target.takeSent());
    this.waiting.push(...splitRecords(this.peer.takeSent()));
  }

  /** Each message of the peer's gets a record of its own, and its keys are kept. */
  private watch({ engine }: TestEnd): void {
    const { setWriteProtection } = engine;
    engine.setWriteProtection = (protection) => {
      // Used again here when the peer is done with it.
      protection.destroy = () => {};
      this.protections.push(protection);
      setWriteProtection.call(engine, protection);
    };
    const { sendMessage } = engine;
    engine.sendMessage = (message) => {
      sendMessage.call(engine, message);
      engine.flush();
    };
  }
}
