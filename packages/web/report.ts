/** HTML §8.1.4.6 "report an exception": for what an app throws where no caller of its own waits. */

import { inspect } from './inspect.ts';
import { platform } from './platform.ts';

/** Writes `error`, anything at all, to the machine's console; `place` completes "Uncaught in". */
export function reportException(error: unknown, place: string): void {
  const { console } = platform();
  for (const line of `Uncaught in ${place}: ${inspect(error)}`.split('\n')) console.writeLine(line);
}
