/**
 * The commands that every unikernel which can be looked into has: a snapshot, the log, a CPU
 * profile, a capture of frames. Over a control channel (ControlServer) or a management port. Read
 * first: inspector.ts, control-server.ts.
 */

import { after, hot, type Log, seconds, setLevels, Timer } from '#core';
import {
  type CpuProfile,
  isProfileHz,
  type Machine,
  PROFILE_HZ_MAX,
  PROFILE_HZ_MIN,
  type Stack,
  type StackSnapshot,
} from '#device';
import type { Command, ControlServer, ControlStream } from './control-server.ts';
import { Inspector, snapshotRequestOf } from './inspector.ts';
import { capturesMax, profileSecondsMax } from './limits.ts';
import { Capture, captureOptionsOf, TapPoint } from './pcap.ts';
import { plain } from './plain.ts';
import { BARE_STACK, type UnikernelSnapshot } from './snapshot.ts';
import type { ControlRequest } from './wire/control-message.ts';

/** Of the snapshot's shape: fields may be added under one number. */
const SNAPSHOT_VERSION = 1;
const PROFILE_HZ_DEFAULT = 1_000;

/** What a request carries beside its id and name. */
type Options = Omit<ControlRequest, 'id' | 'ask'>;

/** Why a command isn't done: its message is the answer. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}

export class Commands {
  readonly inspector = new Inspector();
  /** Captures leave out TCP of this port: what carries them would be in them. */
  managementPort: number | null = null;
  private readonly machine: Machine;
  private readonly programLog: Log;
  private readonly points: readonly TapPoint[];
  private readonly stacks = new Map<string, Pick<Stack, 'inspect'>>();
  private readonly programSections = new Map<string, () => unknown>();
  private captures = 0;
  private server: ControlServer | null = null;
  /** Those of the program's parts, by name. */
  readonly added = new Map<string, Command>();

  /** Before the owners of the machine's interfaces attach themselves. */
  constructor(machine: Machine, name: string, log: Log) {
    this.machine = machine;
    this.programLog = log;
    this.points = machine.interfaces.map((device) => new TapPoint(device));
    const { timers, clock, vitals } = machine;
    const { inspector } = this;
    inspector.section('version', () => SNAPSHOT_VERSION);
    inspector.section('name', () => name);
    inspector.section('target', () => machine.target);
    inspector.section('uptimeMicros', () => timers.now);
    inspector.section('wallMillis', () => clock.wall());
    inspector.section('memoryBytes', () => machine.memoryBytes);
    inspector.section('timers', () => {
      const next = timers.nextDeadline();
      return { count: timers.size, nextMicros: Number.isFinite(next) ? next - timers.now : null };
    });
    inspector.section('logLevels', () => log.levelsBySource());
    if (vitals !== null) {
      inspector.section('loop', () => vitals.loop());
      inspector.section('heap', (request) => (request.heap ? vitals.heap() : null));
    }
    inspector.section('stacks', (request) => {
      const all: Record<string, unknown> = {};
      for (const [device, stack] of this.stacks) all[device] = stack.inspect?.(request) ?? null;
      return all;
    });
  }

  /** A stack of the program: the snapshot has it from now on. */
  addStack(device: string, stack: Pick<Stack, 'inspect'>): void {
    this.stacks.set(device, stack);
  }

  /** What a program's `start` gets, to add to its snapshots: ProgramInspection of `morgana`. */
  readonly program = {
    section: (name: string, take: () => unknown): void => {
      if (this.programSections.size === 0) {
        this.inspector.section('program', () => this.programSnapshot());
      }
      this.programSections.set(name, take);
    },
    stack: (name: string, take: () => Partial<StackSnapshot>): void =>
      this.addStack(name, {
        inspect: () => ({ ...BARE_STACK, ...(plain(take) as Partial<StackSnapshot>) }),
      }),
  };

  register(server: ControlServer): void {
    this.server = server;
    for (const [ask, run] of this.added) server.command(ask, run);
    server.command('snapshot', (request) => this.snapshot(request));
    server.command('log', (request, stream) => this.log(request, stream));
    server.command('profile', (request, stream) => this.profile(request, stream));
    server.command('pcap', (request, stream) => this.pcap(request, stream));
    this.inspector.section('control', () => ({ ...server.counters }));
  }

  /** One more command, for whoever looks: on the control channel and the management port. */
  add(ask: string, run: Command): void {
    this.added.set(ask, run);
    this.server?.command(ask, run);
  }

  private programSnapshot(): Record<string, unknown> {
    const all: Record<string, unknown> = {};
    for (const [name, take] of this.programSections) all[name] = plain(take);
    return all;
  }

  /** `connections` of them from number `from` on; `heap`: true walks it. */
  snapshot(options: Options): UnikernelSnapshot {
    // The constructor, `register` and the management port see to its sections.
    return this.inspector.snapshot(snapshotRequestOf(options)) as unknown as UnikernelSnapshot;
  }

  /**
   * `levels`: sets them, as --log does. `follow`: true streams lines until the client has enough.
   * The levels by source are the answer.
   */
  log({ levels, follow }: Options, stream: ControlStream): unknown {
    const { programLog } = this;
    if (levels !== undefined) {
      const wrong = setLevels(programLog, String(levels));
      if (wrong !== null) throw new Refusal(wrong);
    }
    if (follow !== true) return programLog.levelsBySource();
    return new Promise((resolve) => {
      let dropped = 0;
      const end = programLog.follow((line) => {
        const note = dropped === 0 ? '' : `(${dropped} lines were dropped)\n`;
        const seconds = (this.machine.timers.now / 1_000_000).toFixed(3);
        if (stream.write(hot.utf8Encode(`${note}[${seconds}] ${line}\n`))) dropped = 0;
        else dropped += 1;
      });
      stream.onEnd(() => {
        end();
        resolve(programLog.levelsBySource());
      });
    });
  }

  /** `seconds`, `hz`: the profile is the answer, sooner when the client has enough. */
  async profile(options: Options, stream: ControlStream): Promise<CpuProfile> {
    const { vitals, timers, target } = this.machine;
    const { seconds: wanted, hz = PROFILE_HZ_DEFAULT } = options;
    if (vitals === null) throw new Refusal(`target ${target} has no CPU profiles`);
    if (typeof wanted !== 'number' || !(wanted > 0 && wanted <= profileSecondsMax)) {
      throw new Refusal(`seconds: more than 0, at most ${profileSecondsMax}`);
    }
    if (typeof hz !== 'number' || !isProfileHz(hz)) {
      throw new Refusal(`hz: a whole number, ${PROFILE_HZ_MIN} to ${PROFILE_HZ_MAX}`);
    }
    if (!(await vitals.startProfile(hz))) {
      throw new Refusal('it is being profiled already, or this machine has no profiles');
    }
    await new Promise<void>((resolve) => {
      const timer = new Timer(() => resolve());
      timers.arm(timer, after(timers.now, seconds(wanted)));
      stream.onEnd(() => {
        timers.stop(timer);
        resolve();
      });
    });
    const profile = await vitals.stopProfile();
    if (profile === null) throw new Refusal('the profile is gone');
    return profile;
  }

  /**
   * Streams a capture of `interface` (a number, 0 when left out) until the client has enough:
   * `snapBytes` of each frame; of `port` only. Its counters are the answer.
   */
  pcap(options: Options, stream: ControlStream): Promise<Capture['counters']> {
    const { interface: index = 0 } = options;
    const point = this.points[Number(index)];
    if (point === undefined) {
      throw new Refusal(`there is no interface ${index}: the machine has ${this.points.length}`);
    }
    const wanted = captureOptionsOf(options);
    if (typeof wanted === 'string') throw new Refusal(wanted);
    if (this.captures >= capturesMax)
      throw new Refusal(`there are ${capturesMax} captures already`);
    this.captures += 1;
    const { machine, managementPort: exceptPort } = this;
    const capture = new Capture(point, { ...wanted, exceptPort }, machine, (bytes) =>
      stream.write(bytes),
    );
    return new Promise((resolve) => {
      stream.onEnd(() => {
        capture.stop();
        this.captures -= 1;
        resolve(capture.counters);
      });
    });
  }
}
