/** Runs an application that was linked for the node target, as a child process. */

import { spawn } from 'node:child_process';
import type { App } from './app.ts';
import { tapLinkTool } from './base.ts';
import type { Publish } from './flags.ts';
import { leashed, type Output, type Running, supervise } from './machine.ts';

type Content = Pick<App, 'content'>;

/** A program of this machine; without `env` in our own environment. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** `file` is what buildModule made; its console is stdout. */
export function nodeCommand(
  file: string,
  app: Content,
  publish: readonly Publish[],
  bootArguments: readonly string[],
  control: string | null,
): Command {
  // targets/node/launch.ts reads these.
  const env = { ...commonVariables(app, control), MORGANA_PUBLISH: JSON.stringify(publish) };
  return { file: process.execPath, args: [...SOURCE_MAPS, file, ...bootArguments], env };
}

/** The same on our own stack (targets/node/launch-direct.ts), over links. */
export function directNodeCommand(
  file: string,
  app: Content,
  links: readonly string[],
  bootArguments: readonly string[],
  control: string | null,
): Command {
  const words = [...links.map((link) => `--link=${link}`), '--', ...bootArguments];
  const env = { ...commonVariables(app, control), MORGANA_TAP_LINK: tapLinkTool() ?? 'tap-link' };
  return { file: process.execPath, args: [...SOURCE_MAPS, file, ...words], env };
}

const SOURCE_MAPS = ['--enable-source-maps'];

const commonVariables = ({ content }: Content, control: string | null): NodeJS.ProcessEnv => ({
  ...process.env,
  // Also when there is none: a tool that a unikernel started would pass on its own.
  MORGANA_CONTROL: control ?? undefined,
  MORGANA_CONTENT: JSON.stringify(content),
});

export const startNode = (
  file: string,
  app: Content,
  publish: readonly Publish[],
  bootArguments: readonly string[],
  control: string | null = null,
  output: Output = 'inherit',
): Running => start(nodeCommand(file, app, publish, bootArguments, control), output);

export const startDirectNode = (
  file: string,
  app: Content,
  links: readonly string[],
  bootArguments: readonly string[],
  control: string | null = null,
  output: Output = 'inherit',
): Running => start(directNodeCommand(file, app, links, bootArguments, control), output);

const start = ({ file, args, env }: Command, output: Output): Running =>
  supervise(
    () => spawn(...leashed(file, args), { stdio: ['ignore', output, 'inherit'], env }),
    (status) => status,
  );
