/**
 * What a verb ends with when it can't do its work: one sentence for a person, and the exit code.
 */

/** Exit codes of the tool itself; `run` otherwise ends with the image's own. */
export const EXIT_OK = 0;
export const EXIT_USAGE = 1;
export const EXIT_FAILED = 2;
/** Of `switch --network=NAME` when another has it: who started it to join it may join the other. */
export const EXIT_RUNNING = 75;

export class Failure extends Error {
  override readonly name = 'Failure';
  readonly exitCode: number;
  /** Lines shown before the sentence as they are: a compiler's messages. */
  readonly detail: readonly string[];

  /**
   * `what`, `where` and `mend` make the line "error: what, where, what to do"; empty ones are left
   * out.
   */
  constructor(
    parts: { what: string; where?: string; mend?: string; detail?: readonly string[] },
    exitCode: number = EXIT_FAILED,
  ) {
    super([parts.what, parts.where, parts.mend].filter((part) => part).join(', '));
    this.exitCode = exitCode;
    this.detail = parts.detail ?? [];
  }
}

export const usageFailure = (what: string, mend: string): Failure =>
  new Failure({ what, mend }, EXIT_USAGE);

const MENDS: Readonly<Record<string, string>> = {
  EACCES: 'check who may use it (ls -ld)',
  EPERM: 'check who may use it (ls -ld)',
  EROFS: 'name a path that can be written',
  ENOSPC: 'make room on that disk',
};

/**
 * What a person can mend: also what the operating system refuses. Null: a bug, whose trace helps.
 */
export function asFailure(error: unknown): Failure | null {
  if (error instanceof Failure) return error;
  const reason = systemReason(error);
  if (reason === null) return null;
  const { code, path } = error as NodeJS.ErrnoException;
  return new Failure({ what: `${path}: ${reason}`, mend: MENDS[code!] ?? 'name another path' });
}

/** Why the operating system refused a file, in its words; null: it was no refusal of its. */
export function systemReason(error: unknown): string | null {
  const { code, syscall, path, message } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined || path === undefined) return null;
  // Node writes "CODE: reason, call 'path'".
  return /^[A-Z0-9]+: (.+), \w+ '/.exec(message)?.[1] ?? code;
}
