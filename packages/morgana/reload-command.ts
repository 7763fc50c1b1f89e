/**
 * The control channel's command `reload`, of development builds only: a new version of the
 * application comes in. Its bytes are the pieces ahead of the request, joined: the script, then a
 * key-value pack of changed files for each directory of content. The request says how many belong
 * to each:
 *
 *     {"ask": "reload", "codeBytes": 512, "contents":
 *       [{"device": "site", "packBytes": 4096, "removed": ["old.html"]}]}
 *
 * `codeBytes` 0: no code. The answer is an UpdateResult (live-program.ts).
 */

import { formatKvPackFault, openKvPack } from '#device';
import type { Command } from '#inspect';
import type { ContentChange } from './changed-content.ts';
import type { LiveProgram } from './live-program.ts';

/** What a request says, besides its pieces. */
export interface ReloadRequest {
  readonly codeBytes: number;
  readonly contents: readonly {
    readonly device: string;
    readonly packBytes: number;
    readonly removed: readonly string[];
  }[];
}

export function reloadCommand(live: Pick<LiveProgram, 'update'>): Command {
  return (request, { pieces }) => {
    const { codeBytes, contents } = request;
    if (!isCount(codeBytes) || !isContents(contents)) throw new TypeError('not a reload');
    let promised = codeBytes;
    for (const { packBytes } of contents) promised += packBytes;
    let sent = 0;
    for (const piece of pieces) sent += piece.length;
    if (promised !== sent) throw new RangeError(`${sent} bytes came ahead of ${promised}`);
    const reader = new PieceReader(pieces);
    const script = codeBytes === 0 ? null : reader.take(codeBytes);
    const changes = new Map<string, ContentChange>();
    for (const { device, packBytes, removed } of contents) {
      const pack = openKvPack(reader.take(packBytes));
      if (!pack.ok) throw new TypeError(`content "${device}" ${formatKvPackFault(pack.error)}`);
      changes.set(device, { changed: pack.value, removed });
    }
    return live.update({ script, contents: changes });
  };
}

/** Each part gets an array of its own: content may stay for long, and would keep the code. */
class PieceReader {
  private readonly pieces: readonly Uint8Array[];
  private index = 0;
  private at = 0;

  constructor(pieces: readonly Uint8Array[]) {
    this.pieces = pieces;
  }

  /** The next `count` bytes, which must be there. */
  take(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    for (let filled = 0; filled < count; ) {
      const piece = this.pieces[this.index]!;
      const part = piece.subarray(this.at, this.at + count - filled);
      bytes.set(part, filled);
      filled += part.length;
      this.at += part.length;
      if (this.at < piece.length) continue;
      this.index += 1;
      this.at = 0;
    }
    return bytes;
  }
}

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;

function isContents(value: unknown): value is ReloadRequest['contents'] {
  return (
    Array.isArray(value) &&
    value.every(
      (one) =>
        typeof one?.device === 'string' &&
        isCount(one.packBytes) &&
        Array.isArray(one.removed) &&
        one.removed.every((path: unknown) => typeof path === 'string'),
    )
  );
}
