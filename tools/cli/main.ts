#!/usr/bin/env node
/** `morgana`: reads the command line and runs a verb. Exit codes: failure.ts. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { asFailure, EXIT_OK, usageFailure } from './failure.ts';
import { type CommandLine, type FlagTable, parseCommandLine } from './flags.ts';
import { HELP, VERB_HELP } from './help.ts';
import { packageRoot } from './places.ts';
import { isVerb, VERBS, type Verb } from './verbs.ts';

/** The command line of one verb, or a Failure with exit code 1. */
function read<const S extends FlagTable>(
  verb: Verb,
  argv: readonly string[],
  spec: { readonly flags: S; readonly wordsMax: number; readonly rest: boolean },
): CommandLine<S> {
  const parsed = parseCommandLine(argv, spec.flags, spec.wordsMax);
  if (!parsed.ok) throw usageFailure(parsed.error, `see "morgana ${verb} --help"`);
  if (parsed.value.rest !== null && !spec.rest) {
    throw usageFailure(`${verb} takes nothing after '--'`, `see "morgana ${verb} --help"`);
  }
  return parsed.value;
}

/** Each verb's module is loaded when it is asked for: `--help` shouldn't wait for a bundler. */
async function runVerb(verb: Verb, argv: readonly string[]): Promise<number> {
  switch (verb) {
    case 'new': {
      const line = read(verb, argv, VERBS.new);
      return (await import('./new.ts')).newVerb(line);
    }
    case 'dev': {
      const line = read(verb, argv, VERBS.dev);
      return (await import('./dev.ts')).devVerb(line);
    }
    case 'build': {
      const line = read(verb, argv, VERBS.build);
      return (await import('./build.ts')).buildVerb(line);
    }
    case 'run': {
      const line = read(verb, argv, VERBS.run);
      return (await import('./run.ts')).runVerb(line);
    }
    case 'compose': {
      const line = read(verb, argv, VERBS.compose);
      return (await import('./compose/compose.ts')).composeVerb(line);
    }
    case 'inspect': {
      const line = read(verb, argv, VERBS.inspect);
      return (await import('./inspect.ts')).inspectVerb(line);
    }
    case 'switch': {
      const line = read(verb, argv, VERBS.switch);
      return (await import('./network/switch-verb.ts')).switchVerb(line);
    }
    case 'store': {
      const line = read(verb, argv, VERBS.store);
      return (await import('./store/store.ts')).storeVerb(line);
    }
    case 'cert': {
      const line = read(verb, argv, VERBS.cert);
      return (await import('./cert/cert.ts')).certVerb(line);
    }
    case 'describe': {
      const line = read(verb, argv, VERBS.describe);
      return (await import('./describe.ts')).describeVerb(line);
    }
  }
}

async function main(argv: readonly string[]): Promise<number> {
  const [word, ...rest] = argv;
  if (word === undefined || word === '--help' || word === 'help') {
    process.stdout.write(HELP);
    return word === undefined ? 1 : EXIT_OK;
  }
  if (word === '--version') {
    const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
    process.stdout.write(`morgana ${version}\n`);
    return EXIT_OK;
  }
  if (!isVerb(word)) throw usageFailure(`there is no verb '${word}'`, 'see "morgana --help"');
  const own = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest;
  if (own.includes('--help')) {
    process.stdout.write(VERB_HELP[word]);
    return EXIT_OK;
  }
  return runVerb(word, rest);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const failure = asFailure(error);
  if (failure === null) throw error;
  for (const line of failure.detail) process.stderr.write(`${line}\n`);
  process.stderr.write(`error: ${failure.message}\n`);
  process.exitCode = failure.exitCode;
}
