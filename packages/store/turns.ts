/**
 * Turns by name: who writes to a branch in this process waits for whoever writes to it now, so
 * that writers of one repository never lose to each other. Only for what ends by itself: nothing
 * that an application passes in runs in a turn, as it might wait for the turn that it is in.
 */

import { assert } from '#core';

export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();
  #running = 0;

  /** `work` when all that came before under this name has ended, well or not. */
  take<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name);
    const run = () => this.#run(work);
    const turn = before === undefined ? run() : before.then(run, run);
    this.#last.set(name, turn);
    const done = (): void => {
      if (this.#last.get(name) === turn) this.#last.delete(name);
    };
    turn.then(done, done);
    return turn;
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    this.#running++;
    try {
      return await work();
    } finally {
      this.#running--;
    }
  }

  checkInvariants(): void {
    assert(this.#running >= 0, 'turns end once');
    assert(this.#running <= this.#last.size, 'one turn a name');
  }
}
