/**
 * What starting a program on the C base is on every platform: the parts of the machine that the
 * base gives everywhere, the event loop, the ends. Required reading: base.ts, loop.ts. Not here:
 * devices (targets/pvh/index.ts, targets/process/index.ts).
 */

import { after, instantOfMicros, millis, Timer, TimerQueue, wallTimeOfMillis } from '#core';
import {
  type Console,
  type Entropy,
  formatKvPackFault,
  type KvReadOnly,
  type Machine,
  openKvPack,
  type Program,
  type Vitals,
} from '#device';
import type { Base } from './base.ts';
import { heapVitals } from './heap.ts';
import { createLoop, type LoopDevice, type RareDevice } from './loop.ts';
import { Profiler } from './profile.ts';

/** Exit codes that aren't the program's; those of the base are in base_abi.h. */
export const EXIT = {
  /** A network device stopped working or lied. */
  deviceFailed: 122,
  /** BASE_EXIT_NO_ENTROPY. */
  noEntropy: 123,
  /** BASE_EXIT_UNCAUGHT: the program's promise was rejected. */
  uncaught: 124,
  /** BASE_EXIT_BAD_IMAGE: the command line or the content can't be read. */
  badImage: 126,
} as const;

/** Frames still with a device at the end get this long to leave. */
const EXIT_DRAIN_MICROS_MAX = 50_000;

/** Says why and ends. */
function fail(base: Base, console: Console, message: string, code: number): never {
  console.writeLine(`error: ${message}`);
  return base.exit(code);
}

type BaseParts = Pick<Machine, 'timers' | 'clock' | 'memoryBytes' | 'console' | 'content'>;

/** The parts of a machine that are the base's own. Content that can't be read ends the image. */
export function baseMachine(base: Base, console: Console): BaseParts {
  const packs = new Map<string, KvReadOnly>();
  for (const { name, bytes } of base.payload) {
    const pack = openKvPack(bytes);
    if (pack.ok) packs.set(name, pack.value);
    else {
      const why = formatKvPackFault(pack.error);
      fail(base, console, `content "${name}" ${why}`, EXIT.badImage);
    }
  }
  return {
    timers: new TimerQueue(instantOfMicros(base.clockMonotonic())),
    clock: { wall: () => wallTimeOfMillis(Math.floor(base.clockWall() / 1000)) },
    memoryBytes: base.memory.totalBytes,
    console,
    content: (name) => packs.get(name) ?? null,
  };
}

/** The base's own source of random bytes, or null when it has none. */
export function baseEntropy(base: Base, console: Console): Entropy | null {
  if (!base.entropyFill(new Uint8Array(16))) return null;
  return {
    fill(out) {
      if (base.entropyFill(out)) return;
      fail(base, console, 'the source of random bytes ran dry', EXIT.noEntropy);
    },
  };
}

/**
 * Runs `program` and the event loop of its devices; `rare` is its control channel, or null. The
 * program gets `machine` with its vitals. `samplesIdle`: profiles have the idle wait in them.
 */
export function start(
  base: Base,
  machine: Omit<Machine, 'vitals'>,
  program: Program,
  devices: readonly LoopDevice[],
  rare: RareDevice | null,
  samplesIdle: boolean,
): void {
  const loop = createLoop(base, machine.timers, devices, rare);
  const profiler = new Profiler(base, samplesIdle ? null : () => loop.vitals().busyMicros);
  base.onTurn(loop.turn);
  profileAsAsked(base, machine, profiler);
  const vitals: Vitals = {
    heap: () => heapVitals(base),
    loop: loop.vitals,
    startProfile: (hz) => Promise.resolve(profiler.start(hz)),
    stopProfile: () => Promise.resolve(profiler.stop()),
  };
  program({ ...machine, vitals }).then(
    (code) => machine.exit(code),
    (reason) => {
      machine.console.writeLine(`error: ${describeError(reason)}`);
      machine.exit(EXIT.uncaught);
    },
  );
}

/** `profile=HZ` in the machine's words, printed and begun again every `profile_s=SECONDS`. */
function profileAsAsked(
  base: Base,
  { timers, console }: Pick<Machine, 'timers' | 'console'>,
  profiler: Profiler,
): void {
  const [words = ''] = ` ${base.cmdline}`.split(' -- ');
  const hz = Number(/ profile=(\d+)/.exec(words)?.[1] ?? 0);
  if (hz === 0 || !profiler.start(hz)) return;
  const seconds = Number(/ profile_s=(\d+)/.exec(words)?.[1] ?? 0);
  if (seconds === 0) return;
  const again = new Timer((now) => {
    console.writeLine(JSON.stringify(profiler.stop()));
    profiler.start(hz);
    timers.arm(again, after(now, millis(seconds * 1_000)));
  });
  timers.arm(again, after(timers.now, millis(seconds * 1_000)));
}

/** Waits, for a bounded time, until the devices have sent what was committed. */
export function drain(
  base: Base,
  devices: readonly { flush(): boolean; hasSentAll(): boolean }[],
): void {
  for (const device of devices) device.flush();
  const start = base.clockMonotonic();
  while (!devices.every((device) => device.hasSentAll())) {
    if (base.clockMonotonic() - start > EXIT_DRAIN_MICROS_MAX) return;
  }
}

/** A thrown value as text; this engine's `stack` leaves the message out. */
function describeError(reason: unknown): string {
  if (!(reason instanceof Error)) return `the program ended with ${String(reason)}`;
  return `${reason.name}: ${reason.message}\n${(reason.stack ?? '').trimEnd()}`;
}
