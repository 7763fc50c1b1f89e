/** Builds the applications of a project: side by side, but each only once for a target. */

import path from 'node:path';
import * as esbuild from 'esbuild';
import { parseArguments } from '../../../packages/morgana/arguments.ts';
import { buildApp } from '../build.ts';
import type { Description } from '../description.ts';
import { Failure } from '../failure.ts';
import { loadApp } from '../load.ts';
import { appCacheDirectory, shown, writeProgram } from '../places.ts';
import { type Platform, targetOf } from '../verbs.ts';
import { type Built, platformOfUnikernel } from './commands.ts';
import type { ComposeProject, Member } from './compose-file.ts';
import { BUILDS_MAX } from './limits.ts';

/** By the name of the unikernel. Rejects with the first Failure; the others are waited for. */
export async function buildMembers(project: ComposeProject): Promise<ReadonlyMap<string, Built>> {
  // Builds of one application share files in its cache: those go one after the other.
  const groups = new Map<string, Member[]>();
  for (const member of project.members) {
    const root = rootOf(member);
    groups.set(root, [...(groups.get(root) ?? []), member]);
  }
  const waiting = [...groups.values()];
  const built = new Map<string, Built>();
  const work = async (): Promise<void> => {
    for (let group = waiting.shift(); group !== undefined; group = waiting.shift()) {
      await buildGroup(group, project.file, built);
    }
  };
  const settled = await Promise.allSettled(Array.from({ length: BUILDS_MAX }, work));
  // Its process would stay as long as this one.
  await esbuild.stop();
  const failed = settled.find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return built;
}

function rootOf({ app }: Member): string {
  switch (app.kind) {
    case 'static':
      return app.directory;
    case 'handler':
      return app.main;
    case 'devices':
      return app.config;
  }
}

async function buildGroup(
  members: readonly Member[],
  file: string,
  built: Map<string, Built>,
): Promise<void> {
  const app = await loadApp(members[0]!.app);
  const done = new Map<Platform, { output: string; description: Description }>();
  for (const { name, spec } of members) {
    const platform = platformOfUnikernel(spec);
    let one = done.get(platform);
    if (one === undefined) {
      const { output: bytes, mode, description } = await buildApp(app, platform);
      const name =
        targetOf(platform) === 'node' ? `compose-${platform}.mjs` : `compose-${platform}`;
      one = { output: path.join(appCacheDirectory(app.root), name), description };
      writeProgram(one.output, bytes, mode);
      done.set(platform, one);
    }
    const { description } = one;
    const where = `${shown(file)}: unikernels.${name}`;
    checkNetworks(where, spec.networks.length, platform, description);
    const bootArguments = argumentsOf(where, name, spec.args, description);
    built.set(name, { app, platform, file: one.output, bootArguments });
  }
}

/** Refuses fewer interfaces than the program's graph has; host sockets need none. */
function checkNetworks(
  where: string,
  count: number,
  platform: Platform,
  { capabilities }: Description,
): void {
  const needed = capabilities.network.length;
  if (platform === 'node' || count >= needed) return;
  const networks = needed === 1 ? 'a network' : `${needed} networks`;
  throw new Failure({
    what: `${where}.networks: it needs ${networks}, and has ${count || 'none'}`,
    mend: 'name as many',
  });
}

/** Boot-time arguments as words, checked as the unikernel itself will. */
function argumentsOf(
  where: string,
  name: string,
  args: Readonly<Record<string, string | number | boolean>>,
  description: Description,
): readonly string[] {
  const words = Object.entries(args).map(([arg, value]) => `--${arg}=${value}`);
  const parsed = parseArguments(words, description.args);
  if (!parsed.ok) {
    const { message } = parsed.error;
    throw new Failure({ what: `${where}.args: ${message}`, mend: 'correct the arguments' });
  }
  const asksName = Object.hasOwn(description.args, 'hostname') && !Object.hasOwn(args, 'hostname');
  return asksName ? [`--hostname=${name}`, ...words] : words;
}
