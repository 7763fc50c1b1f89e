/** What the two sides of a sync say to each other. */

import { err, hot, ok } from '#core';
import { formatSyncMessage, parseSyncMessage, type SyncMessage } from '#store/sync';
import { type WireCase, wireCase } from './wire-case.ts';

const MESSAGES: readonly SyncMessage[] = [
  { say: 'hello', protocol: 1, hash: 'SHA-1', schema: 'notes 3' },
  { say: 'refused', why: 'schema notes 2: this server has notes 3' },
  { say: 'ask', what: 'call', service: 'git-receive-pack', version: 0 },
  { say: 'end' },
  { say: 'moved' },
];

/** Numbers that JSON can't keep (-0) become others. */
export const syncCases: readonly WireCase[] = [
  wireCase<string>({
    name: 'sync message',
    parse(b) {
      const text = hot.utf8Decode(b, 0, b.length, true);
      const said = text === null ? null : parseSyncMessage(text);
      return said === null
        ? err({ kind: 'field', offset: 0, value: b[0] ?? 0 })
        : ok(formatSyncMessage(said));
    },
    emit(to, repr) {
      const bytes = hot.utf8Encode(repr);
      to.set(bytes);
      return bytes.length;
    },
    seeds: () => MESSAGES.map((message) => hot.utf8Encode(formatSyncMessage(message))),
  }),
];
