/**
 * A learning Ethernet switch (802.1D §7), synchronous: what comes in on a port leaves on others
 * within the call, unless loss, delay or a rate is asked for. Required reading: address-table.ts
 * (who is where), limits.ts.
 *
 * Not here: sockets (targets/node/switch-server.ts), VLANs (tags are carried as they are), a
 * spanning tree (two switches joined twice flood each other for ever), IGMP and MLD snooping
 * (groups are flooded).
 */

import { assert, type Instant, readI32be, readU16be, type TimerQueue, toU32 } from '#core';
import { type AddressEntry, AddressTable } from './address-table.ts';
import type { Chance } from './faults.ts';
import { Impairer, type Impairment } from './impairment.ts';
import {
  AGEING,
  ETHERNET_HEADER_BYTES,
  FRAME_BYTES_MAX,
  PORTS_MAX,
  PREFIX_BYTES,
  UNDER_WAY_BYTES_MAX,
} from './limits.ts';

/** Of the first two bytes of an address, as one number. */
const GROUP_BIT = 0x0100;
const LOW_WORDS = 0x100000000;
const SOURCE_AT = 6;
/** 01:80:c2:00:00:00 to ..:0f stay on their link (802.1Q table 8-1). */
const RESERVED_HIGH = 0x0180;
const RESERVED_LOW = 0xc2000000;
const RESERVED_COUNT = 16;

/** Why a frame that came in on a port went nowhere, or one for a port didn't get there. */
export interface DropCounters {
  /** Shorter than a header, or longer than FRAME_BYTES_MAX. */
  runt: number;
  oversize: number;
  /** The source is a group, or all zeros. */
  badSource: number;
  /** The source is pinned to another port. */
  forgedSource: number;
  /** For a link-local group, which no bridge forwards. */
  reserved: number;
  /** For a station behind the port that it came from. */
  samePort: number;
  /** No room in this port's queue: its peer reads too slowly. */
  queueFull: number;
  /** Lost on request; did not fit the rate or the delay asked for. */
  lost: number;
  rateFull: number;
  underWayFull: number;
}

export interface PortCounters {
  received: number;
  receivedBytes: number;
  sent: number;
  sentBytes: number;
}

export interface PortHandler {
  /**
   * Sends bytes [start, end) of `bytes`, which nobody changes any more: the handler may keep them.
   * PREFIX_BYTES before `start` hold the length. False when there is no room.
   */
  transmit(bytes: Uint8Array, start: number, end: number): boolean;
}

/** Sees each frame that is forwarded, before anything is lost. Must not change it. */
export type SwitchTap = (bytes: Uint8Array, start: number, end: number, now: Instant) => void;

export interface SwitchOptions {
  readonly portsMax: number;
  readonly addressesMax: number;
  readonly addressesOfPortMax: number;
  readonly underWayBytesMax: number;
}

export class SwitchPort {
  readonly name: string;
  readonly counters: PortCounters = { received: 0, receivedBytes: 0, sent: 0, sentBytes: 0 };
  readonly drops: DropCounters = {
    runt: 0,
    oversize: 0,
    badSource: 0,
    forgedSource: 0,
    reserved: 0,
    samePort: 0,
    queueFull: 0,
    lost: 0,
    rateFull: 0,
    underWayFull: 0,
  };
  readonly addresses = new Set<AddressEntry<SwitchPort>>();
  /** Of frames to this port, in place of the network's; may change at any time. */
  impairment: Impairment | null = null;
  /** What the impairer keeps: when the last frame will have left, and arrives; bytes under way. */
  freeAt = 0;
  arrivesAt = 0;
  underWayBytes = 0;
  /** The last source and destination of what came in here: as a rule they are the next ones too. */
  lastSource: AddressEntry<SwitchPort> | null = null;
  lastTarget: AddressEntry<SwitchPort> | null = null;
  isPlugged = true;
  private readonly owner: Switch;
  private readonly handler: PortHandler;

  constructor(owner: Switch, name: string, handler: PortHandler) {
    this.owner = owner;
    this.name = name;
    this.handler = handler;
  }

  /**
   * A frame came in: bytes [start, end) of `bytes`, which are the switch's from now on. Its length,
   * big-endian, stands in the PREFIX_BYTES before it.
   */
  receive(bytes: Uint8Array, start: number, end: number): void {
    if (this.isPlugged) this.owner.forward(this, bytes, start, end);
  }

  /** The station `mac` is behind this port, whatever others send. */
  pin(mac: Uint8Array): void {
    this.owner.pin(this, mac);
  }

  /** Pulls the plug; what is under way to this port is gone. */
  unplug(): void {
    if (this.isPlugged) this.owner.unplug(this);
  }

  /** To the other side, as it is. The switch and the impairer call this. */
  deliver(bytes: Uint8Array, start: number, end: number): void {
    if (!this.isPlugged) return;
    if (!this.handler.transmit(bytes, start, end)) {
      this.drops.queueFull += 1;
      return;
    }
    this.counters.sent += 1;
    this.counters.sentBytes += end - start;
  }
}

export class Switch {
  tap: SwitchTap | null = null;
  /** Of all frames; may change at any time, and holds for frames that come in from then on. */
  impairment: Impairment | null = null;
  private readonly tally = { forwarded: 0, flooded: 0, unknown: 0 };
  private readonly timers: TimerQueue;
  private readonly ports: SwitchPort[] = [];
  private readonly portsMax: number;
  private readonly table: AddressTable<SwitchPort>;
  private readonly impairer: Impairer;

  /** `chance` is drawn from only where loss or delay is asked for. */
  constructor(timers: TimerQueue, chance: Chance, options: Partial<SwitchOptions> = {}) {
    this.timers = timers;
    this.portsMax = options.portsMax ?? PORTS_MAX;
    this.table = new AddressTable(options.addressesMax, options.addressesOfPortMax);
    const bytesMax = options.underWayBytesMax ?? UNDER_WAY_BYTES_MAX;
    this.impairer = new Impairer(timers, chance, bytesMax);
  }

  /** A port with `handler` on its other side; null when there are `portsMax`. */
  plug(name: string, handler: PortHandler): SwitchPort | null {
    if (this.ports.length >= this.portsMax) return null;
    const port = new SwitchPort(this, name, handler);
    this.ports.push(port);
    return port;
  }

  /** In the order in which they were plugged in. */
  plugged(): readonly SwitchPort[] {
    return this.ports;
  }

  /** Known addresses, with their ports. */
  addresses(): readonly { readonly address: number; readonly port: SwitchPort }[] {
    return this.table.known(this.timers.now).map(({ address, port }) => ({ address, port: port! }));
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.tally, ...this.table.counters, ...this.impairer.counters };
  }

  /** `SwitchPort.receive`. */
  forward(from: SwitchPort, bytes: Uint8Array, start: number, end: number): void {
    const { counters, drops } = from;
    const length = end - start;
    counters.received += 1;
    counters.receivedBytes += length;
    if (length < ETHERNET_HEADER_BYTES) drops.runt += 1;
    else if (length > FRAME_BYTES_MAX) drops.oversize += 1;
    else if (this.accept(from, bytes, start)) this.carry(from, bytes, start, end);
  }

  /** `SwitchPort.pin`. */
  pin(port: SwitchPort, mac: Uint8Array): void {
    assert(mac.length === 6 && port.isPlugged);
    const address = readU16be(mac, 0) * LOW_WORDS + toU32(readI32be(mac, 2));
    this.table.pin(address, port, this.timers.now);
  }

  /** `SwitchPort.unplug`. */
  unplug(port: SwitchPort): void {
    const place = this.ports.indexOf(port);
    assert(place >= 0);
    this.ports.splice(place, 1);
    port.isPlugged = false;
    this.table.forgetPort(port);
  }

  checkInvariants(): void {
    assert(this.ports.length <= this.portsMax);
    this.table.checkInvariants();
    this.impairer.checkInvariants(this.ports);
    for (const port of this.ports) assert(port.isPlugged);
  }

  /** Learns the source; false when the frame must go no further. */
  private accept(from: SwitchPort, bytes: Uint8Array, start: number): boolean {
    const high = readU16be(bytes, start + SOURCE_AT);
    const address = high * LOW_WORDS + toU32(readI32be(bytes, start + SOURCE_AT + 2));
    const last = from.lastSource;
    const { now } = this.timers;
    // Within one turn a station is where it was.
    if (last?.address === address && last.port === from && last.seenAt === now) return true;
    if ((high & GROUP_BIT) !== 0 || address === 0) {
      from.drops.badSource += 1;
      return false;
    }
    from.lastSource = this.table.learn(address, from, now);
    if (from.lastSource === null) from.drops.forgedSource += 1;
    return from.lastSource !== null;
  }

  private carry(from: SwitchPort, bytes: Uint8Array, start: number, end: number): void {
    const high = readU16be(bytes, start);
    const low = toU32(readI32be(bytes, start + 2));
    if ((high & GROUP_BIT) !== 0) {
      const above = low - RESERVED_LOW;
      if (high === RESERVED_HIGH && above >= 0 && above < RESERVED_COUNT) from.drops.reserved += 1;
      else this.flood(from, bytes, start, end);
      return;
    }
    const to = this.targetOf(from, high * LOW_WORDS + low);
    if (to === null) {
      this.tally.unknown += 1;
      this.flood(from, bytes, start, end);
    } else if (to === from) {
      from.drops.samePort += 1;
    } else {
      this.tally.forwarded += 1;
      this.tap?.(bytes, start, end, this.timers.now);
      this.send(to, bytes, start, end);
    }
  }

  private targetOf(from: SwitchPort, address: number): SwitchPort | null {
    const { now } = this.timers;
    const last = from.lastTarget;
    if (last?.address === address && last.port !== null && now - last.seenAt <= AGEING) {
      return last.port;
    }
    from.lastTarget = this.table.find(address, now);
    return from.lastTarget?.port ?? null;
  }

  private flood(from: SwitchPort, bytes: Uint8Array, start: number, end: number): void {
    this.tally.flooded += 1;
    this.tap?.(bytes, start, end, this.timers.now);
    // A copy: a port that finds its peer gone may unplug itself meanwhile.
    for (const port of [...this.ports]) if (port !== from) this.send(port, bytes, start, end);
  }

  private send(to: SwitchPort, bytes: Uint8Array, start: number, end: number): void {
    const impairment = to.impairment ?? this.impairment;
    if (impairment === null) to.deliver(bytes, start, end);
    else this.impairer.send(to, bytes.slice(start - PREFIX_BYTES, end), impairment);
  }
}
