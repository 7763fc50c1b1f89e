/** What the words of `morgana store` say: text for people, JSON for programs. */

import { decodeText, formatSignature } from '#git/wire';
import {
  type AbsentError,
  type Commit,
  formatStoreError,
  type StoreError,
  type TreeChange,
} from '#store';
import { Failure } from '../failure.ts';
import { shown } from '../places.ts';
import { printable, printableJson } from '../printable.ts';
import type { OpenStore } from './open.ts';
import { pathText } from './path-text.ts';

/** Where answers go: stdout, or a test. */
export class Answers {
  readonly #write: (bytes: string | Uint8Array) => void;
  /** For a person at the terminal, beside what is answered. */
  readonly note: (text: string) => void;

  constructor(
    write: (bytes: string | Uint8Array) => void,
    note: (text: string) => void = (text) => void process.stderr.write(text),
  ) {
    this.#write = write;
    this.note = note;
  }

  text(text: string): void {
    this.#write(text);
  }

  /** Contents, as they are. */
  bytes(bytes: Uint8Array): void {
    this.#write(bytes);
  }

  json(value: unknown): void {
    this.#write(`${printableJson(value)}\n`);
  }

  /** One value a line, for what goes on. */
  jsonLine(value: unknown): void {
    this.#write(`${printableJson(value).replace(/\n */g, '')}\n`);
  }
}

export const stdoutAnswers = new Answers((bytes) => void process.stdout.write(bytes));

/** A path or a name, with nothing in it that a terminal would obey. */
export const safe = (text: string): string => printable(text);

const MENDS: Readonly<Partial<Record<(StoreError | AbsentError)['kind'], string>>> = {
  absent: 'see "morgana store list"',
  'bad path': 'name one as a/b/c',
  conflict: 'set what it should be on one side, and merge again',
  'too many retries': 'try again',
  'not a fast-forward': 'merge it',
  'no head': 'set something first, or name another branch with --branch=NAME',
  dangling: 'run "morgana store check"',
  malformed: 'run "morgana store check"',
};

type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: StoreError | AbsentError };

/** The value; a failure in words for a person. */
export function must<T>(opened: Pick<OpenStore, 'root' | 'branch'>, outcome: Outcome<T>): T {
  if (outcome.ok) return outcome.value;
  const { error } = outcome;
  throw new Failure({
    what: safe(formatStoreError(error)),
    where: `branch ${safe(opened.branch)} of ${shown(opened.root)}`,
    mend: MENDS[error.kind] ?? '',
    detail: error.kind === 'conflict' ? conflictLines(error) : [],
  });
}

function conflictLines({ conflicts }: Extract<StoreError, { kind: 'conflict' }>): string[] {
  return conflicts.map(({ path, reason }) => `conflict: ${pathText(path)}: ${reason.message}`);
}

/** Contents for programs: as text where they are that. */
export function jsonContents(bytes: Uint8Array): { text: string } | { base64: string } {
  const text = decodeText(bytes, 0, bytes.length);
  return text.isWellFormed() ? { text } : { base64: Buffer.from(bytes).toString('base64') };
}

/** Modes the way Git writes them. */
export const modeText = (mode: number): string => mode.toString(8).padStart(6, '0');

/** What stands at a path; null: nothing. */
export const jsonSide = (side: TreeChange['before']) =>
  side === null ? null : { mode: modeText(side.mode), id: side.id };

export const shortId = (id: string): string => id.slice(0, 10);

const dateOf = (seconds: number): string =>
  Number.isFinite(seconds * 1_000) && seconds < 8.64e12
    ? new Date(seconds * 1_000).toISOString()
    : '';

export function jsonCommit({ id, tree, parents, author, committer, message }: Commit) {
  const who = ({ name, email, seconds }: typeof author) => ({ name, email, date: dateOf(seconds) });
  return { id, tree, parents, author: who(author), committer: who(committer), message };
}

/** As `git log` shows it. */
export function commitText({ id, parents, author, message }: Commit): string {
  const merge = parents.length > 1 ? `Merge: ${parents.map(shortId).join(' ')}\n` : '';
  const who = formatSignature(author).replace(/ \d+ [+-]\d+$/, '');
  const lines = message.trimEnd().split('\n');
  const body = lines.map((line) => (line === '' ? '' : `    ${safe(line)}`)).join('\n');
  return `commit ${id}\n${merge}Author: ${safe(who)}\nDate:   ${dateOf(author.seconds)}\n\n${body}\n`;
}
