/** `morgana switch`: a network of unikernels on this machine, until Ctrl-C. */

import { existsSync, truncateSync } from 'node:fs';
import { millis } from '#core';
import { type Impairment, noImpairment } from '#switch';
import { EXIT_OK, EXIT_RUNNING, Failure, usageFailure } from '../failure.ts';
import type { CommandLine } from '../flags.ts';
import {
  makeNetworkPlaces,
  type NetworkPlaces,
  networkPlaces,
  socketPath,
} from '../runtime-directory.ts';
import type { VERBS } from '../verbs.ts';
import { NetworkClient } from './control-client.ts';
import { usualNetwork } from './gateway.ts';
import { takeLock } from './lock.ts';
import type { NetworkStatus } from './messages.ts';
import { Network } from './network.ts';
import { statusText } from './status-text.ts';

type Line = CommandLine<typeof VERBS.switch.flags>;

const say = (text: string): void => {
  process.stderr.write(`morgana: ${text}\n`);
};

export async function switchVerb(line: Line): Promise<number> {
  const { network: name, socket, status, json } = line.flags;
  if (name !== null && socket !== null) {
    throw usageFailure('--network and --socket are two ways to say where', 'leave one out');
  }
  if (json && !status) throw usageFailure('--json goes with --status', 'give it --status too');
  if (name === null) {
    if (socket === null)
      throw usageFailure('switch needs a place', 'give it --socket=PATH or --network=NAME');
    if (status)
      throw usageFailure('--status is of a network with a name', 'give it --network=NAME');
    return serve(line, null);
  }
  if (status) return printStatus(networkPlaces(name), json);
  const places = makeNetworkPlaces(name);
  const lock = takeLock(places.lock);
  if (lock === null) {
    const mend = `see "morgana switch --network=${name} --status", or take another name`;
    throw new Failure({ what: `the network '${name}' is running`, mend }, EXIT_RUNNING);
  }
  // Of the one before; what this one says to it follows.
  if (existsSync(places.log)) truncateSync(places.log);
  return serve(line, places);
}

async function serve(line: Line, places: NetworkPlaces | null): Promise<number> {
  const { flags } = line;
  const { gateway } = flags;
  if (gateway === 'off' && flags.lease.length > 0) {
    throw usageFailure('--lease is given by the gateway', 'leave --gateway=off out');
  }
  const allowsHost = flags['allow-host'];
  if (gateway === 'off' && allowsHost) {
    throw usageFailure('--allow-host is for the gateway', 'leave --gateway=off out');
  }
  const network = await Network.open({
    name: places?.name ?? null,
    switchSocket: places?.switchSocket ?? socketPath(flags.socket!),
    controlSocket: places?.controlSocket ?? null,
    pcap: flags.pcap,
    impairment: impairmentOf(line),
    gateway: gateway === 'off' ? null : (gateway ?? usualNetwork(places?.name ?? null)),
    leases: flags.lease,
    allowsHost,
    seed: flags.seed,
    lingerMillis: flags.linger * 1_000,
    say,
  });
  for (const ask of flags.publish) {
    const published = await network.publish(ask, null);
    if (published.ok) continue;
    await network.close();
    throw new Failure({ what: published.error });
  }
  const where = places?.switchSocket ?? flags.socket;
  const called = places === null ? '' : `, network '${places.name}'`;
  say(`switch at ${where}${called}; plug in with --link=unix:${where}`);
  if (network.gatewayText !== null) say(network.gatewayText);
  await Promise.race([stopped(), network.deserted]);
  await network.close();
  return EXIT_OK;
}

/** Resolves on Ctrl-C and its kin. */
function stopped(): Promise<void> {
  return new Promise((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(name, () => resolve());
    }
  });
}

/** Null when nothing is asked for: then frames take the short way. */
function impairmentOf(line: Line): Impairment | null {
  const { loss, delay, jitter, rate } = line.flags;
  if (loss === 0 && delay === 0 && jitter === 0 && rate === 0) return null;
  return {
    ...noImpairment(),
    lossShare: loss / 100,
    delay: millis(delay),
    jitter: millis(jitter),
    bitsPerSecond: rate === 0 ? Number.POSITIVE_INFINITY : rate * 1e6,
  };
}

async function printStatus(places: NetworkPlaces, json: boolean): Promise<number> {
  const client = await NetworkClient.connect(places.controlSocket);
  if (client === null) {
    const mend = `start it: morgana switch --network=${places.name}`;
    throw new Failure({ what: `the network '${places.name}' does not run`, mend });
  }
  const status = (await client.ask({ ask: 'status' })) as NetworkStatus;
  client.close();
  process.stdout.write(json ? `${JSON.stringify(status, null, 2)}\n` : statusText(status));
  return EXIT_OK;
}
