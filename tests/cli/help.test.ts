import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { HELP, VERB_HELP } from '../../tools/cli/help.ts';
import { VERBS, type Verb } from '../../tools/cli/verbs.ts';
import { root, Workspace } from './cli.ts';

const verbs = Object.keys(VERBS) as Verb[];

test('the overview names every verb', () => {
  for (const verb of verbs) assert.match(HELP, new RegExp(`^ {2}morgana ${verb}\\b`, 'm'));
});

for (const verb of verbs) {
  test(`${verb} › the help has every flag of the table and no other`, () => {
    const text = VERB_HELP[verb];
    const named = new Set([...text.matchAll(/^ {2}--([a-z-]+)/gm)].map((found) => found[1]));
    assert.deepEqual([...named].sort(), Object.keys(VERBS[verb].flags).sort());
    const usage = text.slice(0, text.indexOf('\n\n'));
    assert.equal(/\[-- (boot-time|VALUE)/.test(usage), VERBS[verb].rest);
  });

  test(`${verb} › the help fits a terminal and names defaults`, () => {
    const lines = VERB_HELP[verb].split('\n');
    for (const line of lines) assert.ok(line.length <= 100, line);
    for (const [name, flag] of Object.entries(VERBS[verb].flags)) {
      const line = lines.find((text) => text.startsWith(`  --${name}`))!;
      if (typeof flag.absent === 'number') assert.ok(line.includes(`default ${flag.absent}`), line);
    }
  });
}

test('the overview › snapshot', (t) => t.assert.snapshot(HELP));
for (const verb of verbs) {
  test(`${verb} › snapshot of the help`, (t) => t.assert.snapshot(VERB_HELP[verb]));
}

test('--version › the package’s', async () => {
  const work = new Workspace();
  const { code, stdout } = await work.run(['--version']);
  work.remove();
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  assert.deepEqual({ code, stdout }, { code: 0, stdout: `morgana ${version}\n` });
});
