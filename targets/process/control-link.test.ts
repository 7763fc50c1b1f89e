/** The control channel of a process on a simulated socket; a real one is in tests/process/. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instantOfMicros, TimerQueue } from '#core';
import { CONTROL_QUEUE_BYTES_LOW, CONTROL_QUEUE_BYTES_MAX } from '#device';
import { SimRandom } from '#targets/sim/index';
import { createTurn, RARE_TURNS } from '../base/loop.ts';
import { ControlLink } from './control-link.ts';
import { SimulatedProcess, SimulatedStream } from './simulated-base.ts';

function rig() {
  const base = new SimulatedProcess();
  const stream = new SimulatedStream(1, true);
  base.addLink(stream);
  const control = new ControlLink(base, 0);
  const got: Uint8Array[] = [];
  let drained = 0;
  const attach = (): void =>
    control.attach({
      data: (bytes) => void got.push(bytes.slice()),
      drained: () => void drained++,
    });
  const turn = createTurn(base, new TimerQueue(instantOfMicros(0)), [], control);
  base.onTurn(turn);
  const received = (): Uint8Array => new Uint8Array(Buffer.concat(got));
  return { base, stream, control, attach, received, turn, drained: () => drained };
}

const counting = (bytes: number): Uint8Array => new Uint8Array(bytes).map((_, i) => i * 31);

test('bytes › both ways, cut anywhere › as they were', () => {
  for (const seed of [1, 2, 3]) {
    const { base, stream, control, attach, received } = rig();
    const random = new SimRandom(seed);
    stream.cut = (bytes) => 1 + random.below(bytes);
    stream.bytesMax = 20_000;
    attach();
    stream.arriving = counting(50_000);
    assert.ok(control.write(counting(7_000)) && control.write(counting(9_000)));
    base.run();
    assert.deepEqual(received(), counting(50_000));
    const both = Buffer.concat([counting(7_000), counting(9_000)]);
    assert.deepEqual(new Uint8Array(stream.sent), new Uint8Array(both));
    assert.equal(control.queuedBytes, 0);
    assert.ok(!base.isWaitingForRoom(0));
  }
});

test('before attach › nothing is read, and nothing wakes the loop', () => {
  const { base, stream, attach, received } = rig();
  stream.arriving = counting(10);
  base.run();
  assert.equal(base.calls, 0);
  attach();
  base.run();
  assert.deepEqual(received(), counting(10));
});

test('a supervisor that never reads › bounded, refuses what does not fit, tells when drained', () => {
  const { base, stream, control, attach, drained } = rig();
  attach();
  stream.bytesMax = 0;
  assert.ok(!control.write(new Uint8Array(CONTROL_QUEUE_BYTES_MAX + 1)));
  assert.ok(control.write(new Uint8Array(CONTROL_QUEUE_BYTES_MAX - 10)));
  assert.ok(!control.write(new Uint8Array(11)));
  assert.ok(control.write(new Uint8Array(10)));
  base.run();
  assert.ok(base.isWaitingForRoom(0));
  assert.equal(control.queuedBytes, CONTROL_QUEUE_BYTES_MAX);
  stream.bytesMax = CONTROL_QUEUE_BYTES_MAX - CONTROL_QUEUE_BYTES_LOW;
  base.run();
  assert.deepEqual([control.queuedBytes, drained()], [CONTROL_QUEUE_BYTES_LOW, 0]);
  stream.bytesMax++;
  base.run();
  assert.deepEqual([control.queuedBytes, drained()], [CONTROL_QUEUE_BYTES_LOW - 1, 1]);
  stream.bytesMax = 1_000_000;
  base.run();
  assert.deepEqual([control.queuedBytes, drained()], [0, 1]);
  assert.equal(control.counters().refused, CONTROL_QUEUE_BYTES_MAX + 12);
});

for (const when of ['reading', 'writing'] as const) {
  test(`closed, noticed when ${when} › writes are lost and counted, the loop sleeps`, () => {
    const { base, stream, control, attach } = rig();
    attach();
    stream.bytesMax = 0;
    if (when === 'reading') assert.ok(control.write(counting(5)));
    stream.isClosed = true;
    if (when === 'writing') assert.ok(control.write(counting(5)));
    base.run();
    assert.ok(control.write(counting(3)));
    assert.deepEqual([control.counters().open, control.counters().lost], [0, 8]);
    assert.equal(control.queuedBytes, 0);
    const before = base.calls;
    base.run();
    assert.equal(base.calls, before);
  });
}

test('a loop that never sleeps › looks at it every so many turns', () => {
  const { stream, attach, received, turn } = rig();
  attach();
  stream.arriving = counting(3);
  for (let i = 1; i < RARE_TURNS; i++) turn(0);
  assert.equal(received().length, 0);
  turn(0);
  assert.equal(received().length, 3);
});
