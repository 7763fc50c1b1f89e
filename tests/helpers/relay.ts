/**
 * Two links joined by an impairing network, in real time: the simulator's own switch and devices
 * (targets/sim) driven by the clock of this process, so that what was found in virtual time can be
 * seen with the kernel's TCP as peer. The kernels that we test on have no netem. A seed draws the
 * same faults for the same frames; when frames come is the world's doing.
 *
 * Deliveries are due at absolute times, so late wake-ups (Node's timers count milliseconds) don't
 * add up.
 */

import type { Socket } from 'node:net';
import { hot, micros } from '#core';
import type { NetDevice } from '#device';
import { NodeLoop } from '#targets/node/loop';
import { StreamNetDevice } from '#targets/node/stream-net-device';
import {
  noFaults,
  type SimFaults,
  SimNetDevice,
  SimRandom,
  SimSwitch,
  simNetDeviceDefaults,
} from '#targets/sim/index';

export interface RelayOptions {
  readonly seed: number;
  /** Of the link, each way; Infinity unless given. */
  readonly bitsPerSecond?: number;
  /** Frames that wait for their turn on the link, each way; more are dropped. */
  readonly queueFramesMax?: number;
  readonly faults?: Partial<SimFaults>;
}

const QUEUE_FRAMES = 1_000;
/** What becomes due at once leaves whole: only the queues of the ports drop. */
const TRANSMIT_BYTES = 2_097_152;
const NO_PARTS: readonly Uint8Array[] = [];

export class Relay {
  /** Its faults may be changed at any time. */
  readonly network: SimSwitch;
  /** Frames that found a queue full. */
  queueDrops = 0;
  private readonly loop = new NodeLoop();
  private readonly sockets: readonly Socket[];
  private readonly ports: readonly SimNetDevice[];

  /** Carries frames between the peers of two connected sockets until `close`. */
  constructor(a: Socket, b: Socket, options: RelayOptions) {
    this.sockets = [a, b];
    this.network = new SimSwitch(this.loop.timers, new SimRandom(options.seed));
    this.setFaults(options.faults ?? {});
    this.ports = [this.port(1, options), this.port(2, options)];
    const ends = this.sockets.map((socket, i) => {
      return new StreamNetDevice(this.loop, socket, mac(i + 1), () => {}, TRANSMIT_BYTES);
    });
    // What comes from one end leaves the port of that end, over the switch, to the other port.
    for (const [i, end] of ends.entries()) {
      this.join(end, this.ports[i]!);
      this.join(this.ports[i]!, end);
    }
  }

  /** In place of all faults so far. */
  setFaults(faults: Partial<SimFaults>): void {
    this.network.faults = { ...noFaults(), delay: micros(0), ...faults };
  }

  close(): void {
    this.loop.stop();
    for (const socket of this.sockets) socket.destroy();
  }

  private port(number: number, { bitsPerSecond, queueFramesMax }: RelayOptions): SimNetDevice {
    const device = new SimNetDevice(
      {
        ...simNetDeviceDefaults,
        mac: mac(number),
        queueFramesMax: queueFramesMax ?? QUEUE_FRAMES,
        bitsPerSecond: bitsPerSecond ?? Number.POSITIVE_INFINITY,
      },
      this.loop.timers,
      this.network.carry,
    );
    this.network.plug(device);
    return device;
  }

  /** Frames that `from` receives are sent by `to`. */
  private join(from: NetDevice, to: NetDevice): void {
    from.attach({
      receive: (frame) => {
        const memory = to.reserve();
        if (memory === null || memory.length < frame.length) {
          this.queueDrops += 1;
          return;
        }
        hot.copy(memory, 0, frame, 0, frame.length);
        to.commit(frame.length, NO_PARTS, null);
      },
      transmitReady() {},
    });
  }
}

/** No station has these: the switch carries every frame to the other port. */
const mac = (last: number): Uint8Array => Uint8Array.of(2, 0xff, 0xff, 0xff, 0xff, last);
