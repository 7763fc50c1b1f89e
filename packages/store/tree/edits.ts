/**
 * What was changed in one directory, in memory, as an immutable value that costs nothing to
 * extend: versions share one log, in which each name has its changes newest first. Whoever extends
 * the newest version appends; whoever extends an older one gets a log of its own. So ten thousand
 * changes one after the other are ten thousand steps, not fifty million.
 */

import { assert } from '#core';

/** `removed` stands for what is no more. */
export const removed: unique symbol = Symbol('removed');

interface Step<T> {
  readonly version: number;
  readonly child: T | typeof removed;
  readonly previous: Step<T> | undefined;
}

interface Log<T> {
  readonly steps: Map<string, Step<T>>;
  newest: number;
}

export class Edits<T> {
  readonly #log: Log<T>;
  readonly #version: number;

  private constructor(log: Log<T>, version: number) {
    this.#log = log;
    this.#version = version;
  }

  static none<T>(): Edits<T> {
    return new Edits<T>({ steps: new Map(), newest: 0 }, 0);
  }

  /** Undefined: not changed. */
  get(name: string): T | typeof removed | undefined {
    let step = this.#log.steps.get(name);
    while (step !== undefined && step.version > this.#version) step = step.previous;
    return step?.child;
  }

  /** These changes and one more. O(1) on the newest version, else O(names). */
  with(name: string, child: T | typeof removed): Edits<T> {
    const log = this.#isNewest() ? this.#log : this.#fork();
    const version = log.newest + 1;
    log.steps.set(name, { version, child, previous: log.steps.get(name) });
    log.newest = version;
    return new Edits(log, version);
  }

  /** Each name once, in the order in which they were first changed. */
  *entries(): Generator<[string, T | typeof removed]> {
    for (const name of this.#log.steps.keys()) {
      const child = this.get(name);
      if (child !== undefined) yield [name, child];
    }
  }

  /** A log that has grown to many changes of few names is begun afresh as well. */
  #isNewest(): boolean {
    const { newest, steps } = this.#log;
    return newest === this.#version && newest <= 2 * steps.size + 16;
  }

  #fork(): Log<T> {
    const steps = new Map<string, Step<T>>();
    for (const [name, child] of this.entries()) {
      steps.set(name, { version: 0, child, previous: undefined });
    }
    assert(steps.size <= this.#log.steps.size, 'no name is made up');
    // From the count of names on, so that the next fork is as far away as names are many.
    return { steps, newest: steps.size };
  }
}
