/** Who commits, when and why: what every commit of a store says. */

import type { WallTime } from '#core';
import type { ObjectId } from '#git';
import type { CommitObject } from '#git/wire';

export interface Person {
  readonly name: string;
  readonly email: string;
}

/** What is left out is the repository's: its author, the time of its clock, UTC. */
export interface CommitInfo {
  /** As Git's: a line, and after a blank one whatever there is to say. */
  readonly message?: string;
  readonly author?: Person;
  readonly date?: WallTime;
  /** Of both times, east of Greenwich. */
  readonly zoneMinutes?: number;
}

export interface Commit extends CommitObject {
  readonly id: ObjectId;
}

export interface CommitOptions extends CommitInfo {
  /** Commit also when the tree is the head's. */
  readonly allowEmpty?: boolean;
  /** Further parents, behind the head. */
  readonly parents?: readonly ObjectId[];
  /** Times to begin again when somebody else was quicker. Default: RETRIES. */
  readonly retries?: number;
}

/** Git wants a line's end behind the last line. */
export const messageText = (message: string): string =>
  message === '' || message.endsWith('\n') ? message : `${message}\n`;
