/**
 * What every ObjectBackend must do, as cases that any target can run: in a test runner, in the
 * simulator, in a browser. A case fails by throwing. Required reading: ../backend.ts. Not here:
 * what survives a loss of power, which needs storage that can lose it.
 */

import type { ObjectBackend } from '../backend.ts';
import type { BackendWorld } from './expect.ts';
import { objectCases } from './objects.ts';
import { refCases } from './refs.ts';
import { watchCases } from './watchers.ts';

export interface BackendCase {
  readonly name: string;
  /** The backend of `world` is fresh: no objects, no refs, HEAD at refs/heads/main. */
  run(world: BackendWorld): Promise<void>;
}

export type { BackendWorld, ObjectBackend };

export const backendCases: readonly BackendCase[] = [...objectCases, ...refCases, ...watchCases];
