/**
 * A unikernel on networks, for as long as it runs: its links, the name that it tells the network's
 * DHCP server, and ports of this machine that the network leads to it.
 */

import { isIPv4 } from 'node:net';
import type { Description } from '../description.ts';
import { EXIT_FAILED } from '../failure.ts';
import type { Publish } from '../flags.ts';
import type { Running } from '../machine.ts';
import { joinNetwork, type Membership } from './join.ts';

export interface NetworkWish {
  /** An interface each, in order; none: nothing is joined. */
  readonly networks: readonly string[];
  /** What the unikernel is called there. */
  readonly name: string;
  readonly description: Description | null;
  readonly bootArguments: readonly string[];
  /** Whether it must reach this machine's loopback, on each of them. */
  readonly allowHost: boolean;
  /** On the first of the networks. */
  readonly publish: readonly Publish[];
  say(text: string): void;
}

/** What the unikernel is started with. */
export interface OnNetworks {
  /** As --link takes them. */
  readonly links: readonly string[];
  readonly bootArguments: readonly string[];
}

/**
 * Joins, starts, and leaves when it has ended. It is stopped when a network goes: its link is gone
 * for good, and QEMU would not even say so.
 */
export async function runOnNetworks(
  wish: NetworkWish,
  start: (on: OnNetworks) => Promise<Running>,
): Promise<number> {
  const { networks, name, bootArguments, allowHost, say } = wish;
  const memberships: Membership[] = [];
  try {
    for (const [index, network] of networks.entries()) {
      const address = index === 0 ? ownAddress(bootArguments) : null;
      memberships.push(await joinNetwork(network, { name, address, allowHost }));
    }
    for (const membership of memberships) say(sentenceOf(membership, name));
    for (const ask of wish.publish) await memberships[0]!.publish({ ...ask, guest: name });
    const running = await start({
      links: memberships.map(({ link }) => link),
      bootArguments: named(name, wish),
    });
    const gone = Promise.race(
      memberships.map(async ({ network, ended }) => {
        await ended;
        return network;
      }),
    );
    const end = await Promise.race([running.ended, gone]);
    if (typeof end === 'number') return end;
    say(`the network '${end}' has gone, so ${name} is stopped`);
    running.stop();
    await running.ended;
    return EXIT_FAILED;
  } finally {
    for (const membership of memberships) membership.leave();
  }
}

function sentenceOf({ network, joined, mac }: Membership, name: string): string {
  const gateway = joined.gateway === null ? 'which has no gateway' : `gateway of ${joined.gateway}`;
  return `${name} is on the network '${network}', ${gateway}; ${mac}`;
}

/** That it is told to have, and so doesn't ask the network for. */
function ownAddress(bootArguments: readonly string[]): string | null {
  const word = bootArguments.find((text) => text.startsWith('--ipv4='));
  const address = /^--ipv4=([\d.]+)\//.exec(word ?? '')?.[1] ?? '';
  return isIPv4(address) ? address : null;
}

/** With --hostname, where the program has it and the user gave none. */
function named(name: string, { description, bootArguments, networks }: NetworkWish): string[] {
  const has = Object.hasOwn(description?.args ?? {}, 'hostname') && networks.length > 0;
  const isGiven = bootArguments.some((word) => word.startsWith('--hostname='));
  return has && !isGiven ? [...bootArguments, `--hostname=${name}`] : [...bootArguments];
}
