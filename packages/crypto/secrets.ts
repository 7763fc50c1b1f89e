/** What is done to secret bytes: compared in a time that doesn't tell where they differ; wiped. */

import { hot } from '#core';

/**
 * Whether both hold the same bytes. The time depends on the lengths alone (bench/constant-time.ts
 * looks); unequal lengths are told at once.
 */
export function constantTimeEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}

/** Overwrites a secret with zeros. Copies that the engine made elsewhere are out of reach. */
export function wipe(secret: Uint8Array): void {
  hot.fill(secret, 0, secret.length, 0);
}
