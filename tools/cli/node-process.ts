/** Runs an application that was linked for the node target, as a child process. */

import { spawn } from 'node:child_process';
import type { App } from './app.ts';
import { tapLinkTool } from './base.ts';
import type { Publish } from './flags.ts';
import { leashed, type Output, type Running, supervise } from './machine.ts';

/** `file` is what buildModule made; its console goes to stdout. */
export function startNode(
  file: string,
  app: Pick<App, 'content'>,
  publish: readonly Publish[],
  bootArguments: readonly string[],
  control: string | null = null,
  output: Output = 'inherit',
): Running {
  const args = ['--enable-source-maps', file, ...bootArguments];
  // targets/node/launch.ts reads these.
  const env = {
    ...process.env,
    ...controlVariable(control),
    MORGANA_CONTENT: JSON.stringify(app.content),
    MORGANA_PUBLISH: JSON.stringify(publish),
  };
  return supervise(
    () => spawn(...leashed(process.execPath, args), { stdio: ['ignore', output, 'inherit'], env }),
    (status) => status,
  );
}

/** Also when there is none: a tool that a unikernel started would pass on its own. */
const controlVariable = (control: string | null): NodeJS.ProcessEnv => ({
  MORGANA_CONTROL: control ?? undefined,
});

/** The same on our own stack (targets/node/launch-direct.ts), over links. */
export function startDirectNode(
  file: string,
  app: Pick<App, 'content'>,
  links: readonly string[],
  bootArguments: readonly string[],
  control: string | null = null,
  output: Output = 'inherit',
): Running {
  const words = [...links.map((link) => `--link=${link}`), '--', ...bootArguments];
  const env = {
    ...process.env,
    ...controlVariable(control),
    MORGANA_CONTENT: JSON.stringify(app.content),
    MORGANA_TAP_LINK: tapLinkTool() ?? 'tap-link',
  };
  const args = ['--enable-source-maps', file, ...words];
  return supervise(
    () => spawn(...leashed(process.execPath, args), { stdio: ['ignore', output, 'inherit'], env }),
    (status) => status,
  );
}
