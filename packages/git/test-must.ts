/** For tests. */

import type { Result } from '#core';

/** What must work, worked. */
export function must<T>(result: Result<T, unknown>): T {
  if (result.ok) return result.value;
  throw new Error(JSON.stringify(result.error));
}
