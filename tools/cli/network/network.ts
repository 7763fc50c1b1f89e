/**
 * A network that runs in this process: a switch on a socket, and, when it has a name, the control
 * socket beside it. It ends when it is told to, or when nobody was on it for as long as it lingers.
 */

import { assert, err, ok, type Result, SeededRandom } from '#core';
import type { Member } from '#gateway';
import { parseIpv4Address } from '#net';
import { type Impairment, Switch, type SwitchPort } from '#switch';
import { NodeLoop } from '#targets/node/loop';
import { PcapFile } from '#targets/node/pcap-file';
import { formatPortEnd, type SwitchListenError, SwitchServer } from '#targets/node/switch-server';
import { Failure } from '../failure.ts';
import { type ControlClient, NetworkControlServer } from './control-server.ts';
import { NetworkGateway, type StaticLease } from './gateway.ts';
import { macOfGateway, parseMacText } from './mac.ts';
import type {
  JoinAsk,
  Joined,
  NetworkAsk,
  NetworkName,
  NetworkStatus,
  PortStatus,
  PublishAsk,
  PublishedAt,
} from './messages.ts';

export interface NetworkOptions {
  /** Null: a switch without a name, and without a control socket. */
  readonly name: string | null;
  readonly switchSocket: string;
  readonly controlSocket: string | null;
  /** A file, '-' for stdout, or null. */
  readonly pcap: string | null;
  readonly impairment: Impairment | null;
  /** The gateway's network, as "10.77.0.0/24"; null: there is none. */
  readonly gateway: string | null;
  readonly leases: readonly StaticLease[];
  /** Whether the gateway leads to this machine's loopback. */
  readonly allowsHost: boolean;
  readonly seed: number;
  /** Ends when nobody was on it for so long; 0: stays. */
  readonly lingerMillis: number;
  say(text: string): void;
}

interface Published {
  readonly ask: PublishAsk;
  /** With whose connection it ends. */
  readonly client: ControlClient | null;
  undo(): void;
}

export class Network {
  /** Resolves when it lingered long enough. */
  readonly deserted: Promise<void>;
  private readonly options: NetworkOptions;
  private readonly loop = new NodeLoop();
  private readonly network: Switch;
  private readonly server: SwitchServer;
  private readonly control: NetworkControlServer;
  private readonly pcap: PcapFile | null;
  private readonly gateway: NetworkGateway | null;
  private readonly joined = new Map<ControlClient, JoinAsk>();
  private readonly published = new Set<Published>();
  private readonly gone = new WeakSet<ControlClient>();
  private lingering: NodeJS.Timeout | null = null;
  private isClosing = false;
  private desert: () => void = () => {};

  private constructor(options: NetworkOptions) {
    const { pcap, impairment, gateway, seed, say } = options;
    this.options = options;
    this.network = new Switch(this.loop.timers, new SeededRandom(seed));
    this.network.impairment = impairment;
    this.server = new SwitchServer(this.loop, this.network, {
      joined: (port) => this.moved(`port ${port.name} joined`),
      left: (port, end) => this.moved(`port ${port.name} ${formatPortEnd(end)}${dropsOf(port)}`),
      full: () => say('no port is left: a connection was closed'),
    });
    this.control = new NetworkControlServer({
      answer: (ask, client) => this.answer(ask, client),
      left: (client) => this.leave(client),
    });
    // From the first frame on, which is the gateway's.
    this.pcap = pcap === null ? null : this.capture(pcap);
    this.gateway = gateway === null ? null : this.openGateway(gateway);
    this.deserted = new Promise((resolve) => {
      this.desert = resolve;
    });
  }

  /** Rejects with a Failure when it can't have its sockets. */
  static async open(options: NetworkOptions): Promise<Network> {
    const network = new Network(options);
    const listening = await network.server.listen(options.switchSocket);
    if (!listening.ok) {
      await network.close();
      throw listenFailure(options.switchSocket, listening.error);
    }
    if (options.controlSocket !== null) await network.control.listen(options.controlSocket);
    network.linger();
    return network;
  }

  /** For its user; null without a gateway. */
  get gatewayText(): string | null {
    const { gateway } = this;
    if (gateway === null) return null;
    const host = gateway.allowsHost ? ', its loopback too (host.internal)' : '';
    const served = `DHCP for ${gateway.network}, DNS, and this machine's network`;
    return `gateway ${gateway.address}: ${served}${host}`;
  }

  /** Takes all down: connections, sockets, the capture's last frames. */
  async close(): Promise<void> {
    this.isClosing = true;
    if (this.lingering !== null) clearTimeout(this.lingering);
    // First of all: who comes from now on must look for another.
    await this.control.close();
    await this.server.close();
    this.gateway?.close();
    await this.pcap?.close();
    const leftOut = this.pcap?.leftOut ?? 0;
    if (leftOut > 0) this.options.say(`the capture lacks ${leftOut} frames: its reader was slow`);
    this.loop.stop();
  }

  /** In a turn, so that what it wants to do later is planned. */
  private openGateway(network: string): NetworkGateway {
    const { name, leases, allowsHost, say } = this.options;
    const mac = parseMacText(macOfGateway(name ?? ''));
    let opened: NetworkGateway | null = null;
    this.loop.turn(() => {
      const members = (): Iterable<Member> => this.members();
      const wish = { mac, network, leases, allowsHost, members, say };
      opened = new NetworkGateway(this.loop, this.network, wish);
    });
    assert(opened !== null);
    return opened;
  }

  private capture(place: string): PcapFile {
    const pcap = new PcapFile(this.loop, place, (error) => {
      this.network.tap = null;
      const why = error.code === 'EPIPE' ? 'its reader left' : error.message;
      this.options.say(`the capture has ended: ${why}`);
    });
    this.network.tap = pcap.tap;
    return pcap;
  }

  private moved(text: string): void {
    this.options.say(text);
    this.linger();
  }

  /** (Re)starts or stops the clock of a network that nobody is on. */
  private linger(): void {
    // Those who leave because it ends don't keep its process.
    if (this.isClosing) return;
    const { lingerMillis } = this.options;
    const isDeserted = this.server.size === 0 && this.joined.size === 0;
    if (!isDeserted && this.lingering !== null) {
      clearTimeout(this.lingering);
      this.lingering = null;
    }
    if (!isDeserted || lingerMillis === 0 || this.lingering !== null) return;
    this.lingering = setTimeout(this.desert, lingerMillis);
  }

  private async answer(ask: NetworkAsk, client: ControlClient): Promise<Result<unknown, string>> {
    // Leases and addresses age by the loop's clock, which stood still while nothing happened.
    this.loop.turn(() => {});
    switch (ask.ask) {
      case 'join':
        return this.join(ask, client);
      case 'names':
        return ok(this.names());
      case 'status':
        return ok(this.status());
      case 'publish':
        return this.publish(ask, client);
      case 'probe':
        if (this.gateway === null) return err('this network has no gateway to ask from');
        return ok(await this.gateway.probe(ask));
      case 'unpublish':
        return this.unpublish(ask);
    }
  }

  /** Leads a port of this machine to one on the network; `client` null: for as long as it runs. */
  async publish(
    ask: PublishAsk,
    client: ControlClient | null,
  ): Promise<Result<PublishedAt, string>> {
    if (this.gateway === null) {
      return err('this network has no gateway, so nothing can be published on it');
    }
    const { hostAddress, protocol, guest, guestPort } = ask;
    const found = await this.gateway.publish(ask);
    if (typeof found === 'string') return err(found);
    const { hostPort } = found;
    const published = { hostAddress, hostPort, protocol, guest, guestPort };
    this.published.add({ ask: published, client, undo: () => found.close() });
    if (client !== null && this.gone.has(client)) this.leave(client);
    return ok({ hostPort });
  }

  private unpublish(ask: Omit<PublishAsk, 'guest' | 'guestPort'>): Result<null, string> {
    const { hostAddress, hostPort, protocol } = ask;
    for (const one of this.published) {
      const { ask: known } = one;
      const isThis = known.hostAddress === hostAddress && known.hostPort === hostPort;
      if (!isThis || known.protocol !== protocol) continue;
      this.withdraw(one);
      return ok(null);
    }
    return err(`port ${hostPort} is not published`);
  }

  private withdraw(published: Published): void {
    this.published.delete(published);
    published.undo();
  }

  private join(ask: JoinAsk, client: ControlClient): Result<Joined, string> {
    const { switchSocket, allowsHost, name } = this.options;
    if (ask.allowHost && !(allowsHost && this.gateway !== null)) {
      const called = name === null ? 'this network' : `the network '${name}'`;
      return err(`${called} runs without --allow-host: start it anew with that, or join without`);
    }
    this.joined.set(client, ask);
    this.moved(`${ask.name} joined`);
    const gateway = this.gateway?.network ?? null;
    return ok({ switchSocket, pid: process.pid, gateway });
  }

  /** Whom the gateway knows by name. */
  private *members(): Iterable<Member> {
    for (const { name, mac, address } of this.joined.values()) {
      yield { name, mac, address: address === null ? null : parseIpv4Address(address) };
    }
  }

  private leave(client: ControlClient): void {
    this.gone.add(client);
    for (const one of this.published) if (one.client === client) this.withdraw(one);
    const member = this.joined.get(client);
    if (member === undefined) return;
    this.joined.delete(client);
    this.moved(`${member.name} left`);
  }

  private names(): readonly NetworkName[] {
    return [...this.joined.values()].map(({ name, mac, address }) => {
      return { name, mac, address: address ?? this.gateway?.addressOf(mac) ?? null };
    });
  }

  private status(): NetworkStatus {
    const { name, switchSocket } = this.options;
    const addresses = this.network.addresses();
    return {
      name,
      pid: process.pid,
      switchSocket,
      ports: this.network.plugged().map((port) => ({
        ...portStatus(port),
        macs: addresses
          .filter((entry) => entry.port === port)
          .map((entry) => macText(entry.address)),
      })),
      counters: this.network.counters(),
      names: this.names(),
      published: [...this.published].map(({ ask }) => ask),
      gateway:
        this.gateway === null
          ? null
          : {
              network: this.gateway.network,
              allowsHost: this.gateway.allowsHost,
              counters: this.gateway.counters(),
            },
    };
  }
}

const occurred = (drops: object): Record<string, number> =>
  Object.fromEntries(Object.entries(drops).filter(([, count]) => count > 0));

const portStatus = (port: SwitchPort): Omit<PortStatus, 'macs'> => ({
  port: port.name,
  counters: { ...port.counters },
  drops: occurred(port.drops),
});

/** What its user should know of a port that leaves: "; dropped: queueFull 3". */
function dropsOf(port: SwitchPort): string {
  const drops = Object.entries(occurred(port.drops));
  if (drops.length === 0) return '';
  return `; dropped: ${drops.map(([reason, count]) => `${reason} ${count}`).join(', ')}`;
}

/** 48 bits as "52:54:00:00:00:01". */
const macText = (address: number): string =>
  (address.toString(16).padStart(12, '0').match(/../g) ?? []).join(':');

function listenFailure(place: string, error: SwitchListenError): Failure {
  switch (error.kind) {
    case 'in use':
      return new Failure({
        what: `${place} is in use: a switch, or another program, listens there`,
        mend: 'stop it, or take another --socket',
      });
    case 'not a socket':
      return new Failure({ what: `${place} is a file`, mend: 'take another --socket' });
    case 'refused':
      return new Failure({
        what: `can't listen at ${place} (${error.message})`,
        mend: 'take a path in a directory that exists and is yours',
      });
  }
}
