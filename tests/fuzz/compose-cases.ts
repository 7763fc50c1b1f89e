/** What the supervisor of `morgana compose` reads on its control socket. */

import { err, hot, ok } from '#core';
import { type ComposeAsk, parseComposeAsk } from '../../tools/cli/compose/messages.ts';
import { type WireCase, wireCase } from './wire-case.ts';

const composeAsk = wireCase<ComposeAsk>({
  name: "a question on a project's control socket",
  parse(b) {
    const ask = parseComposeAsk(hot.latin1(b, 0, b.length));
    return ask.ok ? ok(ask.value) : err({ kind: 'field', offset: 0, value: b[0] ?? 0 });
  },
  emit: (to, ask) => hot.writeLatin1(to, 0, JSON.stringify(ask)),
  seeds: () =>
    [
      { ask: 'ps' },
      { ask: 'logs', names: ['web', 'db'], tail: 10, follow: true },
      { ask: 'logs', names: [], tail: null, follow: false },
    ].map((ask) => hot.utf8Encode(JSON.stringify(ask))),
});

export const composeCases: readonly WireCase[] = [composeAsk];
