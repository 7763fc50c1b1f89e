/**
 * Runs a unikernel of a development build: its application is a script beside the system, which a
 * later version may replace (live-program.ts). tools/cli/entry.ts generates the module that calls
 * this. Not in any other image: what it has, and the machine's `evaluate`, would let code in.
 */

import { assert } from '#core';
import type { Machine } from '#device';
import { inspectionWith } from './inspection.ts';
import { type LiveOptions, LiveProgram, type SharedModules } from './live-program.ts';
import { reloadCommand } from './reload-command.ts';
import { type AnyContext, runUnikernel, type Unikernel } from './run.ts';
import { SCRIPT_CONTENT, SCRIPT_PATH } from './script-content.ts';

/** As `runUnikernel`; `modules` are those of the system that scripts may ask for. */
export function runDevelopment(
  machine: Machine,
  kind: LiveOptions['kind'],
  modules: SharedModules,
  unikernel: Omit<Unikernel, 'start'>,
): Promise<number> {
  const { evaluate } = machine;
  assert(evaluate !== null, 'a development build');
  const script = machine.content(SCRIPT_CONTENT)?.get(SCRIPT_PATH)?.bytes ?? null;
  assert((script === null) === (kind === 'static'), 'a script where there is code');
  const live = new LiveProgram({ kind, modules, evaluate, script, serve: unikernel.serve });
  const start = (context: AnyContext) => live.start(context);
  const inspection = inspectionWith({ reload: reloadCommand(live) });
  return runUnikernel(machine, { ...unikernel, start, inspection });
}
