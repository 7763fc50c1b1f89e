/** Ctrl-C and its kin, or another shell's `down`: once, to end; again, to end at once. */

const CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

export class StopSignal {
  isAsked = false;
  /** Resolves with the exit code. */
  readonly asked: Promise<number>;
  /** Resolves when it was asked for again. */
  readonly insisted: Promise<void>;
  private ask: (code: number) => void = () => {};
  private insist: () => void = () => {};
  private readonly handlers = Object.entries(CODES).map(([name, code]) => {
    const handler = (): void => this.stop(code);
    process.on(name, handler);
    return { name, handler };
  });

  constructor() {
    this.asked = new Promise((resolve) => {
      this.ask = resolve;
    });
    this.insisted = new Promise((resolve) => {
      this.insist = resolve;
    });
  }

  stop(code: number): void {
    if (this.isAsked) this.insist();
    this.isAsked = true;
    this.ask(code);
  }

  /** Signals are the system's again. */
  close(): void {
    for (const { name, handler } of this.handlers) process.off(name, handler);
  }
}
