/** Somebody between both ends who changes handshake messages while they aren't encrypted. */

import type { Result } from '#core';
import { deliver, type TestPair } from './test-session.ts';
import type { TlsFault } from './wire/alert.ts';
import type { ByteWriter } from './wire/byte-writer.ts';
import { HANDSHAKE_HEADER_BYTES, handshakeBodyBytes, handshakeMessage } from './wire/handshake.ts';
import {
  contentType,
  PLAINTEXT_BYTES_MAX,
  RECORD_HEADER_BYTES,
  recordLengthBytes,
  recordType,
  writeRecordHeader,
} from './wire/record.ts';

/** What becomes of one message: others in its place, or none. */
export type Tamper = (message: Uint8Array) => readonly Uint8Array[];

export function recordOf(type: number, content: Uint8Array, version = 0x0303): Uint8Array {
  const record = new Uint8Array(RECORD_HEADER_BYTES + content.length);
  writeRecordHeader(record, 0, type, version, content.length);
  record.set(content, RECORD_HEADER_BYTES);
  return record;
}

export function splitRecords(bytes: Uint8Array): Uint8Array[] {
  const records: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + RECORD_HEADER_BYTES + recordLengthBytes(bytes, at);
    records.push(bytes.slice(at, end));
    at = end;
  }
  return records;
}

export function splitMessages(content: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let at = 0; at < content.length; ) {
    const end = at + HANDSHAKE_HEADER_BYTES + handshakeBodyBytes(content, at);
    messages.push(content.slice(at, end));
    at = end;
  }
  return messages;
}

/** One way's records: handshake messages up to the change of keys go through `tamper`. */
function tampered(bytes: Uint8Array, isOpen: { value: boolean }, tamper: Tamper): Uint8Array {
  const out: Uint8Array[] = [];
  for (const record of splitRecords(bytes)) {
    if (recordType(record, 0) === contentType.change_cipher_spec) isOpen.value = false;
    if (recordType(record, 0) !== contentType.handshake || !isOpen.value) {
      out.push(record);
      continue;
    }
    const messages = splitMessages(record.subarray(RECORD_HEADER_BYTES)).flatMap(tamper);
    const content = Buffer.concat(messages);
    for (let at = 0; at < content.length; at += PLAINTEXT_BYTES_MAX) {
      const piece = content.subarray(at, at + PLAINTEXT_BYTES_MAX);
      out.push(recordOf(contentType.handshake, piece));
    }
  }
  return new Uint8Array(Buffer.concat(out));
}

/** As `pair.run`, with somebody between. */
export function runTampered(
  pair: TestPair,
  { toServer, toClient }: { readonly toServer?: Tamper; readonly toClient?: Tamper },
): TestPair {
  const same: Tamper = (message) => [message];
  const isOpen = { server: { value: true }, client: { value: true } };
  for (let round = 0; round < 20; round++) {
    const up = pair.client.takeSent();
    const down = pair.server.takeSent();
    if (up.length === 0 && down.length === 0) break;
    deliver(pair.server, tampered(up, isOpen.server, toServer ?? same));
    deliver(pair.client, tampered(down, isOpen.client, toClient ?? same));
  }
  return pair;
}

/** Changes what a message of `type` says. */
export const changing =
  <R>(
    type: number,
    parse: (body: Uint8Array) => Result<R, TlsFault>,
    emit: (to: ByteWriter, repr: R) => void,
    change: (repr: R) => R,
  ): Tamper =>
  (message) => {
    if (message[0] !== type) return [message];
    const parsed = parse(message.subarray(HANDSHAKE_HEADER_BYTES));
    if (!parsed.ok) throw new Error(`message ${type} cannot be read`);
    return [handshakeMessage(type, emit, change(parsed.value))];
  };
