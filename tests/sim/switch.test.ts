/** Our switch under the simulator's faults: seeds, a canary, and that there was trouble at all. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Switch } from '#switch';
import { runSwitched } from './switched.ts';

const SMOKE_SEEDS = 12;

test(`seeds 1 to ${SMOKE_SEEDS} › hosts crash, move and are cut off, then healed › all is done`, () => {
  const total = { crashed: 0, moved: 0, cut: 0, learned: 0, movedTo: 0, evicted: 0, lost: 0 };
  for (let seed = 1; seed <= SMOKE_SEEDS; seed++) {
    const { events, switches } = runSwitched(seed);
    total.crashed += events.crashed;
    total.moved += events.moved;
    total.cut += events.cut;
    for (const one of switches) {
      const { learned = 0, moved = 0, evicted = 0, lost = 0 } = one.counters();
      total.learned += learned;
      total.movedTo += moved;
      total.evicted += evicted;
      total.lost += lost;
    }
  }
  for (const [what, count] of Object.entries(total)) assert.ok(count > 0, `never ${what}`);
});

test('canary › a switch that forgets to move a station › somebody waits in vain', (t) => {
  // What a naive switch does: who was learned once stays where it was.
  const first = new WeakMap<object, Map<number, unknown>>();
  const forward = Switch.prototype.forward;
  t.mock.method(Switch.prototype, 'forward', function (this: Switch, ...args: never[]) {
    const [from, bytes, start] = args as unknown as [object, Uint8Array, number];
    const known = first.get(this) ?? new Map<number, unknown>();
    first.set(this, known);
    const station = bytes[start + 11]!;
    if (!known.has(station)) known.set(station, from);
    if (known.get(station) !== from) return;
    Reflect.apply(forward, this, args);
  });
  assert.throws(() => runSwitched(1), { name: 'LivenessFailure' });
});

test('the same seed › the same run', () => {
  const [a, b] = [runSwitched(3), runSwitched(3)];
  assert.equal(a.world.timers.now, b.world.timers.now);
  assert.deepEqual(
    a.switches.map((one) => one.counters()),
    b.switches.map((one) => one.counters()),
  );
});
