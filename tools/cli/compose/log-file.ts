/**
 * What a unikernel said, on disk: "TIME TEXT" a line, in NAME.log and, when that is full,
 * NAME.log.1 with what was before. One process writes and reads it.
 */

import { closeSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { LOG_FILE_BYTES_MAX } from './limits.ts';

export interface LogLine {
  /** As Date.toISOString has it. */
  readonly at: string;
  readonly text: string;
}

export class LogFile {
  private readonly file: string;
  private handle: number | null = null;
  private bytes = 0;

  /** Begins anew: what an earlier project of the name left goes. */
  constructor(file: string) {
    this.file = file;
    rmSync(file, { force: true });
    rmSync(`${file}.1`, { force: true });
  }

  /** False when the disk doesn't take it, which is no reason to stop anything. */
  append({ at, text }: LogLine): boolean {
    const line = Buffer.from(`${at} ${text}\n`);
    try {
      if (this.bytes + line.length > LOG_FILE_BYTES_MAX) {
        this.close();
        renameSync(this.file, `${this.file}.1`);
      }
      this.handle ??= openSync(this.file, 'a', 0o600);
      this.bytes += writeSync(this.handle, line);
      return true;
    } catch {
      return false;
    }
  }

  /** Until the next line. */
  close(): void {
    if (this.handle !== null) closeSync(this.handle);
    this.handle = null;
    this.bytes = 0;
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
