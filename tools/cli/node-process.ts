/** Runs an application that was linked for the node target, as a child process. */

import { spawn } from 'node:child_process';
import type { App } from './app.ts';
import { tapLinkTool } from './base.ts';
import { heldStatus, holding, type MachineDisk } from './disks.ts';
import type { Publish } from './flags.ts';
import { leashed, type Output, type Running, supervise } from './machine.ts';

/** What a machine is given from around it, whatever its network is. */
export interface NodeAround {
  readonly content: App['content'];
  readonly disks: readonly MachineDisk[];
  readonly bootArguments: readonly string[];
  /** Where its control channel leads, or null. */
  readonly control: string | null;
}

/** A program of this machine; without `env` in our own environment. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** `file` is what buildModule made; its console is stdout. */
export function nodeCommand(
  file: string,
  around: NodeAround,
  publish: readonly Publish[],
): Command {
  // targets/node/launch.ts reads these.
  const env = { ...commonVariables(around), MORGANA_PUBLISH: JSON.stringify(publish) };
  return command([file, ...around.bootArguments], around, env);
}

/** The same on our own stack (targets/node/launch-direct.ts), over links. */
export function directNodeCommand(
  file: string,
  around: NodeAround,
  links: readonly string[],
): Command {
  const words = [...links.map((link) => `--link=${link}`), '--', ...around.bootArguments];
  const env = { ...commonVariables(around), MORGANA_TAP_LINK: tapLinkTool() ?? 'tap-link' };
  return command([file, ...words], around, env);
}

function command(words: readonly string[], { disks }: NodeAround, env: NodeJS.ProcessEnv): Command {
  const [file, args] = holding(disks, [process.execPath, ['--enable-source-maps', ...words]]);
  return { file, args, env };
}

const commonVariables = ({ content, disks, control }: NodeAround): NodeJS.ProcessEnv => ({
  ...process.env,
  // Also when there is none: a tool that a unikernel started would pass on its own.
  MORGANA_CONTROL: control ?? undefined,
  MORGANA_CONTENT: JSON.stringify(content),
  MORGANA_DISKS: JSON.stringify(disks),
});

export const startNode = (
  file: string,
  around: NodeAround,
  publish: readonly Publish[],
  output: Output = 'inherit',
): Running => start(nodeCommand(file, around, publish), around, output);

export const startDirectNode = (
  file: string,
  around: NodeAround,
  links: readonly string[],
  output: Output = 'inherit',
): Running => start(directNodeCommand(file, around, links), around, output);

const start = ({ file, args, env }: Command, { disks }: NodeAround, output: Output): Running =>
  supervise(
    () => spawn(...leashed(file, args), { stdio: ['ignore', output, 'inherit'], env }),
    (status) => heldStatus(disks, status),
  );
