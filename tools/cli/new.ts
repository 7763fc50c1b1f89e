/** `morgana new`: a small application to start from. */

import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { nameOf } from './app.ts';
import { EXIT_OK, Failure, usageFailure } from './failure.ts';
import type { CommandLine } from './flags.ts';
import { shown } from './places.ts';
import { templateFiles } from './templates.ts';
import type { VERBS } from './verbs.ts';

export function newVerb(line: CommandLine<typeof VERBS.new.flags>): number {
  const [word] = line.words;
  if (word === undefined) throw usageFailure('new needs a directory', 'see "morgana new --help"');
  const directory = path.resolve(word);
  const stat = statSync(directory, { throwIfNoEntry: false });
  if (stat !== undefined && !stat.isDirectory()) {
    throw new Failure({ what: `${shown(directory)} is a file`, mend: 'name another directory' });
  }
  if (stat !== undefined && readdirSync(directory).length > 0) {
    throw new Failure({ what: `${shown(directory)} is not empty`, mend: 'name another directory' });
  }
  const { files, app } = templateFiles(line.flags.template, nameOf(directory));
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(directory, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  const where = shown(path.join(directory, app));
  process.stdout.write(`${Object.keys(files)
    .map((name) => `  ${name}\n`)
    .join('')}
Run it here:          npx morgana dev ${where}
Boot it as a machine: npx morgana run ${where} --publish=8080:80
`);
  return EXIT_OK;
}
