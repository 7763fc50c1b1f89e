/** Asks this image's crypto.subtle everything, and says what was wrong. */

import { runSubtleVectors, type SubtleLike, VECTORS } from '#crypto/vectors';
import type { Machine } from '#device';
import { runSubtleCases } from '../../../packages/crypto/testing/subtle-cases.ts';

export async function run(machine: Machine): Promise<number> {
  const failures = await runSubtleCases(crypto.subtle);
  const vectors = await runSubtleVectors(crypto.subtle as unknown as SubtleLike, VECTORS);
  for (const line of [...failures, ...vectors.failures]) machine.console.writeLine(line);
  machine.console.writeLine(`${vectors.run} vectors, ${'subtle' in crypto}`);
  return 0;
}
