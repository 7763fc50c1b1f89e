/** `morgana compose`: what its words and flags ask for. */

import { EXIT_OK, Failure, usageFailure } from '../failure.ts';
import type { CommandLine } from '../flags.ts';
import type { VERBS } from '../verbs.ts';
import { askProject } from './ask.ts';
import { DOWN_MILLIS_MAX } from './limits.ts';
import type { ProjectStatus } from './messages.ts';
import { lineFormat } from './output.ts';
import { findProject, type ProjectPlaces, projectNames } from './project-directory.ts';
import { psText } from './ps-text.ts';

type Line = CommandLine<typeof VERBS.compose.flags>;

const ASK_MILLIS_MAX = 10_000;
/** A build that runs, and the networks, come on top of the unikernels. */
const DOWN_ASK_MILLIS_MAX = DOWN_MILLIS_MAX + 40_000;

/** Which flags go with which word, beside --file and --project. */
const FLAGS = {
  up: ['detach'],
  down: [],
  ps: ['json'],
  logs: ['follow', 'tail'],
} as const;
type Word = keyof typeof FLAGS;

export async function composeVerb(line: Line): Promise<number> {
  const [word, ...names] = line.words;
  const { file, project, detach } = line.flags;
  if (word === undefined || !Object.hasOwn(FLAGS, word)) {
    const what = word === undefined ? 'compose needs a word' : `compose has no '${word}'`;
    throw usageFailure(what, `it is one of ${Object.keys(FLAGS).join(', ')}`);
  }
  checkFlags(line, word as Word);
  if (word !== 'logs' && names.length > 0) {
    throw usageFailure(`unexpected '${names[0]}'`, 'see "morgana compose --help"');
  }
  switch (word as Word) {
    case 'up':
      if (project !== null) throw usageFailure('up takes no --project', 'the file has its name');
      return (await import('./up.ts')).up(file, detach);
    case 'down':
      return down(await find(line));
    case 'ps':
      return ps(await find(line), line.flags.json);
    case 'logs':
      return logs(await find(line), names, line);
  }
}

function checkFlags({ flags }: Line, word: Word): void {
  const given = {
    detach: flags.detach,
    json: flags.json,
    follow: flags.follow,
    tail: flags.tail !== null,
  };
  for (const [name, isGiven] of Object.entries(given)) {
    if (!isGiven || FLAGS[word].some((flag) => flag === name)) continue;
    throw usageFailure(`--${name} does not go with compose ${word}`, 'leave it out');
  }
  if (flags.file !== null && flags.project !== null) {
    throw usageFailure('--file and --project both name a project', 'leave one out');
  }
}

/** The project that is meant, which must be up. */
async function find({ flags }: Line): Promise<ProjectPlaces> {
  const name = flags.project ?? (await nameIn(flags.file));
  const places = findProject(name);
  if (places !== null) return places;
  const others = projectNames();
  throw new Failure({
    what: `the project '${name}' is not up`,
    mend: others.length === 0 ? 'no project is' : `these are: ${others.join(', ')}`,
  });
}

/** Only who has no name waits for the bundler. */
async function nameIn(file: string | null): Promise<string> {
  const { loadCompose } = await import('./compose-file.ts');
  return (await loadCompose(file)).config.name;
}

async function down(places: ProjectPlaces): Promise<number> {
  await askProject(places, { ask: 'down' }, DOWN_ASK_MILLIS_MAX);
  process.stderr.write(`morgana: ${places.info.name} is down\n`);
  return EXIT_OK;
}

async function ps(places: ProjectPlaces, json: boolean): Promise<number> {
  const status = (await askProject(places, { ask: 'ps' }, ASK_MILLIS_MAX)) as ProjectStatus;
  const text = json ? `${JSON.stringify(status, null, 2)}\n` : psText(status, Date.now());
  process.stdout.write(text);
  return EXIT_OK;
}

async function logs(places: ProjectPlaces, names: readonly string[], line: Line): Promise<number> {
  const { follow, tail } = line.flags;
  const { stdout } = process;
  const status = (await askProject(places, { ask: 'ps' }, ASK_MILLIS_MAX)) as ProjectStatus;
  const order = status.unikernels.map(({ name }) => name);
  const format = lineFormat(order, stdout.isTTY === true);
  // Its reader has seen enough.
  stdout.on('error', () => process.exit(EXIT_OK));
  const ask = { ask: 'logs', names, tail, follow } as const;
  await askProject(places, ask, follow ? 0 : ASK_MILLIS_MAX, (one) => {
    stdout.write(format(one));
  });
  return EXIT_OK;
}
