/** `projects/NAME/` of the run-time directory: who runs the project, where he answers, its logs. */

import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { Failure } from '../failure.ts';
import {
  type Holder,
  isRunning,
  isRuntimeName,
  namesIn,
  putInPlace,
  readInfo,
  removeStale,
  runtimeDirectory,
  socketPath,
  thisProcess,
} from '../runtime-directory.ts';

/** What its info.json says. */
export interface ProjectInfo extends Holder {
  readonly name: string;
  /** The morgana.compose.ts, absolute. */
  readonly file: string;
  /** In the background, under `up --detach`. */
  readonly detached: boolean;
  /** Milliseconds since 1970. */
  readonly startedMillis: number;
}

export interface ProjectPlaces {
  readonly info: ProjectInfo;
  readonly directory: string;
  readonly controlSocket: string;
  readonly logs: string;
}

const homeOf = (): string => path.join(runtimeDirectory(), 'projects');

const placesOf = (directory: string, info: ProjectInfo): ProjectPlaces => ({
  info,
  directory,
  controlSocket: path.join(directory, 'control.sock'),
  logs: path.join(directory, 'logs'),
});

/** Takes the name for this process; `release` when the project is down. */
export function claimProject(
  name: string,
  file: string,
  detached: boolean,
): ProjectPlaces & { release(): void } {
  const home = homeOf();
  socketPath(path.join(home, name, 'control.sock'));
  const info = { name, file, detached, ...thisProcess(), startedMillis: Date.now() };
  const directory = putInPlace(home, name, info);
  if (directory === null) {
    const pid = readInfo(path.join(home, name))?.pid;
    throw new Failure({
      what: `the project '${name}' is up${pid === undefined ? '' : ` (process ${pid})`}`,
      mend: `take it down first (morgana compose down --project=${name})`,
    });
  }
  const places = placesOf(directory, info);
  mkdirSync(places.logs);
  return { ...places, release: () => rmSync(directory, { recursive: true, force: true }) };
}

/** Null when no project of that name is up; what a dead one left is removed. */
export function findProject(name: string): ProjectPlaces | null {
  if (!isRuntimeName(name)) return null;
  const directory = path.join(homeOf(), name);
  const info = readInfo<ProjectInfo>(directory);
  if (info === null) return null;
  if (isRunning(info.pid, info.pidStart)) return placesOf(directory, info);
  removeStale(directory);
  return null;
}

/** Of all projects that are up. */
export const projectNames = (): readonly string[] =>
  namesIn('projects').filter((name) => findProject(name) !== null);
