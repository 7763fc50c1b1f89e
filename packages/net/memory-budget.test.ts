import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryBytesMin, memoryLevels } from './limits.ts';
import { MemoryBudget, type MemoryKind } from './memory-budget.ts';

const BYTES = 1_048_576;

/** Takes `bytes` and gives them back when asked; tells how often that was. */
function holder(budget: MemoryBudget, kind: MemoryKind, bytes: number) {
  const account = budget.account(kind);
  assert.ok(account.take(bytes));
  const held = { account, asked: 0, bytes };
  account.reclaim = (wanted) => {
    held.asked += 1;
    const given = Math.min(wanted, held.bytes);
    held.bytes -= given;
    account.give(given);
  };
  return held;
}

test('bytesMax › the least, one less › works, refused', () => {
  new MemoryBudget(memoryBytesMin).checkInvariants();
  assert.throws(() => new MemoryBudget(memoryBytesMin - 1));
});

test('take › up to the budget, one byte more › charged, refused and counted', () => {
  const budget = new MemoryBudget(BYTES);
  const received = budget.account('received');
  assert.equal(received.take(BYTES), true);
  assert.equal(received.take(1), false);
  assert.equal(received.usedBytes, BYTES);
  assert.deepEqual(budget.counters(), { memoryBytes: BYTES, memoryRefused: 1 });
  received.give(1);
  assert.equal(received.take(1), true);
  budget.checkInvariants();
});

for (const kind of [
  'fragments',
  'neighborPackets',
  'outOfOrder',
  'halfOpen',
  'timeWait',
] as const) {
  test(`${kind} › its own bound, one more › charged, refused with room left`, () => {
    const budget = new MemoryBudget(BYTES);
    const account = budget.account(kind);
    assert.equal(account.take(BYTES * memoryLevels[kind].own), true);
    assert.equal(account.take(1), false);
    assert.ok(budget.usedBytes < BYTES);
    budget.checkInvariants();
  });

  test(`${kind} › the budget is as full as it may be for it, fuller › charged, refused`, () => {
    const budget = new MemoryBudget(BYTES);
    budget.account('received').take(BYTES * memoryLevels[kind].total - 1);
    assert.equal(budget.account(kind).take(1), true);
    assert.equal(budget.account(kind).take(1), false);
    assert.equal(budget.account('received').take(1), true);
    budget.checkInvariants();
  });
}

test('take › no room › what is less important goes first, in order, and only as much as needed', () => {
  const budget = new MemoryBudget(BYTES);
  const fragments = holder(budget, 'fragments', 1_000);
  const outOfOrder = holder(budget, 'outOfOrder', 2_000);
  const connections = holder(budget, 'connections', 3_000);
  const received = budget.account('received');
  assert.equal(received.take(BYTES - 6_000), true);
  assert.deepEqual([fragments.asked, outOfOrder.asked, connections.asked], [0, 0, 0]);
  assert.equal(received.take(1_500), true);
  assert.deepEqual([fragments.bytes, outOfOrder.bytes, connections.bytes], [0, 1_500, 3_000]);
  assert.equal(received.take(4_500), true);
  assert.deepEqual([fragments.bytes, outOfOrder.bytes, connections.bytes], [0, 0, 0]);
  assert.equal(received.take(1), false);
  budget.checkInvariants();
});

test('take › no room › what is more important stays', () => {
  const budget = new MemoryBudget(BYTES);
  const connections = holder(budget, 'connections', BYTES * memoryLevels.outOfOrder.total);
  const outOfOrder = budget.account('outOfOrder');
  assert.equal(outOfOrder.take(1), false);
  assert.equal(connections.asked, 0);
});

test('take › beyond its own bound › nobody else is asked', () => {
  const budget = new MemoryBudget(BYTES);
  const fragments = holder(budget, 'fragments', 1_000);
  const timeWait = holder(budget, 'timeWait', BYTES * memoryLevels.timeWait.own);
  assert.equal(timeWait.account.take(10), true);
  timeWait.bytes += 10;
  assert.deepEqual([fragments.asked, timeWait.asked], [0, 1]);
  budget.checkInvariants();
});

test('reclaim › takes memory itself › only what fits, nothing is evicted for it', () => {
  const budget = new MemoryBudget(BYTES);
  const { account } = holder(budget, 'fragments', 10);
  const received = budget.account('received');
  assert.ok(budget.account('sendQueues').take(BYTES - 10));
  const answers: boolean[] = [];
  account.reclaim = () => {
    account.give(10);
    answers.push(received.take(11), received.take(10));
  };
  assert.equal(received.take(20), false);
  assert.deepEqual(answers, [false, true]);
  budget.checkInvariants();
});

test('give, moveTo › more than was taken › a broken promise', () => {
  const budget = new MemoryBudget(BYTES);
  const received = budget.account('received');
  const outOfOrder = budget.account('outOfOrder');
  assert.ok(outOfOrder.take(10));
  assert.throws(() => received.give(1));
  assert.throws(() => outOfOrder.moveTo(received, 11));
  outOfOrder.moveTo(received, 10);
  assert.throws(() => outOfOrder.give(1));
  received.give(10);
  assert.equal(budget.usedBytes, 0);
});

test('windowShare › up to its level, between, full › 1, in proportion, 0', () => {
  const budget = new MemoryBudget(BYTES);
  const received = budget.account('received');
  received.take(BYTES / 2);
  assert.equal(budget.windowShare, 1);
  received.take(BYTES / 4);
  assert.equal(budget.windowShare, 0.5);
  received.take(BYTES / 4);
  assert.equal(budget.windowShare, 0);
});
