/**
 * One process of a unikernel. It has a process group of its own, so that Ctrl-C reaches it through
 * us, in our order; and it is killed when we are.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { leashed } from '../machine.ts';
import type { Command } from '../node-process.ts';
import { LAST_WORDS_MILLIS_MAX, LINE_CHARACTERS_MAX, STOP_MILLIS_MAX } from './limits.ts';
import { LineSplitter } from './line-splitter.ts';

/** As shells have it: a process that a signal ended. */
const SIGNAL_CODE = 128;

export class Child {
  /** Resolves with the process's number; rejects when it can't be started. */
  readonly started: Promise<number>;
  /** Resolves with its exit code when all that it said was told; never rejects. */
  readonly ended: Promise<number>;
  private readonly child: ChildProcess;
  private isOver = false;
  private late: NodeJS.Timeout | null = null;

  constructor(
    command: Command,
    exitCode: (status: number) => number,
    line: (text: string) => void,
  ) {
    const [file, args] = leashed(command.file, command.args);
    const { env } = command;
    this.child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env });
    const { child } = this;
    for (const stream of [child.stdout!, child.stderr!]) {
      const splitter = new LineSplitter(LINE_CHARACTERS_MAX, line);
      stream.on('data', (chunk: Buffer) => splitter.push(chunk));
      stream.on('end', () => splitter.end());
    }
    this.started = new Promise((resolve, reject) => {
      child.once('spawn', () => resolve(child.pid!));
      child.once('error', reject);
    });
    this.started.catch(() => {});
    this.ended = new Promise((resolve) => {
      child.once('error', () => resolve(SIGNAL_CODE - 1));
      // Its last words; but what it started and didn't end may hold its console for ever.
      child.once('exit', () => {
        const words = [child.stdout!, child.stderr!];
        setTimeout(() => words.forEach((one) => void one.destroy()), LAST_WORDS_MILLIS_MAX).unref();
      });
      child.once('close', (code, signal) => {
        this.isOver = true;
        if (this.late !== null) clearTimeout(this.late);
        const number = signal === null ? 0 : constants.signals[signal];
        resolve(code === null ? SIGNAL_CODE + number : exitCode(code));
      });
    });
  }

  /** Asks it to end, and kills it when it doesn't within `patienceMs`. */
  stop(patienceMs = STOP_MILLIS_MAX): void {
    if (this.isOver || this.late !== null) return;
    this.child.kill('SIGTERM');
    this.late = setTimeout(() => this.kill(), patienceMs);
  }

  kill(): void {
    const { pid } = this.child;
    if (this.isOver || pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // The group is gone already: what is left is to read its last words.
    }
  }
}
