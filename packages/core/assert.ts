/**
 * Broken promises of ours. Never assert on what a peer, a disk or a user controls: return a fault.
 */

/** Thrown by a failed assertion; nothing catches it, so the image stops. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** Stops the program unless `condition` holds. */
export function assert(condition: boolean, message = 'assertion failed'): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Marks a switch as exhaustive: the compiler rejects a case that is left over. */
export function assertNever(value: never): never {
  throw new AssertionError(`unexpected ${JSON.stringify(value)}`);
}
