/** The gateway of a network, on a port of its switch: addresses, names, and the host's network. */

import { createHash, randomFillSync } from 'node:crypto';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { isIP } from 'node:net';
import { Log, wallTimeOfMillis } from '#core';
import type { Endpoint } from '#device';
import {
  Gateway,
  type GatewayNetwork,
  gatewayNetwork,
  type Members,
  type PublishError,
} from '#gateway';
import { type FixedLease, formatIpv4Address, parseIpv4Address } from '#net';
import { type Switch, SwitchNetDevice } from '#switch';
import { HostStack } from '#targets/node/host-stack';
import type { NodeLoop } from '#targets/node/loop';
import { usageFailure } from '../failure.ts';
import { parseMacText } from './mac.ts';
import type { ProbeAsk, PublishAsk } from './messages.ts';

const RESOLV_CONF = '/etc/resolv.conf';
const DNS_PORT = 53;
/** A laptop goes from one network to another. */
const LOOK_AGAIN_MS = 5_000;

/**
 * The network of a name, when nobody says which: the same each time, and seldom that of another
 * name, so that a unikernel can be on two.
 */
export function usualNetwork(name: string | null): string {
  const third = name === null ? 0 : createHash('sha256').update(name).digest()[0]!;
  return `10.77.${third}.0/24`;
}

export interface GatewayWish {
  readonly mac: Uint8Array;
  /** As "10.77.0.0/24". */
  readonly network: string;
  readonly leases: readonly StaticLease[];
  /** Whether guests reach this machine's loopback, as host.internal. */
  readonly allowsHost: boolean;
  readonly members: Members;
  say(line: string): void;
}

export class NetworkGateway {
  /** As "10.77.0.0/24". */
  readonly network: string;
  readonly allowsHost: boolean;
  private readonly gateway: Gateway;
  private readonly loop: NodeLoop;
  private readonly refresh: () => void;

  /** Throws a Failure when its network is none that a gateway can have. */
  constructor(loop: NodeLoop, network: Switch, wish: GatewayWish) {
    const { mac, network: text, leases, allowsHost, members, say } = wish;
    const known = gatewayNetwork(text, { nameServers: hostNameServers(), allowsHost });
    if (!known.ok) throw usageFailure(`--gateway: ${known.error.message}`, 'give it 10.77.0.0/24');
    const fixed = fixedLeases(leases, known.value);
    this.loop = loop;
    this.network = text;
    this.allowsHost = allowsHost;
    this.gateway = new Gateway({
      device: new SwitchNetDevice(loop.timers, network, 'gateway', mac),
      host: new HostStack(loop),
      timers: loop.timers,
      entropy: { fill: (out) => void randomFillSync(out) },
      clock: { wall: () => wallTimeOfMillis(Date.now()) },
      logger: new Log(say, 'warn').source('gateway'),
      network: { ...known.value, fixed },
      members,
    });
    this.refresh = () => loop.turn(() => this.gateway.useNameServers(hostNameServers()));
    watchFile(RESOLV_CONF, { persistent: false, interval: LOOK_AGAIN_MS }, this.refresh);
  }

  /** Its own address. */
  get address(): string {
    return formatIpv4Address(this.gateway.network.address);
  }

  /** The address of the station, when it has a lease. */
  addressOf(mac: string): string | null {
    const address = this.gateway.addressOfStation(mac);
    return address === null ? null : formatIpv4Address(address);
  }

  /** Where it is published and what undoes that, or one sentence. */
  async publish(ask: PublishAsk): Promise<{ hostPort: number; close(): void } | string> {
    const guest = parseIpv4Address(ask.guest) ?? ask.guest;
    const published = await this.gateway.publish({ ...ask, guest });
    return published.ok ? published.value : sentenceOf(ask, published.error);
  }

  /** Opens a connection to the guest, and breaks it off; null, or why it didn't come to be. */
  probe({ guest, guestPort, timeoutMillis }: ProbeAsk): Promise<string | null> {
    return new Promise((resolve) => {
      const address = parseIpv4Address(guest) ?? this.gateway.addressOf(guest);
      if (address === null) return resolve(`nobody is called '${guest}' yet`);
      this.loop.turn(() => {
        const connecting = this.gateway.tcp.connect(address, guestPort, (opened) => {
          clearTimeout(late);
          if (!opened.ok) return resolve(`the connection failed: ${opened.error.kind}`);
          // Not by a FIN: a service that stays half open would keep one of each probe.
          opened.value.abort();
          resolve(null);
        });
        const late = setTimeout(() => {
          this.loop.turn(() => connecting.cancel());
          resolve(`no connection within ${timeoutMillis} ms`);
        }, timeoutMillis);
      });
    });
  }

  counters(): Readonly<Record<string, number>> {
    return this.gateway.counters();
  }

  close(): void {
    unwatchFile(RESOLV_CONF, this.refresh);
    this.gateway.close();
  }
}

/** Beside the largest pool these fit the table of the DHCP server. */
export const LEASES_MAX = 64;

/** What --lease says: the address that a station always gets. */
export interface StaticLease {
  readonly mac: string;
  readonly address: string;
}

/** Throws a Failure for one that the network can't give. */
function fixedLeases(leases: readonly StaticLease[], network: GatewayNetwork): FixedLease[] {
  const { address: own, hostAddress, prefixBits } = network;
  const taken = new Set<number | null>([own, hostAddress]);
  const stations = new Set<string>();
  if (leases.length > LEASES_MAX) {
    throw usageFailure(`${leases.length} are too many --lease`, `${LEASES_MAX} are the most`);
  }
  return leases.map(({ mac, address: text }) => {
    const refuse = (why: string): Error =>
      usageFailure(`--lease=${mac}=${text}: ${why}`, 'give it another address of the network');
    const address = parseIpv4Address(text);
    const size = 2 ** (32 - prefixBits);
    const index = address === null ? 0 : address - (own - 1);
    if (address === null || index < 1 || index >= size - 1) throw refuse('no host of the network');
    if (taken.has(address)) throw refuse('that address is taken');
    if (stations.has(mac)) throw refuse('that station has a lease already');
    taken.add(address);
    stations.add(mac);
    return { mac: parseMacText(mac), address };
  });
}

function sentenceOf({ hostAddress, hostPort }: PublishAsk, error: PublishError): string {
  switch (error.kind) {
    case 'port in use':
      return `port ${hostPort} of this machine is in use, stop what holds it, or publish another`;
    case 'not permitted':
      return `port ${hostPort} can't be opened at ${hostAddress}: no right to, or no such address`;
    case 'too many ports':
      return 'this network has too many published ports';
    case 'closed':
      return 'this network is ending';
  }
}

/** Those that this machine asks. Its own, on 127.0.0.53 say, are reached from here too. */
function hostNameServers(): readonly Endpoint[] {
  try {
    return parseResolvConf(readFileSync(RESOLV_CONF, 'utf8'));
  } catch {
    return [];
  }
}

/** resolv.conf(5). An address with a zone ("fe80::1%eth0") is the host's to understand. */
export function parseResolvConf(text: string): readonly Endpoint[] {
  return text
    .split('\n')
    .flatMap((line) => /^nameserver\s+(\S+)/.exec(line)?.[1] ?? [])
    .filter((address) => isIP(address.replace(/%.*/, '')) !== 0)
    .map((address) => ({ address, port: DNS_PORT }));
}
