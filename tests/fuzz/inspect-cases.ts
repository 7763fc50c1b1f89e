/** The control protocol: single messages, and a client's stream of them in any pieces. */

import { err, hot, ok } from '#core';
import {
  emitJson,
  emitPiece,
  LENGTH_BYTES,
  LengthReader,
  parseControlMessage,
  requestOf,
} from '#inspect/wire';
import { type WireCase, wireCase } from './wire-case.ts';

type Message = { readonly json: string } | { readonly id: number; readonly bytes: Uint8Array };

/** Numbers that JSON can't keep (-0) have become others. */
const message = wireCase<Message>({
  name: 'control message',
  parse(b) {
    const parsed = parseControlMessage(b);
    if (!parsed.ok) return parsed;
    if (parsed.value.kind === 'piece') {
      return ok({ id: parsed.value.id, bytes: parsed.value.bytes.slice() });
    }
    requestOf(parsed.value.value);
    return ok({ json: JSON.stringify(parsed.value.value) });
  },
  emit(to, repr) {
    const whole = 'json' in repr ? emitJson(JSON.parse(repr.json)) : emitPiece(repr.id, repr.bytes);
    to.set(whole.subarray(LENGTH_BYTES));
    return whole.length - LENGTH_BYTES;
  },
  seeds: (random) => [
    emitJson({ id: random.below(1_000), ask: 'snapshot', connections: 10 }).slice(LENGTH_BYTES),
    emitJson({ id: 1, value: { text: 'räksmörgås \u{1f990}', list: [1, null, -0] } }).slice(4),
    emitPiece(random.below(1_000), Uint8Array.of(1, 2, 3)).slice(LENGTH_BYTES),
  ],
});

const stream = wireCase<readonly Uint8Array[]>({
  name: 'stream of control messages',
  parse(b) {
    const messages: Uint8Array[] = [];
    const reader = new LengthReader(1, 256, (bytes) => void messages.push(bytes.slice()));
    const piece = 1 + (b[3] ?? 0);
    for (let at = 0; at < b.length; at += piece) {
      const isSound = reader.push(b.slice(at, at + piece));
      reader.checkInvariants();
      if (!isSound) return err({ kind: 'field', offset: at, value: b[at]! });
    }
    return ok(messages);
  },
  emit(to, messages) {
    let at = 0;
    for (const bytes of messages) {
      hot.copy(to, at, Uint8Array.of(0, 0, bytes.length >> 8, bytes.length), 0, LENGTH_BYTES);
      hot.copy(to, at + LENGTH_BYTES, bytes, 0, bytes.length);
      at += LENGTH_BYTES + bytes.length;
    }
    return at;
  },
  seeds: (random) => {
    const bytes = new Uint8Array(random.below(200));
    const json = emitJson({ id: 1, ask: 'log', levels: 'debug' });
    return [Uint8Array.from([...json, ...emitPiece(2, bytes), ...json])];
  },
});

export const inspectCases: readonly WireCase[] = [message, stream];
