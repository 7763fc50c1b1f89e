/**
 * The control protocol: single messages, a client's stream of them in any pieces, and the answers
 * that tools make something of.
 */

import { err, hot, ok } from '#core';
import {
  emitJson,
  emitPiece,
  LENGTH_BYTES,
  LengthReader,
  parseControlMessage,
  requestOf,
} from '#inspect/wire';
import { parseProfile, parseSnapshot } from '../../tools/cli/inspect-check.ts';
import { snapshotLines } from '../../tools/cli/inspect-text.ts';
import { byFunction, cpuprofileJson, speedscopeJson } from '../../tools/cli/profile-files.ts';
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

const STACK = {
  mac: '52:54:00:12:34:56',
  addresses: [{ address: '10.0.2.15', prefixBits: 24, origin: 'dhcp', validSeconds: null }],
  routes: [{ prefix: '0.0.0.0/0', gateway: null, metric: 1 }],
  neighbors: [
    { address: '10.0.2.2', mac: null, state: 'asking', confirmedSecondsAgo: 3, waitingPackets: 0 },
  ],
  lease: { state: 'bound', address: null, server: null, renewSeconds: 1 },
  connections: { count: 1, list: [{ local: 'a', remote: 'b', state: 'c', rttMicros: 9 }] },
  memory: { usedBytes: 1, bytesMax: 2, accounts: { a: { usedBytes: 1, bytesMax: 1, refused: 0 } } },
  counters: { dropped: 1, udpNoPort: 3 },
};

const SNAPSHOT = {
  version: 1,
  name: 'a',
  target: 'pvh',
  uptimeMicros: 1,
  wallMillis: 1,
  memoryBytes: 1,
  timers: { count: 1, nextMicros: null },
  logLevels: { '*': 'info' },
  heap: { totalBytes: 2, usedBytes: 1, kinds: { a: { bytes: 1, count: 1 } } },
  stacks: { stack: STACK, none: null },
  program: { router: { nat: { sessions: [1, 'a', null] } } },
};

const NODE = { kind: 'script', name: 'f', file: 'a.ts', line: 1, column: 1, samples: 2 };
const PROFILE = {
  hz: 100,
  micros: 10,
  samples: 6,
  idle: 2,
  lost: 0,
  nodes: [
    { ...NODE, parent: -1 },
    { ...NODE, parent: 0, kind: 'native' },
  ],
};

/** An answer of a unikernel's: what passes the check can be shown and written. */
function answerCase<T>(
  name: string,
  check: (value: unknown) => T | null,
  show: (value: T) => unknown,
  seed: unknown,
): WireCase {
  return wireCase<string>({
    name,
    parse(b) {
      let value: unknown = null;
      try {
        value = JSON.parse(hot.utf8Decode(b, 0, b.length, false) ?? '');
      } catch {}
      const checked = check(value);
      if (checked === null) return err({ kind: 'field', offset: 0, value: b[0] ?? 0 });
      show(checked);
      return ok(JSON.stringify(checked));
    },
    emit(to, json) {
      const bytes = hot.utf8Encode(json);
      to.set(bytes);
      return bytes.length;
    },
    seeds: () => [hot.utf8Encode(JSON.stringify(seed))],
  });
}

const snapshot = answerCase(
  "a unikernel's snapshot",
  parseSnapshot,
  (value) => snapshotLines(value, value, { connectionsMax: 10, columns: 80 }),
  SNAPSHOT,
);

const profile = answerCase(
  "a unikernel's profile",
  (value) => parseProfile(value, 1),
  (value) => [
    cpuprofileJson(value),
    speedscopeJson(
      '',
      byFunction(value, () => null),
    ),
  ],
  PROFILE,
);

export const inspectCases: readonly WireCase[] = [message, stream, snapshot, profile];
