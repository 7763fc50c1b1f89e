/** Joins a network by name, and starts its switch when nobody has. */

import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { EXIT_OK, EXIT_RUNNING, Failure } from '../failure.ts';
import { makeNetworkPlaces, type NetworkPlaces, runtimeDirectory } from '../runtime-directory.ts';
import { NetworkClient } from './control-client.ts';
import { macOnNetwork } from './mac.ts';
import type { JoinAsk, Joined, PublishAsk } from './messages.ts';

/** How long a network may take to start; one that is ending included. */
const START_MS_MAX = 20_000;
const LOOK_AGAIN_MS = 20;
/** A network that `run` started ends so long after the last one left. */
const LINGER_SECONDS = 5;

/** A place on a network, as long as `leave` isn't called and the network runs. */
export interface Membership {
  readonly network: string;
  readonly joined: Joined;
  readonly mac: string;
  /** The network's socket with our address, as --link takes it. */
  readonly link: string;
  /** Resolves when the network is gone. */
  readonly ended: Promise<void>;
  publish(ask: PublishAsk): Promise<void>;
  leave(): void;
}

export async function joinNetwork(
  network: string,
  { name, ...wish }: Omit<JoinAsk, 'mac'>,
): Promise<Membership> {
  const places = makeNetworkPlaces(network);
  const mac = macOnNetwork(network, name);
  const { client, joined } = await enter(places, { name, mac, ...wish });
  return {
    network,
    joined,
    mac,
    link: `unix:${joined.switchSocket},mac=${mac}`,
    ended: client.closed,
    publish: async (ask) => void (await client.ask({ ask: 'publish', ...ask })),
    leave: () => client.close(),
  };
}

/**
 * Connects and joins. Whoever is first starts the switch; when two are, one of theirs gets the lock
 * and the other ends at once. One that is about to end doesn't answer: then another is started.
 */
async function enter(
  places: NetworkPlaces,
  ask: JoinAsk,
): Promise<{ client: NetworkClient; joined: Joined }> {
  const deadline = performance.now() + START_MS_MAX;
  let starting: Starting | null = null;
  for (;;) {
    const client = await NetworkClient.connect(places.controlSocket);
    if (client !== null) {
      try {
        const joined = (await client.ask({ ask: 'join', ...ask })) as Joined;
        return { client, joined };
      } catch (error) {
        // It said no, unless it went before it answered.
        const isRefused = client.isOpen;
        client.close();
        if (isRefused) throw error;
      }
    }
    const code = starting?.code() ?? null;
    if (code !== null && code !== EXIT_OK && code !== EXIT_RUNNING) throw startFailure(places);
    if (performance.now() > deadline) throw startFailure(places);
    if (starting === null || code !== null) starting = start(places, ask.allowHost);
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}

interface Starting {
  /** Its exit code; null while it runs. */
  code(): number | null;
}

/** Its own session and no terminal: Ctrl-C is for the unikernel. */
function start(places: NetworkPlaces, allowHost: boolean): Starting {
  const log = openSync(places.log, 'a', 0o600);
  const words = ['switch', `--network=${places.name}`, `--linger=${LINGER_SECONDS}`];
  if (allowHost) words.push('--allow-host');
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...words], {
    cwd: '/',
    // As we found it: a relative path would lead elsewhere from there.
    env: { ...process.env, MORGANA_RUNTIME_DIR: runtimeDirectory() },
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  let code: number | null = null;
  child.once('error', () => {
    code = 1;
  });
  child.once('exit', (status) => {
    code = status ?? 1;
  });
  child.unref();
  return { code: () => code };
}

function startFailure(places: NetworkPlaces): Failure {
  const last = lastLines(places.log);
  return new Failure({
    what: `the network '${places.name}' does not start`,
    mend: `see ${places.log}`,
    detail: last,
  });
}

function lastLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-3);
  } catch {
    return [];
  }
}
