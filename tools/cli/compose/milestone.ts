/** Something that comes to pass once, or never will; both are kept for those who ask later. */

import { Failure } from '../failure.ts';

/** Why a unikernel will never get there. */
export class MissedMilestone extends Failure {
  readonly unikernel: string;

  constructor(unikernel: string, what: string) {
    super({ what });
    this.unikernel = unikernel;
  }
}

export class Milestone {
  private readonly unikernel: string;
  isReached = false;
  private readonly done: Promise<void>;
  private resolve: () => void = () => {};
  private reject: (why: Failure) => void = () => {};

  /** `unikernel`: whose it is. */
  constructor(unikernel: string) {
    this.unikernel = unikernel;
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Whether anybody waits is his affair.
    this.done.catch(() => {});
  }

  reach(): void {
    this.isReached = true;
    this.resolve();
  }

  /** Nothing once it was reached. */
  fail(why: string): void {
    this.reject(new MissedMilestone(this.unikernel, why));
  }

  /** Rejects with a MissedMilestone when it will never be reached. */
  wait(): Promise<void> {
    return this.done;
  }

  /** Resolves in both cases. */
  settled(): Promise<void> {
    return this.done.catch(() => {});
  }
}
