/**
 * Which blocks of our code ran, from V8's precise block coverage of this very process. Begin before
 * the code to be measured is loaded, or functions that never run are not known.
 */

import { readFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';

interface Range {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}

interface ScriptCoverage {
  readonly url: string;
  readonly functions: readonly { readonly ranges: readonly Range[] }[];
}

export interface FileCoverage {
  readonly path: string;
  /** Lines of functions, and those of them of which everything ran. */
  readonly lines: number;
  readonly covered: number;
}

/** A file's characters: in a function at all, and ran. */
interface Marks {
  readonly isInside: Uint8Array;
  readonly hasRun: Uint8Array;
}

export class BlockCoverage {
  private readonly session = new Session();
  private readonly isMeasured: (url: string) => boolean;
  private readonly marks = new Map<string, Marks>();

  /** `isMeasured` tells by its URL whether a file counts. */
  constructor(isMeasured: (url: string) => boolean) {
    this.isMeasured = isMeasured;
    this.session.connect();
    this.session.post('Profiler.enable');
    this.start();
  }

  /**
   * Counts everything from here on: code that V8 has optimised meanwhile isn't counted, and would
   * be missed.
   */
  restart(): void {
    setFlagsFromString('--no-opt');
    setFlagsFromString('--no-maglev');
    this.session.post('Profiler.stopPreciseCoverage');
    this.start();
  }

  /** Blocks that ran since the last call, as "file:start-end:size of count". */
  take(): Set<string> {
    const blocks = new Set<string>();
    for (const { url, functions } of this.read()) {
      for (const { ranges } of functions) {
        for (const { startOffset, endOffset, count } of ranges) {
          if (count === 0) continue;
          // One, a few, many: a loop that runs more often may be something new.
          const size = count === 1 ? 1 : count < 8 ? 2 : 3;
          blocks.add(`${url}:${startOffset}-${endOffset}:${size}`);
        }
      }
    }
    return blocks;
  }

  /** As `take`, for `report`. */
  mark(): void {
    for (const { url, functions } of this.read()) {
      const { isInside, hasRun } = this.marksOf(url);
      // Ranges come from the outer to the inner; the innermost says what ran.
      const now = new Int8Array(hasRun.length).fill(-1);
      for (const { ranges } of functions) {
        for (const { startOffset, endOffset, count } of ranges) {
          now.fill(count > 0 ? 1 : 0, startOffset, endOffset);
        }
        const { startOffset, endOffset } = ranges[0]!;
        // The whole file is a function too, which isn't of interest.
        if (startOffset > 0) isInside.fill(1, startOffset, endOffset);
      }
      for (let i = 0; i < hasRun.length; i++) if (now[i] === 1) hasRun[i] = 1;
    }
  }

  /** Of what `mark` has seen so far. */
  report(): FileCoverage[] {
    return [...this.marks].map(([url, { isInside, hasRun }]) => {
      const path = fileURLToPath(url);
      let at = 0;
      let lines = 0;
      let covered = 0;
      for (const line of readFileSync(path, 'utf8').split('\n')) {
        const text = line.replace(/\/\/.*|^\s*\*.*|\/\*.*/, '');
        const first = at + text.search(/[^\s{}()[\];,]/);
        if (first >= at && isInside[first] === 1) {
          lines += 1;
          const isWhole = [...text].every((char, i) => /\s/.test(char) || hasRun[at + i] === 1);
          if (isWhole) covered += 1;
        }
        at += line.length + 1;
      }
      return { path, lines, covered };
    });
  }

  private marksOf(url: string): Marks {
    let marks = this.marks.get(url);
    if (marks === undefined) {
      const { length } = readFileSync(fileURLToPath(url), 'utf8');
      marks = { isInside: new Uint8Array(length), hasRun: new Uint8Array(length) };
      this.marks.set(url, marks);
    }
    return marks;
  }

  private start(): void {
    this.session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  private read(): ScriptCoverage[] {
    let scripts: ScriptCoverage[] = [];
    this.session.post('Profiler.takePreciseCoverage', (error, { result }) => {
      if (error === null) scripts = result.filter(({ url }) => this.isMeasured(url));
    });
    return scripts;
  }
}
