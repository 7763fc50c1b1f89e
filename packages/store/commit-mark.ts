/**
 * What makes commits different that say the same. A commit is named by its bytes: two replicas
 * that make the same change on the same head in the same second, as the same author with the same
 * message, would make one commit, and a counter would count once (ContentType.addsUp). So where a
 * schema has such types every commit of it says who wrote it, in a header of its own, which Git
 * keeps as it stands: 64 bits of chance for each opening of a repository, and a number. All other
 * commits are as Git makes them. docs/decisions/0036-marked-commits.md.
 */

import type { Entropy } from '#device';

export const MARK_HEADER = 'morgana-writer';
const WRITER_BYTES = 8;

export class CommitMarks {
  readonly #entropy: Entropy | null;
  /** Drawn when it is needed: most repositories never do. */
  #writer: string | null = null;
  #count = 0;

  /** Null: all marks are empty. */
  constructor(entropy: Entropy | null) {
    this.#entropy = entropy;
  }

  /** A line of a commit's head that no other commit has, with its end; '' without entropy. */
  next(): string {
    if (this.#entropy === null) return '';
    this.#writer ??= drawWriter(this.#entropy);
    this.#count++;
    return `${MARK_HEADER} ${this.#writer} ${this.#count}\n`;
  }
}

function drawWriter(entropy: Entropy): string {
  const bytes = new Uint8Array(WRITER_BYTES);
  entropy.fill(bytes);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
