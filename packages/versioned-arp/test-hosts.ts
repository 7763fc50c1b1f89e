/** For tests: hosts on a simulated switch, each with a versioned ARP cache in its own memory. */

import { after, assert, Log, seconds } from '#core';
import {
  type FileMode,
  MemoryBackend,
  MODE_DIRECTORY,
  MODE_FILE,
  nameObject,
  type ObjectBackend,
  type ObjectId,
} from '#git';
import { emitTree } from '#git/wire';
import { type Ipv4Address, parseIpv4Address } from '#net';
import { ETHERTYPE_ARP, emitArp, emitEthernet, MAC_BROADCAST } from '#net/wire';
import { Repository } from '#store';
import { nodeCrypto } from '#targets/node/crypto';
import { SimWorld } from '#targets/sim/index';
import { StackHost } from '../../tests/sim/stack-host.ts';
import { type NeighborRemote, storeRemote } from './remote.ts';
import { VersionedArp, type VersionedArpOptions } from './versioned-arp.ts';

export const ip = (text: string): Ipv4Address => parseIpv4Address(text)!;

export class ArpHost {
  readonly name: string;
  readonly address: string;
  readonly backend: ObjectBackend;
  readonly repository: Repository;
  readonly arp: VersionedArp;
  readonly host: StackHost;
  readonly remote: NeighborRemote;
  readonly lines: string[] = [];

  constructor(
    world: SimWorld,
    number: number,
    options: Partial<VersionedArpOptions> = {},
    backend: ObjectBackend = new MemoryBackend(),
  ) {
    this.name = `host-${number}`;
    this.address = `10.0.0.${number}`;
    this.backend = backend;
    const author = { name: this.name, email: '' };
    const { clock, timers } = world;
    const entropy = world.random;
    this.repository = Repository.open({ backend, crypto: nodeCrypto, clock, author, entropy });
    this.arp = new VersionedArp({
      repository: this.repository,
      timers,
      clock,
      entropy: world.random,
      log: new Log((line) => this.lines.push(line), 'info').source('arp'),
      host: this.name,
      ...options,
    });
    this.host = new StackHost(world, this.name, {}, { arp: this.arp.policy });
    this.host.configure(ip(this.address), 24);
    this.remote = storeRemote(this.name, this.repository);
    world.onCheck(() => this.arp.checkInvariants());
  }

  /** Puts a tree into the store that has the same by each name; without a commit. */
  async writeTree(
    names: readonly string[],
    kind: 'tree' | 'blob',
    id: ObjectId,
  ): Promise<ObjectId> {
    const mode = (kind === 'tree' ? MODE_DIRECTORY : MODE_FILE) as FileMode;
    const entries = names.toSorted().map((name) => ({ mode, name, id }));
    const tree = nameObject(nodeCrypto, 'SHA-1', 'tree', emitTree(entries, 20));
    assert((await this.backend.writeObjects([tree])).ok);
    return tree.id;
  }

  /** Makes a tree the head's. */
  async commitTree(id: ObjectId): Promise<void> {
    const branch = this.repository.branch('main');
    const head = await branch.head();
    assert(head.ok && head.value !== null);
    const commit = await this.repository.writeCommit({ id, objects: [] }, [head.value], {});
    assert(commit.ok && (await branch.setHead(commit.value)).ok);
  }

  /** Sends a datagram to `to`: asks for its link address first, if need be. */
  send(to: string): void {
    const opened = this.host.net.udp.open(0, { datagram() {} });
    assert(opened.ok);
    opened.value.send(Uint8Array.of(1), ip(to), 9);
    opened.value.close();
  }

  /** Broadcasts an ARP packet that says that `address` is at `mac`, to `target`. */
  forge(operation: 1 | 2, address: string, mac: Uint8Array, target: string): void {
    const frame = new Uint8Array(42);
    const { device } = this.host.host;
    emitEthernet(frame, {
      destination: MAC_BROADCAST,
      source: device.mac,
      etherType: ETHERTYPE_ARP,
      payload: new Uint8Array(28),
    });
    emitArp(frame, 14, {
      operation,
      senderMac: mac,
      senderAddress: ip(address),
      targetMac: MAC_BROADCAST,
      targetAddress: ip(target),
    });
    const memory = device.reserve();
    assert(memory !== null);
    memory.set(frame);
    device.commit(frame.length, [], null);
  }

  /** An ARP frame with whatever in it. */
  sendFrame(destination: Uint8Array, payload: Uint8Array): void {
    const { device } = this.host.host;
    const memory = device.reserve();
    assert(memory !== null);
    const repr = { destination, source: device.mac, etherType: ETHERTYPE_ARP, payload };
    device.commit(emitEthernet(memory, repr), [], null);
  }

  get mac(): Uint8Array {
    return this.host.host.device.mac;
  }

  /** Addresses of neighbours that it has an answer for, in order. */
  known(): string[] {
    return [...this.arp.neighbors().keys()].sort();
  }

  /** Subjects of commits, newest first. */
  async log(): Promise<string[]> {
    const subjects: string[] = [];
    for await (const commit of this.repository.branch('main').history()) {
      if (!commit.ok) throw new Error(commit.error.kind);
      subjects.push(commit.value.message.split('\n')[0] ?? '');
    }
    return subjects;
  }

  /** The whole of the committed table, as one text. */
  async committed(): Promise<string> {
    const tree = await this.repository.branch('main').tree();
    if (!tree.ok) throw new Error(tree.error.kind);
    const lines: string[] = [];
    for await (const item of tree.value.walk()) {
      if (!item.ok) throw new Error(item.error.kind);
      if (item.value.kind === 'contents')
        lines.push(`${item.value.path.join('/')} ${item.value.id}`);
    }
    return lines.join('\n');
  }
}

export class Hosts {
  readonly world: SimWorld;
  readonly hosts: ArpHost[];

  constructor(count: number, options: Partial<VersionedArpOptions> = {}, seed = 1) {
    this.world = new SimWorld(seed);
    this.hosts = Array.from({ length: count }, (_, i) => new ArpHost(this.world, i + 1, options));
  }

  static async started(
    count: number,
    options: Partial<VersionedArpOptions> = {},
    seed = 1,
  ): Promise<Hosts> {
    const made = new Hosts(count, options, seed);
    for (const { arp } of made.hosts) assert((await arp.start()).ok);
    return made;
  }

  /** Lets virtual time pass, and stores settle. */
  async pass(count: number): Promise<void> {
    const end = after(this.world.timers.now, seconds(count));
    for (let isMoved = true; isMoved; ) {
      isMoved = this.world.step(end);
      for (const { arp } of this.hosts) await arp.history.settled();
    }
    this.world.checkInvariants();
  }
}
