/** The conformance suite for NetDevice, for a machine with two interfaces on one wire. */

import { after, millis, Timer } from '#core';
import type { Machine, NetDevice, NetHandler, Program } from '#device';
import { type NetWire, netCases, testFrame } from '#device/conformance';

const SETTLE_MILLIS_MAX = 2_000;
/** A marker is a frame of this length and no case sends one. */
const MARKER_BYTES = 15;

/** A device whose handler can change from case to case, and that keeps markers to itself. */
class Tap implements NetDevice {
  handler: NetHandler | null = null;
  onMarker: () => void = () => {};
  private readonly device: NetDevice;

  constructor(device: NetDevice) {
    this.device = device;
    device.attach({
      receive: (frame, good) => {
        if (frame.length === MARKER_BYTES) this.onMarker();
        else this.handler?.receive(frame, good);
      },
      transmitReady: () => this.handler?.transmitReady(),
    });
  }

  get mac(): Uint8Array {
    return this.device.mac;
  }

  get mtuBytes(): number {
    return this.device.mtuBytes;
  }

  get offload(): NetDevice['offload'] {
    return this.device.offload;
  }

  attach(handler: NetHandler): void {
    this.handler = handler;
  }

  reserve(): Uint8Array | null {
    return this.device.reserve();
  }

  commit(...arguments_: Parameters<NetDevice['commit']>): void {
    this.device.commit(...arguments_);
  }

  receivedRequest(): ReturnType<NonNullable<NetDevice['receivedRequest']>> {
    return this.device.receivedRequest?.() ?? null;
  }

  counters(): Readonly<Record<string, number>> {
    return this.device.counters();
  }
}

/**
 * Sends a marker behind everything else, as soon as there is room, and waits until it has arrived.
 */
function pass({ timers }: Machine, from: Tap, to: Tap): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const deadline = new Timer(() => reject(new Error('frames did not arrive in time')));
  timers.arm(deadline, after(timers.now, millis(SETTLE_MILLIS_MAX)));
  to.onMarker = () => {
    timers.stop(deadline);
    resolve();
  };
  const retry = new Timer(send);
  send();
  return promise;

  function send(): void {
    const memory = from.reserve();
    if (memory === null) {
      timers.arm(retry, after(timers.now, millis(1)));
      return;
    }
    memory.set(testFrame(from, to, MARKER_BYTES, 0));
    from.commit(MARKER_BYTES, [], null);
  }
}

/**
 * Markers both ways until some arrive: a host's bridge takes its time to let a new port forward.
 */
async function comeAlive(machine: Machine, a: Tap, b: Tap): Promise<void> {
  const { timers } = machine;
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    const again = new Timer(() => {
      const memory = from.reserve();
      if (memory !== null) {
        memory.set(testFrame(from, to, MARKER_BYTES, 0));
        from.commit(MARKER_BYTES, [], null);
      }
      timers.arm(again, after(timers.now, millis(20)));
    });
    timers.arm(again, timers.now);
    await new Promise<void>((resolve) => {
      to.onMarker = resolve;
    });
    timers.stop(again);
  }
  // What is still under way must not be taken for a marker of a case.
  await new Promise<void>((resolve) => {
    timers.arm(new Timer(() => resolve()), after(timers.now, millis(50)));
  });
}

export const netConformance: Program = async (machine) => {
  const [first, second] = machine.interfaces;
  if (first === undefined || second === undefined) throw new Error('two network cards are needed');
  const a = new Tap(first);
  const b = new Tap(second);
  const wire: NetWire = {
    a,
    b,
    // Replies to what arrives first may follow: two rounds.
    settle: async () => {
      for (let round = 0; round < 2; round++) {
        await pass(machine, a, b);
        await pass(machine, b, a);
      }
    },
  };
  await comeAlive(machine, a, b);
  for (const { name, run } of netCases) {
    await run(wire);
    a.handler = null;
    b.handler = null;
    machine.console.writeLine(`ok ${name}`);
  }
  return 0;
};
