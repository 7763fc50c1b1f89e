/**
 * What a unikernel said, on disk: "TIME TEXT" a line, in NAME.log and, when that is full,
 * NAME.log.1 with what was before. One process writes and reads it.
 */

import { appendFileSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { LOG_FILE_BYTES_MAX } from './limits.ts';

export interface LogLine {
  /** As Date.toISOString has it. */
  readonly at: string;
  readonly text: string;
}

export class LogFile {
  private readonly file: string;
  private bytes = 0;

  /** Begins anew: what an earlier project of the name left goes. */
  constructor(file: string) {
    this.file = file;
    rmSync(file, { force: true });
    rmSync(`${file}.1`, { force: true });
  }

  /** False when the disk doesn't take it, which is no reason to stop anything. */
  append({ at, text }: LogLine): boolean {
    const line = `${at} ${text}\n`;
    try {
      if (this.bytes + Buffer.byteLength(line) > LOG_FILE_BYTES_MAX) {
        renameSync(this.file, `${this.file}.1`);
        this.bytes = 0;
      }
      appendFileSync(this.file, line);
      this.bytes += Buffer.byteLength(line);
      return true;
    } catch {
      this.bytes = statSync(this.file, { throwIfNoEntry: false })?.size ?? 0;
      return false;
    }
  }

  /** The last `count` lines, or all that there are. */
  tail(count = Number.POSITIVE_INFINITY): readonly LogLine[] {
    const lines = [`${this.file}.1`, this.file].flatMap((file) => readText(file).split('\n'));
    const whole = lines.filter((line) => line !== '').map(parseLine);
    return count === 0 ? [] : whole.slice(-Math.min(count, whole.length));
  }
}

function parseLine(line: string): LogLine {
  const space = line.indexOf(' ');
  return { at: line.slice(0, space), text: line.slice(space + 1) };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
