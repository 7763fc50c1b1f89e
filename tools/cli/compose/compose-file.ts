/** Finds a project's file, evaluates it, and checks what needs the file system. */

import { existsSync } from 'node:fs';
import path from 'node:path';
import {
  type ComposeConfig,
  type ComposedUnikernel,
  isComposed,
} from '../../../packages/morgana/compose.ts';
import { type AppPath, detectApp } from '../app.ts';
import { DISK_EXPECTED, type DiskWish, diskFrom, parseDisk } from '../disks.ts';
import { Failure } from '../failure.ts';
import { type Publish, publishFlag } from '../flags.ts';
import { evaluateFile } from '../load.ts';
import { shown } from '../places.ts';
import { platformOfUnikernel } from './commands.ts';

export const COMPOSE_FILE = 'morgana.compose.ts';

/** A file, and what its texts mean. */
export interface ComposeProject {
  readonly config: ComposeConfig;
  /** Absolute, and the directory that its paths are relative to. */
  readonly file: string;
  readonly home: string;
  readonly members: readonly Member[];
}

export interface Member {
  readonly name: string;
  readonly spec: ComposedUnikernel;
  readonly app: Exclude<AppPath, { kind: 'image' }>;
  readonly publish: readonly Publish[];
  /** As --disk takes them, paths absolute. */
  readonly disks: readonly DiskWish[];
}

/** `given`: of --file, or null. */
export async function loadCompose(given: string | null): Promise<ComposeProject> {
  const file = path.resolve(given ?? COMPOSE_FILE);
  if (!existsSync(file)) {
    throw new Failure({
      what: `there is no ${shown(file)}`,
      mend: given === null ? 'write it, or name another with --file=FILE' : 'name one that is',
    });
  }
  const config = await evaluateFile(file, 'compose.mjs');
  if (!isComposed(config)) {
    throw new Failure({
      what: `${shown(file)} does not export a project`,
      mend: 'write: export default defineCompose({ name, unikernels })',
    });
  }
  const home = path.dirname(file);
  const members = config.order.map((name) => memberOf(name, config.unikernels[name]!, file));
  checkPorts(members, file);
  return { config, file, home, members };
}

/** A mistake in the file: where, what, and what would be right. */
const mistake = (file: string, place: string, what: string, mend: string): Failure =>
  new Failure({ what: `${shown(file)}: ${place}: ${what}`, mend });

function memberOf(name: string, spec: ComposedUnikernel, file: string): Member {
  const home = path.dirname(file);
  const place = `unikernels.${name}`;
  const app = appOf(path.resolve(home, spec.app), file, `${place}.app`);
  const publish = spec.publish.map((text, index) => {
    const [read] = publishFlag.read(text) ?? [];
    if (read !== undefined) return read;
    const what = `'${text}' is no port`;
    throw mistake(file, `${place}.publish[${index}]`, what, `write ${publishFlag.expected}`);
  });
  const disks = Object.entries(spec.disks).map(([disk, text]) => {
    const at = `${place}.disks.${disk}`;
    const wish = parseDisk(`${disk}=${text}`);
    if (wish === null) {
      const expected = DISK_EXPECTED.replace('NAME=', '');
      throw mistake(file, at, `'${text}' is no disk`, `write { ${disk}: '${expected}' }`);
    }
    const from = diskFrom(wish, home);
    if (wish.bytes !== null || existsSync(from.file)) return from;
    const mend = 'make it, correct the path, or have it made: FILE,size=64M';
    throw mistake(file, at, `there is no ${shown(from.file)}`, mend);
  });
  if (platformOfUnikernel(spec) === 'node' && spec.memoryMib !== 16) {
    const what = 'target node has the memory of this machine';
    throw mistake(file, `${place}.memoryMib`, what, 'leave it out');
  }
  return { name, spec, app, publish, disks };
}

function appOf(app: string, file: string, place: string): Member['app'] {
  try {
    const found = detectApp(app);
    if (found.kind !== 'image') return found;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure({ what: `${shown(file)}: ${place}: ${error.message}` });
  }
  throw mistake(file, place, `${shown(app)} is an image`, 'name the application itself');
}

/** Refuses one port of this machine for two. */
function checkPorts(members: readonly Member[], file: string): void {
  const owners = new Map<string, string>();
  for (const { name, publish } of members) {
    for (const { hostAddress, hostPort, protocol } of publish) {
      const key = `${hostAddress}:${hostPort}/${protocol}`;
      const owner = owners.get(key);
      if (owner !== undefined) {
        const what = `port ${hostPort} is published for '${owner}' already`;
        throw mistake(file, `unikernels.${name}.publish`, what, 'take another');
      }
      owners.set(key, name);
    }
  }
}
