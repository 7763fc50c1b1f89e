/**
 * Networks of machines in virtual time, from one integer seed: one clock, switches, one
 * generator. `run` is for state machines; `runAsync` also lets promises settle between instants,
 * for programs.
 */

import {
  assert,
  FOREVER,
  type Instant,
  instantOfMicros,
  Log,
  TimerQueue,
  type WallTime,
  wallTimeOfMillis,
} from '#core';
import type { Clock, Entropy } from '#device';
import { SimNetDevice, type SimNetDeviceOptions, simNetDeviceDefaults } from './sim-net-device.ts';
import { SimRandom } from './sim-random.ts';
import { SimSwitch } from './sim-switch.ts';

/** 2026-01-01T00:00:00Z, so that dates in logs are the same in every run. */
const WALL_START_MILLIS = 1_767_225_600_000;

/**
 * Resolves when every promise that can settle by itself has; the host's: `setImmediate` of
 * node:timers/promises, say.
 */
export type Settle = () => Promise<unknown>;

/** Thrown when virtual time reaches the limit before the awaited thing happened. */
export class SimTimeout extends Error {
  override readonly name = 'SimTimeout';
}

export interface SimHost {
  readonly name: string;
  readonly device: SimNetDevice;
  readonly entropy: Entropy;
  readonly log: Log;
}

export class SimWorld {
  readonly seed: number;
  readonly random: SimRandom;
  readonly timers = new TimerQueue(instantOfMicros(0));
  readonly network: SimSwitch;
  readonly clock: Clock = { wall: () => this.wall() };
  /** Lines of all hosts' logs at the level of `logLevel`; for messages about failures. */
  readonly lines: string[] = [];
  private readonly checkers: (() => void)[] = [];
  private readonly devices: SimNetDevice[] = [];
  /** `run` checks invariants at every so many instants. */
  checkEvery = 1;
  private instants = 0;

  constructor(seed: number) {
    this.seed = seed;
    this.random = new SimRandom(seed);
    this.network = new SimSwitch(this.timers, this.random.fork());
    this.onCheck(() => this.timers.checkInvariants());
    this.onCheck(() => this.network.checkInvariants());
  }

  /** Another network, of which nobody is a part yet. */
  addSwitch(): SimSwitch {
    const added = new SimSwitch(this.timers, this.random.fork());
    this.onCheck(() => added.checkInvariants());
    return added;
  }

  /** A machine with one interface on the switch; its station address counts up. */
  addHost(
    name: string,
    options: Partial<SimNetDeviceOptions> = {},
    network: SimSwitch = this.network,
  ): SimHost {
    const number = this.devices.length + 1;
    assert(number < 65_536);
    const mac = Uint8Array.of(0x52, 0x54, 0, 0, number >> 8, number);
    const device = new SimNetDevice(
      { ...simNetDeviceDefaults, mac, ...options },
      this.timers,
      network.carry,
    );
    this.devices.push(device);
    network.plug(device);
    this.onCheck(() => device.checkInvariants());
    const sink = (line: string): void => {
      this.lines.push(`${(this.timers.now / 1e6).toFixed(6)} ${name} ${line}`);
      if (this.lines.length > 1000) this.lines.shift();
    };
    return { name, device, entropy: this.random.fork(), log: new Log(sink, 'info') };
  }

  /** `check` runs after every instant; it must only observe. */
  onCheck(check: () => void): void {
    this.checkers.push(check);
  }

  checkInvariants(): void {
    for (const check of this.checkers) check();
  }

  /**
   * Goes to the next instant at which something happens, at most `limit`. False when nothing is
   * left before it.
   */
  step(limit: Instant): boolean {
    const next = this.timers.nextDeadline();
    if (next > limit) {
      if (limit !== FOREVER) this.timers.run(limit);
      return false;
    }
    this.timers.run(Math.max(next, this.timers.now) as Instant);
    this.instants += 1;
    if (this.instants % this.checkEvery === 0) this.checkInvariants();
    return true;
  }

  /** Runs until `limit`, in virtual time from the world's start. */
  run(limit: Instant): void {
    while (this.step(limit));
    this.checkInvariants();
  }

  /** Runs until `isDone`, asked after every instant; throws SimTimeout when `limit` comes first. */
  runUntil(isDone: () => boolean, limit: Instant): void {
    while (!isDone()) {
      if (!this.step(limit) && !isDone()) {
        throw new SimTimeout(`not done at ${this.timers.now} µs (seed ${this.seed})`);
      }
    }
    this.checkInvariants();
  }

  /** As runUntil, and lets promises settle between instants. */
  async runAsync(isDone: () => boolean, limit: Instant, settle: Settle): Promise<void> {
    await settle();
    while (!isDone()) {
      const isMoved = this.step(limit);
      await settle();
      if (!isMoved && !isDone()) {
        throw new SimTimeout(`not done at ${this.timers.now} µs (seed ${this.seed})`);
      }
    }
    this.checkInvariants();
  }

  private wall(): WallTime {
    return wallTimeOfMillis(WALL_START_MILLIS + Math.floor(this.timers.now / 1000));
  }
}
