/**
 * What the simulated bases of all platforms share, for tests: a console that is kept, virtual time,
 * an exit that throws. Not here: memory and devices (targets/pvh/virtio), links and disks
 * (targets/process).
 */

import { hot } from '#core';

/** Thrown by `exit`. */
export class SimulatedExit extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`exit ${code}`);
    this.code = code;
  }
}

export abstract class SimulatedConsoleAndTime {
  readonly abiVersion = 1;
  payload: { name: string; bytes: Uint8Array }[] = [];
  readonly hot = hot;
  /** What was written to the console. */
  console = '';
  /** Microseconds; a read of the clock takes one. */
  nowMicros = 0;
  hasEntropy = true;
  protected turn: ((woken: number) => number) | null = null;

  consoleWrite(text: string): void {
    this.console += text;
  }

  consoleRead(): number {
    return -1;
  }

  exit(code: number): never {
    throw new SimulatedExit(code);
  }

  clockMonotonic(): number {
    return ++this.nowMicros;
  }

  clockWall(): number {
    return 1_700_000_000_000_000 + this.nowMicros;
  }

  entropyFill(out: Uint8Array): boolean {
    if (this.hasEntropy) out.fill(0x5a);
    return this.hasEntropy;
  }

  onTurn(turn: (woken: number) => number): void {
    this.turn = turn;
  }
}
