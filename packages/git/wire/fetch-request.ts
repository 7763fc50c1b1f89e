/**
 * What a client asks of upload-pack: in version 2 a command with arguments, in versions 0 and 1
 * wants and then haves. Read first: gitprotocol-v2(5), "Command Request" and "fetch";
 * gitprotocol-pack(5), "Packfile Negotiation". Not here: what the server makes of it
 * (protocol/upload-pack.ts).
 */

import { err, ok, type Result, type WireFault } from '#core';
import { type ObjectId, parseObjectId } from '../object-id.ts';
import { HAVES_MAX, SHALLOWS_MAX, WANTS_MAX } from '../protocol/limits.ts';
import { formatObjectFilter, type ObjectFilter, objectFilterOf } from './object-filter.ts';
import { isMark, type Pkt } from './pkt-line.ts';
import { type Capabilities, lineFault, lineOf, payloadOf, wordsOf } from './pkt-text.ts';

/** How much history is wanted. */
export interface Deepening {
  /** Commits from each want on; null: not asked for. */
  readonly depth: number | null;
  /** `depth` counts from the client's own boundary (deepen-relative). */
  readonly isRelative: boolean;
  /** Seconds since 1970: nothing older. */
  readonly since: number | null;
  /** Nothing that these refs reach. */
  readonly not: readonly string[];
}

/** Flags of a fetch, by their names in version 2. */
export const FETCH_FLAGS = [
  'done',
  'thin-pack',
  'no-progress',
  'include-tag',
  'ofs-delta',
  'wait-for-done',
] as const;
export type FetchFlag = (typeof FETCH_FLAGS)[number];

/** Of version 2; of the others without haves. */
export interface FetchRequest {
  readonly wants: readonly ObjectId[];
  readonly haves: readonly ObjectId[];
  /** Where the client's own history ends. */
  readonly shallow: readonly ObjectId[];
  readonly deepening: Deepening | null;
  readonly flags: readonly FetchFlag[];
  /** What the client does without for now. */
  readonly filter?: ObjectFilter | null;
}

export const NO_DEEPENING: Deepening = { depth: null, isRelative: false, since: null, not: [] };
/** As `git clone --unshallow` asks: more than any history has. */
export const DEPTH_INFINITE = 0x7fffffff;

/** What is wrong with an argument of a fetch. */
export type FetchRefusal = 'malformed' | 'too many' | 'not offered' | 'unknown filter';

/** Takes a fetch's arguments, one by one. */
export class FetchArguments {
  readonly wants: ObjectId[] = [];
  readonly haves: ObjectId[] = [];
  readonly shallow: ObjectId[] = [];
  readonly flags = new Set<FetchFlag>();
  private deepening: Deepening | null = null;
  private filter: ObjectFilter | null = null;
  private readonly not: string[] = [];

  /** Null: taken. */
  take(line: string): FetchRefusal | null {
    const space = line.indexOf(' ');
    if (space < 0) return this.flag(line);
    const value = line.slice(space + 1);
    switch (line.slice(0, space)) {
      case 'want':
        return takeId(this.wants, value, WANTS_MAX);
      case 'have':
        return takeId(this.haves, value, HAVES_MAX);
      case 'shallow':
        return takeId(this.shallow, value, SHALLOWS_MAX);
      case 'deepen':
        return this.deepen({ depth: numberOf(value, DEPTH_INFINITE) });
      case 'deepen-since':
        return this.deepen({ since: numberOf(value, Number.MAX_SAFE_INTEGER) });
      case 'deepen-not':
        if (this.not.length === SHALLOWS_MAX) return 'too many';
        this.not.push(value);
        return this.deepen({});
      case 'filter':
        this.filter = objectFilterOf(value);
        return this.filter === null ? 'unknown filter' : null;
      default:
        return 'not offered';
    }
  }

  /** Sets a flag that came as a capability, in versions 0 and 1. */
  set(flag: FetchFlag): void {
    this.flags.add(flag);
  }

  deepenRelatively(): void {
    this.deepening = { ...(this.deepening ?? NO_DEEPENING), isRelative: true };
  }

  /** What was taken so far, in arrays that go on growing. */
  request(): FetchRequest {
    const { wants, haves, shallow, not, filter } = this;
    const deepening = this.deepening === null ? null : { ...this.deepening, not };
    return { wants, haves, shallow, deepening, filter, flags: [...this.flags] };
  }

  private flag(line: string): FetchRefusal | null {
    if (line === 'deepen-relative') {
      this.deepenRelatively();
      return null;
    }
    const flag = FETCH_FLAGS.find((name) => name === line);
    if (flag === undefined) return 'not offered';
    this.flags.add(flag);
    return null;
  }

  private deepen(part: Partial<Record<'depth' | 'since', number | null>>) {
    if (part.depth === null || part.depth === 0 || part.since === null) return 'malformed';
    this.deepening = { ...(this.deepening ?? NO_DEEPENING), ...part };
    return null;
  }
}

function takeId(to: ObjectId[], text: string, countMax: number): FetchRefusal | null {
  const id = parseObjectId(text);
  if (id === null) return 'malformed';
  if (to.length >= countMax) return 'too many';
  to.push(id);
  return null;
}

function numberOf(text: string, max: number): number | null {
  if (!/^\d{1,16}$/.test(text)) return null;
  const value = Number(text);
  return value <= max ? value : null;
}

/** The arguments of version 2's fetch, between its delimiter and its flush. */
export function parseFetchRequest(pkts: readonly Pkt[]): Result<FetchRequest, WireFault> {
  const taken = new FetchArguments();
  for (let i = 0; i < pkts.length; i++) {
    const pkt = pkts[i]!;
    if (isMark(pkt) || taken.take(lineOf(pkt)) !== null) return err(lineFault(i, pkt));
  }
  return ok(taken.request());
}

export function fetchRequestLines(request: FetchRequest): string[] {
  const { deepening, filter } = request;
  return [
    ...request.flags.filter((flag) => flag !== 'done'),
    ...request.wants.map((id) => `want ${id}`),
    ...request.shallow.map((id) => `shallow ${id}`),
    ...(deepening === null ? [] : deepeningLines(deepening)),
    ...(filter ? [`filter ${formatObjectFilter(filter)}`] : []),
    ...request.haves.map((id) => `have ${id}`),
    ...request.flags.filter((flag) => flag === 'done'),
  ];
}

export function deepeningLines({ depth, isRelative, since, not }: Deepening): string[] {
  return [
    ...(depth === null ? [] : [`deepen ${depth}`]),
    ...(isRelative ? ['deepen-relative'] : []),
    ...(since === null ? [] : [`deepen-since ${since}`]),
    ...not.map((name) => `deepen-not ${name}`),
  ];
}

/** A command of version 2 with all of its pkt-lines. */
export function commandPkts(
  command: string,
  capabilities: Capabilities,
  lines: readonly string[],
): Pkt[] {
  const head = [`command=${command}`, ...capabilities].map(payloadOf);
  return [...head, 'delim', ...lines.map(payloadOf), 'flush'];
}

/** The first line of a fetch in versions 0 and 1: a want, and what the client can. */
export function parseFirstWant(line: string): { id: ObjectId; capabilities: Capabilities } | null {
  const [word, id, ...capabilities] = wordsOf(line);
  const parsed = word === 'want' && id !== undefined ? parseObjectId(id) : null;
  return parsed === null ? null : { id: parsed, capabilities };
}
