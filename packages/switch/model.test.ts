/** The switch against a naive one: a list of what was heard, and nothing clever. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AGEING } from './limits.ts';
import { BROADCAST, frameOf, macOf, type TestPort, testSwitch } from './test-ports.ts';

const PORTS = 4;
const STATIONS = 9;
const OF_PORT_MAX = 3;
const ADDRESSES_MAX = 6;
const GROUP = STATIONS;

type Step =
  | { readonly kind: 'frame'; readonly port: number; readonly from: number; readonly to: number }
  | { readonly kind: 'replug'; readonly port: number }
  | { readonly kind: 'wait'; readonly seconds: number };

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        kind: fc.constant('frame' as const),
        port: fc.nat(PORTS - 1),
        from: fc.nat(STATIONS - 1),
        to: fc.nat(GROUP),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('replug' as const), port: fc.nat(PORTS - 1) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('wait' as const),
        seconds: fc.constantFrom(1, 2, AGEING / 1e6 - 1, AGEING / 1e6 + 1),
      }),
    },
  ),
  { maxLength: 80 },
);

/** What was heard of, the oldest first. */
class Naive {
  private heard: { station: number; port: number; at: number; listedAt: number }[] = [];
  private readonly now: () => number;

  constructor(now: () => number) {
    this.now = now;
  }

  /** The ports that a frame leaves on. */
  frame(port: number, from: number, to: number): number[] {
    this.hear(from, port);
    const others = [...Array(PORTS).keys()].filter((other) => other !== port);
    if (to === GROUP) return others;
    this.age(to);
    const known = this.heard.find(({ station }) => station === to);
    if (known === undefined) return others;
    return known.port === port ? [] : [known.port];
  }

  forget(port: number): void {
    this.heard = this.heard.filter((entry) => entry.port !== port);
  }

  private age(station: number): void {
    const isOld = (at: number): boolean => this.now() - at > AGEING;
    this.heard = this.heard.filter((entry) => entry.station !== station || !isOld(entry.at));
  }

  private hear(station: number, port: number): void {
    this.age(station);
    const known = this.heard.find((entry) => entry.station === station);
    const isHere = known?.port === port;
    if (known !== undefined && isHere) {
      known.at = this.now();
      if (this.now() - known.listedAt < 1_000_000) return;
    }
    const rest = this.heard.filter((entry) => entry.station !== station);
    const ofPort = rest.filter((entry) => entry.port === port);
    if (!isHere && ofPort.length === OF_PORT_MAX) rest.splice(rest.indexOf(ofPort[0]!), 1);
    if (known === undefined && rest.length === ADDRESSES_MAX) rest.shift();
    this.heard = [...rest, { station, port, at: this.now(), listedAt: this.now() }];
  }
}

test('any frames, waits and moved plugs › the same ports as the naive switch', () => {
  fc.assert(
    fc.property(steps, (script) => {
      const limits = { addressesMax: ADDRESSES_MAX, addressesOfPortMax: OF_PORT_MAX };
      const { network, plug, pass, timers } = testSwitch(limits);
      const ports: TestPort[] = Array.from({ length: PORTS }, (_, i) => plug(`${i}`));
      const naive = new Naive(() => timers.now);
      for (const [index, step] of script.entries()) {
        if (step.kind === 'wait') pass(step.seconds * 1_000_000);
        else if (step.kind === 'replug') {
          ports[step.port]!.port.unplug();
          ports[step.port] = plug(`${step.port}`);
          naive.forget(step.port);
        } else {
          for (const { got } of ports) got.length = 0;
          const to = step.to === GROUP ? BROADCAST : macOf(step.to);
          ports[step.port]!.send(frameOf(to, macOf(step.from)));
          const left = ports.flatMap(({ got }, port) => got.map(() => port));
          assert.deepEqual(left, naive.frame(step.port, step.from, step.to), `step ${index}`);
        }
        network.checkInvariants();
      }
    }),
    { numRuns: 300, seed: 4 },
  );
});
