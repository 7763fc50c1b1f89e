import assert from 'node:assert/strict';
import { test } from 'node:test';
import { after, FOREVER, instantOfMicros, millis, Timer, TimerQueue } from '#core';
import { createLoop, createTurn, type LoopDevice, RARE_TURNS } from './loop.ts';

/** A device with `work` things to hand over, and a record of what the loop asked. */
class FakeDevice implements LoopDevice {
  work = 0;
  toSend = 0;
  late = false;
  readonly calls: string[] = [];
  woken = 0;

  poll(woken: number): boolean {
    this.calls.push('poll');
    this.woken |= woken;
    const busy = this.work > 0;
    this.work = 0;
    return busy;
  }

  flush(): boolean {
    this.calls.push('flush');
    const busy = this.toSend > 0;
    this.toSend = 0;
    return busy;
  }

  arm(): boolean {
    this.calls.push('arm');
    const { late } = this;
    this.late = false;
    return !late;
  }
}

function rig() {
  const clock = { micros: 1000, clockMonotonic: () => clock.micros };
  const timers = new TimerQueue(instantOfMicros(0));
  const device = new FakeDevice();
  return { clock, timers, device, turn: createTurn(clock, timers, [device]) };
}

test('nothing to do › sleeps for ever', () => {
  const { turn, device, timers } = rig();
  assert.equal(turn(0), FOREVER);
  assert.equal(timers.now, 1000);
  assert.deepEqual(device.calls, ['poll', 'flush', 'arm']);
});

test('nothing to do, a timer armed › sleeps until it is due, then fires and looks again', () => {
  const { turn, timers, clock } = rig();
  let fired = 0;
  const timer = new Timer(() => fired++);
  timers.arm(timer, after(instantOfMicros(1000), millis(5)));
  assert.equal(turn(0), 6000);
  clock.micros = 6000;
  assert.equal(turn(0), -1);
  assert.equal(fired, 1);
  assert.equal(turn(0), FOREVER);
});

test('received or sent › another turn at once, without arming', () => {
  const { turn, device } = rig();
  device.work = 1;
  assert.equal(turn(0), -1);
  device.toSend = 1;
  assert.equal(turn(0), -1);
  assert.ok(!device.calls.includes('arm'));
  assert.equal(turn(0), FOREVER);
});

test('something came while arming › another turn at once', () => {
  const { turn, device } = rig();
  device.late = true;
  assert.equal(turn(0), -1);
  assert.equal(turn(0), FOREVER);
});

test('wake-up bits › reach the device', () => {
  const { turn, device } = rig();
  turn(0b100);
  assert.equal(device.woken, 0b100);
});

test('vitals › a busy turn lasts until the next begins; an idle one is none', () => {
  const { clock, timers, device } = rig();
  const { turn, vitals } = createLoop(clock, timers, [device]);
  turn(0);
  device.work = 1;
  clock.micros = 5_000;
  turn(0);
  clock.micros = 7_500;
  turn(0);
  clock.micros = 900_000;
  turn(0);
  const { turns, busyMicros, slowTurns, turnMicrosMax } = vitals();
  assert.deepEqual([turns, busyMicros, turnMicrosMax], [1, 2_500, 2_500]);
  assert.deepEqual(slowTurns, [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
});

test('vitals › a timer in time, one a millisecond late, one later › the latter two', () => {
  const { clock, timers, device } = rig();
  const { turn, vitals } = createLoop(clock, timers, [device]);
  const timer = new Timer(() => {});
  for (const lateMicros of [999, 1_000, 9_000]) {
    timers.arm(timer, instantOfMicros(clock.micros + 500));
    clock.micros += 500 + lateMicros;
    turn(0);
  }
  const { lateTimers, lateMicrosMax } = vitals();
  assert.deepEqual(lateTimers, [1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
  assert.equal(lateMicrosMax, 9_000);
});

test('a rare device › looked at when it woke the loop, not when others did, and again after work', () => {
  const { clock, timers } = rig();
  const polls: number[] = [];
  let work = 0;
  const poll = (woken: number): boolean => {
    polls.push(woken);
    return work-- > 0;
  };
  const turn = createTurn(clock, timers, [], { wakeBits: 0b100, poll });
  turn(0b011);
  turn(0);
  assert.deepEqual(polls, []);
  work = 1;
  assert.equal(turn(0b110), -1);
  assert.equal(turn(0b001), FOREVER);
  assert.deepEqual(polls, [0b110, 0b001]);
  for (let i = 1; i < RARE_TURNS; i++) turn(0b001);
  assert.equal(polls.length, 2);
  turn(0b001);
  assert.equal(polls.length, 3);
});
