/**
 * One connection of TLS, either role: records in, messages to the state machine, data out. Pure and
 * synchronous: time and entropy are the environment's, what it does comes out to EngineHandler.
 * Required reading: RFC 8446 §5 and §6, states.ts. Not here: the handshakes (machine.ts), the flow
 * below and how much may be queued (tls-connection.ts).
 */

import { assert } from '#core';
import type { TlsEnvironment } from './config.ts';
import { CHANGE_CIPHER_SPECS_MAX, RECORDS_PER_KEY_MAX, WARNINGS_MAX } from './limits.ts';
import type { Machine } from './machine.ts';
import { MessageReader } from './message-reader.ts';
import type { PlainQueue } from './plain-queue.ts';
import type { RecordProtection } from './record/protection.ts';
import { RecordReader } from './record/record-reader.ts';
import { RecordWriter } from './record/record-writer.ts';
import { type Refusal, refuse, refuseMalformed, type TlsError } from './refusal.ts';
import type { TlsSession } from './session.ts';
import { type Accepted, STATES, type StateName } from './states.ts';
import {
  ALERT_FATAL,
  ALERT_WARNING,
  type AlertName,
  alert,
  alertNameOf,
  parseAlert,
} from './wire/alert.ts';
import { handshakeType, handshakeTypeNameOf } from './wire/handshake.ts';
import { contentType } from './wire/record.ts';

/** Who is told what an engine does, in order. */
export interface EngineHandler {
  /** Records for the peer; the array is the handler's from now on and never changes. */
  sendRecords(records: Uint8Array): void;
  /** The handshake is complete: the peer is who it must be, data may be written. Once. */
  handshakeDone(session: TlsSession): void;
  /** Application data, borrowed for the call. */
  received(bytes: Uint8Array): void;
  /** The peer's close_notify: it sends no more, we still may (TLS 1.3). */
  peerClosed(): void;
  /** The end of it; our alert, if any, was sent before. Nothing is called after this. */
  failed(error: TlsError): void;
  /** Whether the peer takes what we send too slowly for answers that nobody needs. */
  readonly isCongested: boolean;
}

/** Once the flow is gone. */
const NOBODY: EngineHandler = {
  sendRecords() {},
  handshakeDone() {},
  received() {},
  peerClosed() {},
  failed() {},
  isCongested: true,
};

const CHANGE_CIPHER_SPEC = Uint8Array.of(1);
/** RFC 8446 §5.1: messages don't span a change of keys. */
const moreAfterKeys = (): Refusal =>
  refuse('unexpected_message', 'more in the record of a change of keys');

export class TlsEngine {
  readonly env: TlsEnvironment;
  readonly reader = new RecordReader();
  readonly writer = new RecordWriter();
  private handler: EngineHandler;
  private machine: Machine | null = null;
  private accepted: Accepted = STATES['client: server_hello'];
  private stateName: StateName = 'client: server_hello';
  private readonly messages: MessageReader;
  /** Handshake messages that leave as one run of records. */
  private flight: Uint8Array[] | null = null;
  private isDone = false;
  private isFailed = false;
  private isReadClosed = false;
  private isWriteClosed = false;
  /** Those that were dropped (RFC 8446 §5). */
  changeCipherSpecs = 0;
  private warnings = 0;
  /** Set by the machine: keys are renewed before the next data, or when the peer takes more. */
  isKeyUpdateDue = false;
  /** Post-handshake messages since the last data; the machine counts them. */
  postHandshakeMessages = 0;

  constructor(env: TlsEnvironment, handler: EngineHandler) {
    this.env = env;
    this.handler = handler;
    this.messages = new MessageReader();
  }

  get state(): StateName {
    return this.stateName;
  }

  /** Complete, and not over for us: `write` sends. */
  get isWritable(): boolean {
    return this.isDone && !this.isWriteClosed && !this.isFailed;
  }

  /** Nothing more will come out. */
  get isOver(): boolean {
    return this.isFailed || (this.isReadClosed && this.isWriteClosed);
  }

  // For state machines.

  /** From now on `machine` takes what `state` accepts; the one before keeps no secrets. */
  enter(state: StateName, machine: Machine): void {
    this.stateName = state;
    this.accepted = STATES[state];
    this.machine = machine;
  }

  /** Queues one handshake message; `flush` sends it with its neighbours. */
  sendMessage(message: Uint8Array): void {
    this.flight ??= [];
    this.flight.push(message);
  }

  /** Sends what is queued. Keys of the writer change only after it. */
  flush(): void {
    const { flight } = this;
    if (flight === null) return;
    this.flight = null;
    this.handler.sendRecords(this.writer.seal(contentType.handshake, joined(flight)));
  }

  /** Sends what is queued, then writes under another key. */
  setWriteProtection(protection: RecordProtection): void {
    this.flush();
    this.writer.setProtection(protection);
  }

  sendChangeCipherSpec(): void {
    this.flush();
    const { handler, writer } = this;
    handler.sendRecords(writer.seal(contentType.change_cipher_spec, CHANGE_CIPHER_SPEC));
  }

  /** The peer asks for another key of ours: now, or before the next data when it reads slowly. */
  answerKeyUpdate(): Refusal | null {
    if (this.isWriteClosed) return null;
    if (!this.handler.isCongested) return this.renewKey();
    this.isKeyUpdateDue = true;
    return null;
  }

  /** Sends an alert that ends nothing. */
  warn(name: AlertName): void {
    if (!this.isWriteClosed) this.sendAlert(ALERT_WARNING, alert[name]);
  }

  /** The last step of every handshake. */
  complete(session: TlsSession): void {
    assert(!this.isDone);
    this.flush();
    this.isDone = true;
    this.handler.handshakeDone(session);
  }

  // For the connection.

  /** Takes all of `bytes`, borrowed. What comes while the reader is stopped is held. */
  receive(bytes: Uint8Array): void {
    if (this.isFailed || this.isReadClosed) return;
    this.settle(this.reader.receive(bytes, this));
  }

  /** Undoes the reader's stop: what is held comes out within the call. */
  resume(): void {
    if (this.isFailed || this.isReadClosed) return;
    this.settle(this.reader.resume(this));
  }

  /** The peer's FIN: truncation, unless its close_notify came before. */
  receiveEnd(): void {
    if (this.isFailed || this.isReadClosed) return;
    this.over({ kind: 'truncated' });
  }

  /** Sends the next `count` bytes of `queue` as application data. */
  writeQueued(queue: PlainQueue, count: number): void {
    assert(this.isWritable);
    const { writer } = this;
    if (this.isKeyUpdateDue || writer.records >= RECORDS_PER_KEY_MAX) {
      const refusal = this.renewKey();
      if (refusal !== null) {
        this.fail(refusal);
        return;
      }
    }
    this.handler.sendRecords(writer.sealQueued(contentType.application_data, queue, count));
  }

  /** Sends close_notify: we write no more, and still read (RFC 8446 §6.1). */
  close(): void {
    if (this.isWriteClosed || this.isFailed) return;
    this.isWriteClosed = true;
    this.flush();
    this.sendAlert(ALERT_WARNING, alert.close_notify);
    this.releaseIfOver();
  }

  /** Ends it with an alert that says why. */
  fail(refusal: Refusal): void {
    if (this.isFailed) return;
    this.flight = null;
    if (!this.isWriteClosed) this.sendAlert(ALERT_FATAL, alert[refusal.alert]);
    this.over(refusal);
  }

  /** The flow is gone: wipes everything, tells nobody, and forgets whom it could tell. */
  destroy(): void {
    this.handler = NOBODY;
    this.isFailed = true;
    this.isReadClosed = true;
    this.isWriteClosed = true;
    this.release();
  }

  checkInvariants(): void {
    this.reader.checkInvariants();
    this.messages.checkInvariants();
    assert(this.machine !== null || this.isOver);
    assert(this.isDone || !this.accepted.data);
    assert(this.flight === null || this.flight.length > 0);
  }

  // For the reader.

  record(type: number, bytes: Uint8Array, at: number, end: number): Refusal | null {
    if (type === contentType.application_data && this.accepted.data && !this.messages.isInside) {
      // A record of nothing is no data: it mustn't let the peer begin to count anew.
      if (end === at) return null;
      this.postHandshakeMessages = 0;
      this.handler.received(bytes.subarray(at, end));
      return null;
    }
    return this.rareRecord(type, bytes, at, end);
  }

  private rareRecord(type: number, bytes: Uint8Array, at: number, end: number): Refusal | null {
    if (type === contentType.alert) return this.receiveAlert(bytes.subarray(at, end));
    if (type === contentType.handshake) return this.receiveHandshake(bytes, at, end);
    // RFC 8446 §5.1: nothing stands between the pieces of a message.
    if (this.messages.isInside) return refuse('unexpected_message', 'a message is interrupted');
    if (type === contentType.change_cipher_spec) {
      return this.receiveChangeCipherSpec(bytes.subarray(at, end));
    }
    return refuse('unexpected_message', `data while waiting for ${this.stateName}`);
  }

  private receiveHandshake(bytes: Uint8Array, from: number, end: number): Refusal | null {
    const { messages, reader } = this;
    let at = from;
    while (at < end && !this.isFailed) {
      at = messages.take(bytes, at, end);
      const type = messages.type;
      if (type < 0) return null;
      const refusal = this.checkMessage(type);
      if (refusal !== null) return refusal;
      const { message } = messages;
      if (message === null) {
        if (messages.isTooLong) return refuse('decode_error', 'a handshake message is too long');
        if (messages.isCrowded) return refuse('internal_error', 'no room for long messages');
        return null;
      }
      messages.next();
      const { keys } = reader;
      const isMore = at < end;
      // Before anybody is told that the handshake is complete.
      if (isMore && type === handshakeType.finished) return moreAfterKeys();
      const wrong = this.machine!.message(type, message);
      if (wrong !== null) return wrong;
      if (isMore && reader.keys !== keys) return moreAfterKeys();
    }
    return null;
  }

  /** As soon as the type is known: what isn't accepted isn't gathered. */
  private checkMessage(type: number): Refusal | null {
    const name = handshakeTypeNameOf(type);
    if (name !== null && this.accepted.messages.includes(name)) return null;
    const what = name ?? `message ${type}`;
    return refuse('unexpected_message', `${what} while waiting for ${this.stateName}`);
  }

  private receiveChangeCipherSpec(content: Uint8Array): Refusal | null {
    const { changeCipherSpec } = this.accepted;
    if (changeCipherSpec === 'refused' || content.length !== 1 || content[0] !== 1) {
      return refuse('unexpected_message', `change_cipher_spec in ${this.stateName}`);
    }
    if (changeCipherSpec === 'next') return this.machine!.changeCipherSpec();
    const role = this.stateName.startsWith('client') ? 'client' : 'server';
    if (++this.changeCipherSpecs <= CHANGE_CIPHER_SPECS_MAX[role]) return null;
    return refuse('unexpected_message', 'too many change_cipher_spec');
  }

  /** RFC 8446 §6: what isn't a closure alert is the end, whatever its level says. */
  private receiveAlert(content: Uint8Array): Refusal | null {
    const parsed = parseAlert(content);
    if (!parsed.ok) return refuseMalformed(parsed.error, 'alert');
    const { level, description } = parsed.value;
    const name = alertNameOf(description);
    if (name === 'close_notify' && this.isDone) {
      this.isReadClosed = true;
      this.reader.close();
      this.handler.peerClosed();
      this.releaseIfOver();
      return null;
    }
    const isWarning = name === 'user_canceled' || this.isWarningOf12(level, description);
    if (!isWarning) {
      this.over({ kind: 'alert received', alert: name });
      return null;
    }
    if (++this.warnings <= WARNINGS_MAX) return null;
    return refuse('unexpected_message', 'too many warnings');
  }

  /**
   * RFC 5246 §7.2.2: a warning may be ignored (unrecognized_name comes before a ServerHello, RFC
   * 6066 §3). Only closure alerts are ones in TLS 1.3.
   */
  private isWarningOf12(level: number, description: number): boolean {
    if (level !== ALERT_WARNING || description === alert.close_notify) return false;
    return this.stateName.includes('1.2') || this.stateName === 'client: server_hello';
  }

  private settle(refusal: Refusal | null): void {
    if (refusal !== null) this.fail(refusal);
    if (this.isFailed) return;
    this.flush();
    if (this.isKeyUpdateDue && !this.isWriteClosed && !this.handler.isCongested) {
      const wrong = this.renewKey();
      if (wrong !== null) this.fail(wrong);
    }
  }

  private renewKey(): Refusal | null {
    this.isKeyUpdateDue = false;
    return this.machine!.renewKey();
  }

  private sendAlert(level: number, description: number): void {
    const { handler, writer } = this;
    handler.sendRecords(writer.seal(contentType.alert, Uint8Array.of(level, description)));
  }

  private over(error: TlsError): void {
    this.isFailed = true;
    this.machine?.destroy(true);
    this.machine = null;
    this.release();
    this.handler.failed(error);
  }

  private releaseIfOver(): void {
    if (this.isOver) this.release();
  }

  private release(): void {
    this.reader.close();
    this.writer.setProtection(null);
    this.messages.clear();
    this.machine?.destroy(false);
    this.machine = null;
    this.flight = null;
  }
}

function joined(arrays: readonly Uint8Array[]): Uint8Array {
  if (arrays.length === 1) return arrays[0]!;
  const out = new Uint8Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const array of arrays) {
    out.set(array, at);
    at += array.length;
  }
  return out;
}
