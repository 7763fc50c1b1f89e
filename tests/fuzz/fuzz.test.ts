import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimRandom } from '#targets/sim/index';
import { canary, type PlantedBug } from './canary.ts';
import { runHostileGateway } from './hostile-gateway.ts';
import { runHostileRouter } from './hostile-router.ts';
import { runHostile } from './hostile-stack.ts';
import { carelessCrypto, runHostileTls } from './hostile-tls.ts';
import { registry } from './registry.ts';
import { fuzz, WireViolation } from './wire-case.ts';

const SMOKE_ROUNDS = 4_000;

for (const wire of registry) {
  test(`${wire.name} › any bytes › a fault or a repr that survives writing`, () => {
    const tally = fuzz(wire, new SimRandom(1), SMOKE_ROUNDS);
    // Both outcomes in numbers, else the mutations are too tame or too wild to tell anything.
    assert(tally.same > SMOKE_ROUNDS / 50, JSON.stringify(tally));
    if (wire.isTotal) assert.equal(tally.fault, 0);
    else assert(tally.fault > 10, JSON.stringify(tally));
  });
}

const bugs: readonly PlantedBug[] = ['throws', 'loses a bit', 'writes too far', 'changes input'];
for (const bug of bugs) {
  test(`canary › ${bug} › the fuzzer finds it`, () => {
    assert.throws(() => fuzz(canary(bug), new SimRandom(1), SMOKE_ROUNDS), WireViolation);
  });
}

test('hostile network › headers rewritten, checksums mended › nothing throws', () => {
  let opened = 0;
  let rewritten = 0;
  for (let seed = 1; seed <= 12; seed++) {
    try {
      const tally = runHostile(seed, 20);
      opened += tally.opened;
      rewritten += tally.rewritten;
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
  assert(rewritten > 400 && opened > 100, `${rewritten} rewritten, ${opened} opened`);
});

test('hostile guest of a gateway › headers rewritten › nothing throws, nothing stays', async () => {
  let rewritten = 0;
  let opened = 0;
  for (let seed = 1; seed <= 4; seed++) {
    const tally = await runHostileGateway(seed, 10);
    rewritten += tally.rewritten;
    opened += tally.opened;
  }
  assert(rewritten > 100 && opened > 20, `${rewritten} rewritten, ${opened} opened`);
});

test('hostile hosts on both sides of a router › headers rewritten › nothing throws', () => {
  let rewritten = 0;
  let opened = 0;
  let reasons = 0;
  for (let seed = 1; seed <= 4; seed++) {
    try {
      const tally = runHostileRouter(seed, 10);
      rewritten += tally.rewritten;
      opened += tally.opened;
      reasons = Math.max(reasons, tally.reasons);
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
  const text = `${rewritten} rewritten, ${opened} opened, ${reasons} reasons`;
  assert(rewritten > 1_000 && opened > 50 && reasons > 10, text);
});

test('hostile network in the middle of TLS › records rewritten › nothing else arrives', () => {
  let rewritten = 0;
  let opened = 0;
  const ends = new Set<string>();
  for (let seed = 1; seed <= 6; seed++) {
    try {
      const tally = runHostileTls(seed, 12);
      rewritten += tally.rewritten;
      opened += tally.opened;
      for (const how of tally.ends.keys()) ends.add(how);
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
  const text = `${rewritten} rewritten, ${opened} opened, ${ends.size} ends`;
  assert(rewritten > 150 && opened > 25 && ends.size > 8, text);
});

test('canary › tags of records are not looked at › the hostile network finds it', () => {
  assert.throws(() => {
    for (let seed = 1; seed <= 8; seed++) runHostileTls(seed, 15, carelessCrypto);
  });
});
