import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FOREVER, type Instant, instantOfMicros } from './time.ts';
import { nextTurn, Timer, TimerQueue } from './timers.ts';

const at = (micros: number): Instant => instantOfMicros(micros);

test('armed › time reaches it › fires once, with now', () => {
  const queue = new TimerQueue(at(0));
  const fired: number[] = [];
  const timer = new Timer((now) => fired.push(now));
  queue.arm(timer, at(10));
  queue.run(at(9));
  assert.deepEqual(fired, []);
  queue.run(at(12));
  queue.run(at(20));
  assert.deepEqual(fired, [12]);
  assert.equal(queue.nextDeadline(), FOREVER);
});

test('armed › moved later › does not fire at the old deadline', () => {
  const queue = new TimerQueue(at(0));
  let count = 0;
  const timer = new Timer(() => count++);
  queue.arm(timer, at(10));
  queue.arm(timer, at(30));
  assert.equal(queue.nextDeadline(), 30);
  queue.run(at(20));
  assert.equal(count, 0);
  queue.run(at(30));
  assert.equal(count, 1);
});

test('armed › moved earlier, then stopped › never fires', () => {
  const queue = new TimerQueue(at(0));
  const timer = new Timer(() => assert.fail('a stopped timer fired'));
  queue.arm(timer, at(30));
  queue.arm(timer, at(10));
  assert.equal(queue.nextDeadline(), 10);
  queue.stop(timer);
  queue.run(at(100));
  assert.equal(queue.nextDeadline(), FOREVER);
  assert.equal(queue.size, 0);
});

test('stopped › long before the deadline › nothing holds on to it', () => {
  const queue = new TimerQueue(at(0));
  const timers = Array.from({ length: 100 }, () => new Timer(() => {}));
  for (const [i, timer] of timers.entries()) queue.arm(timer, at(1_000 + ((i * 37) % 100)));
  for (const [i, timer] of timers.entries()) {
    if (i % 3 === 0) queue.stop(timer);
    queue.checkInvariants();
  }
  assert.equal(queue.size, 66);
  for (const timer of timers) queue.stop(timer);
  assert.equal(queue.size, 0);
});

test('firing › arms itself for now › fires again in the same run', () => {
  const queue = new TimerQueue(at(0));
  let left = 3;
  const timer = new Timer((now) => {
    if (--left > 0) queue.arm(timer, now);
  });
  queue.arm(timer, at(5));
  queue.run(at(5));
  assert.equal(left, 0);
});

test('several for one instant › fire in the order they were armed', () => {
  const queue = new TimerQueue(at(0));
  const fired: number[] = [];
  const stopped = new Timer(() => assert.fail('a stopped timer fired'));
  queue.arm(stopped, at(5));
  for (let i = 0; i < 20; i++) queue.arm(new Timer(() => fired.push(i)), at(10));
  queue.stop(stopped);
  queue.checkInvariants();
  queue.run(at(10));
  assert.deepEqual(
    fired,
    Array.from({ length: 20 }, (_, i) => i),
  );
});

test('run › time goes back › is a broken promise', () => {
  const queue = new TimerQueue(at(10));
  assert.throws(() => queue.run(at(9)), /time went back/);
});

test('any sequence › equals a sorted list', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('arm' as const), id: fc.nat(5), wait: fc.nat(50) }),
    fc.record({ kind: fc.constant('stop' as const), id: fc.nat(5), wait: fc.constant(0) }),
    fc.record({ kind: fc.constant('run' as const), id: fc.constant(0), wait: fc.nat(40) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = new TimerQueue(at(0));
      const fired: string[] = [];
      const expected: string[] = [];
      const model = new Map<number, number>();
      const timers = [0, 1, 2, 3, 4, 5].map((id) => new Timer((now) => fired.push(`${id}@${now}`)));
      for (const { kind, id, wait } of steps) {
        const now = queue.now;
        if (kind === 'arm') {
          queue.arm(timers[id]!, at(now + wait));
          model.set(id, now + wait);
        } else if (kind === 'stop') {
          queue.stop(timers[id]!);
          model.delete(id);
        } else {
          queue.run(at(now + wait));
          for (const [due, deadline] of [...model]) {
            if (deadline > now + wait) continue;
            expected.push(`${due}@${now + wait}`);
            model.delete(due);
          }
        }
        queue.checkInvariants();
        assert.deepEqual([...fired].sort(), [...expected].sort());
        const next = model.size === 0 ? FOREVER : Math.min(...model.values());
        assert.equal(queue.nextDeadline(), next);
      }
    }),
  );
});

test('the next turn › comes when the queue runs, not with promises', async () => {
  const queue = new TimerQueue(at(5));
  let isThere = false;
  const waiting = nextTurn(queue).then(() => {
    isThere = true;
  });
  for (let i = 0; i < 10; i++) await null;
  assert.equal(isThere, false);
  queue.run(at(5));
  await waiting;
  assert.equal(queue.size, 0);
});
