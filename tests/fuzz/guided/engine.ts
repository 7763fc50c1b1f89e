/**
 * A fuzzer guided by coverage: mutates inputs of a corpus, keeps those that reach blocks or meet
 * things that none did before, cut down to what is needed for that. Everything but the time it gets
 * follows from the seed.
 */

import type { SimRandom } from '#targets/sim/index';
import type { GuidedTarget } from './target.ts';

export type Input = readonly Uint8Array[];

/** An input under which something that must hold doesn't. */
export class Finding extends Error {
  override readonly name = 'Finding';
  readonly input: Input;

  constructor(input: Input, cause: unknown) {
    super(`after ${input.length} records: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
    this.input = input;
  }
}

/** Reading coverage costs as much as several runs, so it is read for so many at once. */
const BATCH = 64;
const RECORDS_MAX = 60;
const CUTS_MAX = 60;

export interface EngineTally {
  runs: number;
  kept: number;
  blocks: number;
  words: number;
}

/** Blocks that ran since the last call. */
export interface CoverageSource {
  take(): Set<string>;
}

export class GuidedEngine {
  readonly corpus: Input[] = [];
  readonly tally: EngineTally = { runs: 0, kept: 0, blocks: 0, words: 0 };
  private readonly target: GuidedTarget;
  private readonly coverage: CoverageSource;
  private readonly random: SimRandom;
  private readonly known = new Set<string>();

  constructor(target: GuidedTarget, coverage: CoverageSource, random: SimRandom) {
    this.target = target;
    this.coverage = coverage;
    this.random = random;
  }

  /** Runs an input that is there already, and keeps it if it is worth it. Throws Finding. */
  add(input: Input): void {
    this.coverage.take();
    const words = this.run(input);
    this.keep(input, this.news(words, this.coverage.take()), false);
  }

  /** One batch of new inputs. Throws Finding. */
  step(): void {
    this.search(Array.from({ length: BATCH }, () => this.make()));
  }

  /** A smaller input that fails too. */
  shrink({ input, cause }: Finding): Finding {
    let smallest = input;
    let why: unknown = cause;
    for (let i = smallest.length - 1; i >= 0; i--) {
      const shorter = smallest.filter((_, at) => at !== i);
      try {
        this.target.run(shorter);
      } catch (error) {
        smallest = shorter;
        why = error;
      }
    }
    return new Finding(smallest, why);
  }

  /** Looks for those among `inputs` that are new, by halves. */
  private search(inputs: readonly Input[]): void {
    this.coverage.take();
    const words = inputs.flatMap((input) => this.run(input));
    const news = this.news(words, this.coverage.take());
    const [first] = inputs;
    if (news.length === 0 || first === undefined) return;
    if (inputs.length === 1) {
      this.keep(first, news, true);
      return;
    }
    const half = inputs.length >> 1;
    this.search(inputs.slice(0, half));
    this.search(inputs.slice(half));
  }

  private run(input: Input): readonly string[] {
    this.tally.runs += 1;
    try {
      return this.target.run(input);
    } catch (error) {
      throw new Finding(input, error);
    }
  }

  private news(words: readonly string[], blocks: ReadonlySet<string>): string[] {
    return [...words, ...blocks].filter((each) => !this.known.has(each));
  }

  private keep(input: Input, news: readonly string[], isCut: boolean): void {
    if (news.length === 0) return;
    for (const each of news) {
      this.known.add(each);
      if (each.includes('://')) this.tally.blocks += 1;
      else this.tally.words += 1;
    }
    this.corpus.push(isCut ? this.cut(input, news) : input);
    this.tally.kept += 1;
  }

  /** Leaves records out, many at once at first, while all that was new about it remains. */
  private cut(input: Input, news: readonly string[]): Input {
    let kept = input;
    let tries = 0;
    for (let count = kept.length >> 1; count >= 1; count >>= 1) {
      for (let from = kept.length - count; from >= 0 && tries < CUTS_MAX; from -= count, tries++) {
        const shorter = [...kept.slice(0, from), ...kept.slice(from + count)];
        this.coverage.take();
        const found = new Set([...this.run(shorter), ...this.coverage.take()]);
        if (news.every((each) => found.has(each))) kept = shorter;
      }
    }
    return kept;
  }

  /** A child of one or two inputs of the corpus. */
  private make(): Input {
    const { random, target } = this;
    let input =
      random.chance(0.02) || this.corpus.length === 0 ? [] : [...random.pick(this.corpus)];
    if (random.chance(0.15) && this.corpus.length > 0) {
      const other = random.pick(this.corpus);
      input = [
        ...input.slice(0, random.below(input.length + 1)),
        ...other.slice(random.below(other.length + 1)),
      ];
    }
    for (let i = random.between(1, 4); i > 0; i--) this.change(input, target);
    return input.slice(0, RECORDS_MAX);
  }

  private change(input: Uint8Array[], target: GuidedTarget): void {
    const { random } = this;
    const at = random.below(input.length + 1);
    const record = input[at];
    const kind = random.below(6);
    if (record === undefined || kind === 0) input.splice(at, 0, target.draw(random));
    else if (kind === 1) input.splice(at, 1);
    else if (kind === 2) input.splice(random.below(input.length + 1), 0, record.slice());
    else if (kind === 3) {
      const other = random.below(input.length);
      input[at] = input[other]!;
      input[other] = record;
    } else input[at] = target.mutate(record.slice(), random);
  }
}
