/** `morgana describe`: shows a Description, or the difference of two. */

import { existsSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { detectApp } from './app.ts';
import { buildApp } from './build.ts';
import { formatDot } from './describe-dot.ts';
import { formatHtml } from './describe-html.ts';
import { diffDescriptions, formatDiff, formatText } from './describe-text.ts';
import { type Description, readDescription } from './description.ts';
import { EXIT_OK, usageFailure } from './failure.ts';
import type { CommandLine } from './flags.ts';
import { loadApp } from './load.ts';
import { shown } from './places.ts';
import { platformOf, type VERBS } from './verbs.ts';

type Line = CommandLine<typeof VERBS.describe.flags>;

const SEE = 'see "morgana describe --help"';

export async function describeVerb(line: Line): Promise<number> {
  const { json, dot, html, diff } = line.flags;
  if (Number(json) + Number(dot) + Number(html !== null) > 1) {
    throw usageFailure('only one of --json, --dot and --html can be given', SEE);
  }
  if (diff) return describeDiff(line);
  if (line.words.length > 1) throw usageFailure('two applications are compared with --diff', SEE);
  const description = await describe(line.words[0] ?? '.', line);
  if (html !== null) {
    writeFileSync(html, formatHtml(description));
    process.stdout.write(`${shown(path.resolve(html))}\n`);
  } else if (json) {
    process.stdout.write(`${JSON.stringify(description, null, 2)}\n`);
  } else {
    process.stdout.write(dot ? formatDot(description) : formatText(description));
  }
  return EXIT_OK;
}

async function describeDiff(line: Line): Promise<number> {
  const [a, b] = line.words;
  if (a === undefined || b === undefined || line.flags.dot || line.flags.html !== null) {
    throw usageFailure('--diff takes two applications, images or JSON files, and --json', SEE);
  }
  const difference = diffDescriptions(await describe(a, line), await describe(b, line));
  const text = line.flags.json ? JSON.stringify(difference, null, 2) : formatDiff(difference);
  process.stdout.write(`${text}\n`);
  return EXIT_OK;
}

async function describe(word: string, { flags }: Line): Promise<Description> {
  const file = path.resolve(word);
  if (word.endsWith('.json') && existsSync(file) && statSync(file).isFile()) {
    return readDescription(file);
  }
  const found = detectApp(word);
  if (found.kind === 'image') return readDescription(found.image);
  const app = await loadApp(found, flags);
  return (await buildApp(app, platformOf(flags.target, flags.net))).description;
}
