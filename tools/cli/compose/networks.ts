/**
 * The networks of a project: each is a `morgana switch` of its own, a child of this process, and a
 * unikernel is on it, under its own name, as long as it may run. What is said to a network:
 * tools/cli/network/messages.ts.
 */

import { isIPv4 } from 'node:net';
import type { ComposedUnikernel, NetworkSpec } from '../../../packages/morgana/compose.ts';
import { Failure } from '../failure.ts';
import { NetworkClient } from '../network/control-client.ts';
import { macOnNetwork } from '../network/mac.ts';
import {
  type NetworkName,
  type NetworkStatus,
  PROBE_MILLIS_MAX,
  type PublishedAt,
} from '../network/messages.ts';
import { networkPlaces } from '../runtime-directory.ts';
import { Child } from './child.ts';
import type { ComposeProject, Member } from './compose-file.ts';
import { askConnect, type Place, type Reach } from './health.ts';
import { LAST_LINES } from './limits.ts';

const START_MILLIS_MAX = 20_000;
const LOOK_AGAIN_MILLIS = 20;

const wordsOf = (error: Error): string => error.message;

interface OpenNetwork {
  /** As the file has it. */
  readonly name: string;
  readonly child: Child;
  readonly client: NetworkClient;
  readonly switchSocket: string;
  readonly gateway: string | null;
}

/** What `morgana switch` is told of a network. */
export function networkFlags(spec: NetworkSpec): readonly string[] {
  const { subnet, gateway, host, loss, delayMs, rateMbit } = spec;
  const network = gateway === 'off' ? 'off' : subnet;
  // With a fixed number of digits: no exponents, and 0.07 * 100 is 7.
  const shown = (value: number): string => value.toFixed(6);
  return [
    ...(network === undefined ? [] : [`--gateway=${network}`]),
    ...(host === true ? ['--allow-host'] : []),
    ...(loss === undefined ? [] : [`--loss=${shown(loss * 100)}`]),
    ...(delayMs === undefined ? [] : [`--delay=${shown(delayMs)}`]),
    ...(rateMbit === undefined ? [] : [`--rate=${shown(rateMbit)}`]),
  ];
}

export class Networks {
  private readonly project: ComposeProject;
  private readonly open = new Map<string, OpenNetwork>();
  private readonly children: Child[] = [];
  private isStopping = false;
  /** Resolves with the name of a network that ended by itself: nobody on it can go on. */
  readonly lost: Promise<string>;
  private lose: (name: string) => void = () => {};

  constructor(project: ComposeProject) {
    this.project = project;
    this.lost = new Promise((resolve) => {
      this.lose = resolve;
    });
  }

  /** What this machine calls the networks that a unikernel is on. */
  namesOf(spec: ComposedUnikernel): readonly string[] {
    return spec.networks.map((name) => this.fullName(name));
  }

  /** Starts those that somebody is on; rejects with a Failure when one can't be had. */
  async up(): Promise<void> {
    const { config, members } = this.project;
    const used = new Set(members.flatMap(({ spec }) => spec.networks));
    const starting = [...used].map((name) => this.start(name, config.networks[name]!));
    const settled = await Promise.allSettled(starting);
    const failed = settled.find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async down(): Promise<void> {
    this.isStopping = true;
    for (const { client } of this.open.values()) client.close();
    for (const child of this.children) child.stop();
    await Promise.all(this.children.map((child) => child.ended));
  }

  /** As --link takes them. */
  links(member: string): readonly string[] {
    return this.spec(member).networks.map((name, index) => {
      const mac = this.macOf(member, index);
      return `unix:${this.open.get(name)!.switchSocket},mac=${mac}`;
    });
  }

  /** Runs `run` while the unikernel has its names and published ports. */
  async during(member: string, run: () => Promise<number>): Promise<number> {
    const { spec, publish } = this.project.members.find(({ name }) => name === member)!;
    const clients: NetworkClient[] = [];
    try {
      for (const [index, name] of spec.networks.entries()) {
        const client = await this.connect(name);
        clients.push(client);
        const address = index > 0 ? null : this.ownAddress(member);
        const ask = { name: member, mac: this.macOf(member, index), address, allowHost: false };
        await client.ask({ ask: 'join', ...ask });
        if (index > 0) continue;
        for (const one of publish) await client.ask({ ask: 'publish', ...one, guest: member });
      }
      return await run();
    } finally {
      for (const client of clients) client.close();
    }
  }

  /** On each of its networks, as far as it is known. */
  async addresses(member: string): Promise<readonly { network: string; address: string | null }[]> {
    return Promise.all(
      this.spec(member).networks.map(async (name, index) => ({
        network: name,
        address: await this.addressOf(name, this.macOf(member, index)),
      })),
    );
  }

  status(): readonly { readonly name: string; readonly gateway: string | null }[] {
    return [...this.open.values()].map(({ name, gateway }) => ({ name, gateway }));
  }

  /** How its ports are reached: on this machine's sockets, or through its first network. */
  reach({ name, spec, publish }: Member): Reach {
    const [network] = spec.networks;
    if (network !== undefined) return this.reachOn(network, name);
    const place = (port: number): Place => {
      const own = publish.find((one) => one.guestPort === port && one.protocol === 'tcp');
      if (own === undefined) return { host: '127.0.0.1', port };
      const isAny = own.hostAddress === '0.0.0.0';
      return { host: isAny ? '127.0.0.1' : own.hostAddress, port: own.hostPort };
    };
    return {
      connect: (port, timeoutMs, signal) => askConnect(place(port), timeoutMs, signal),
      place: async (port) => place(port),
    };
  }

  /** A port that it is asked at gets one of this machine's, any free one, for ever. */
  private reachOn(network: string, member: string): Reach {
    const places = new Map<number, Place>();
    return {
      connect: async (guestPort, timeoutMs) => {
        const timeoutMillis = Math.min(timeoutMs, PROBE_MILLIS_MAX);
        const ask = { ask: 'probe', guest: member, guestPort, timeoutMillis } as const;
        const answer = await this.open.get(network)?.client.ask(ask).catch(wordsOf);
        return answer === undefined ? 'its network is gone' : (answer as string | null);
      },
      place: async (port) => {
        const known = places.get(port);
        if (known !== undefined) return known;
        const client = this.open.get(network)?.client;
        if (client === undefined) return 'its network is gone';
        const host = '127.0.0.1';
        const asked = { hostAddress: host, hostPort: 0, protocol: 'tcp' } as const;
        const answer = await client
          .ask({ ask: 'publish', ...asked, guest: member, guestPort: port })
          .catch(wordsOf);
        if (typeof answer === 'string') return answer;
        const place = { host, port: (answer as PublishedAt).hostPort };
        places.set(port, place);
        return place;
      },
    };
  }

  private spec(member: string): ComposedUnikernel {
    return this.project.config.unikernels[member]!;
  }

  /** On its first network, without a lease. */
  private ownAddress(member: string): string | null {
    const address = /^([\d.]+)\//.exec(String(this.spec(member).args.ipv4 ?? ''))?.[1] ?? '';
    return isIPv4(address) ? address : null;
  }

  private fullName(name: string): string {
    return `${this.project.config.name}-${name}`;
  }

  /** The same each time, so that it gets the same lease. */
  private macOf(member: string, index: number): string {
    const { mac, networks } = this.spec(member);
    const made = macOnNetwork(this.fullName(networks[index]!), member);
    return index === 0 ? (mac ?? made) : made;
  }

  private async addressOf(network: string, mac: string): Promise<string | null> {
    const client = this.open.get(network)?.client;
    if (client === undefined) return null;
    const names = (await client.ask({ ask: 'names' }).catch(() => [])) as readonly NetworkName[];
    return names.find((one) => one.mac === mac)?.address ?? null;
  }

  private async start(name: string, spec: NetworkSpec): Promise<void> {
    // A build that went on while all was taken down.
    if (this.isStopping) return;
    const places = networkPlaces(this.fullName(name));
    const last: string[] = [];
    const words = ['switch', `--network=${places.name}`, ...this.flagsOf(name, spec)];
    const args = [...process.execArgv, process.argv[1]!, ...words];
    const command = { file: process.execPath, args };
    const child = new Child(
      command,
      (status) => status,
      (text) => {
        last.push(text);
        if (last.length > LAST_LINES) last.shift();
      },
    );
    this.children.push(child);
    const pid = await child.started;
    let isOver = false;
    let foreign: number | null = null;
    void child.ended.then(() => {
      isOver = true;
      if (this.open.has(name) && !this.isStopping) this.lose(name);
    });
    const deadline = performance.now() + START_MILLIS_MAX;
    for (;;) {
      const client = isOver ? null : await NetworkClient.connect(places.controlSocket);
      if (client !== null) {
        const status = (await client
          .ask({ ask: 'status' })
          .catch(() => null)) as NetworkStatus | null;
        if (status?.pid === pid) {
          const { switchSocket } = places;
          const gateway = status.gateway?.network ?? null;
          this.open.set(name, { name, child, client, switchSocket, gateway });
          return;
        }
        // Not ours: ours will find that the name is taken, and end.
        foreign = status?.pid ?? foreign;
        client.close();
      }
      if (isOver && foreign !== null) {
        const what = `a network '${places.name}' runs already (process ${foreign})`;
        throw new Failure({ what, mend: 'stop it, or take another name' });
      }
      if (isOver || performance.now() > deadline) {
        const what = `the network '${name}' does not start`;
        throw new Failure({ what, mend: 'see its words above', detail: last });
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MILLIS));
    }
  }

  private flagsOf(name: string, spec: NetworkSpec): readonly string[] {
    const leases = this.project.members
      .filter((member) => member.spec.networks[0] === name && member.spec.address !== undefined)
      .map((member) => `--lease=${this.macOf(member.name, 0)}=${member.spec.address}`);
    return [...networkFlags(spec), ...leases];
  }

  private async connect(name: string): Promise<NetworkClient> {
    const { controlSocket } = networkPlaces(this.fullName(name));
    const client = await NetworkClient.connect(controlSocket);
    if (client === null) throw new Failure({ what: `the network '${name}' is gone` });
    return client;
  }
}
