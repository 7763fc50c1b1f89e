/**
 * The smoke budget of the simulator: hundreds of seeds, the bulk transfer, and canaries that must
 * fail.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import type { SimWorld } from '#targets/sim/index';
import { evenFaults, moveBulk } from './bulk.ts';
import { drawOptions } from './options.ts';
import { runSeed } from './scenario.ts';

const SMOKE_SEEDS = 150;
const MEGABYTE = 1_000_000;

test(`seeds 1 to ${SMOKE_SEEDS} › faults, then a healed network › everything arrives, nothing is left`, () => {
  for (let seed = 1; seed <= SMOKE_SEEDS; seed++) {
    const { verdict, error, options, replay } = runSeed(seed);
    assert.equal(verdict, 'passed', `${verdict}: ${error}\nreplay: ${replay}\n${options}`);
  }
});

test('seed 37 › a full transmit queue › the list of stalled connections stays bounded', () => {
  assert.equal(runSeed(37).verdict, 'passed');
});

test('the same seed › twice › the same run', () => {
  const [first, second] = [runSeed(11), runSeed(11)];
  assert.deepEqual(second, first);
  assert.notDeepEqual(drawOptions(12), drawOptions(11));
});

/** A seed whose options have echoes and few faults. */
const QUIET_SEED = 1;

test('canary › content changed behind the checksum › correctness', () => {
  const report = runSeed(QUIET_SEED, (world) => {
    world.network.tap = (frame) => {
      const isEcho = frame[23] === 17 && frame[12] === 8 && frame[35] === 7;
      // Checksum zero says that there is none.
      if (isEcho) frame.set([0, 0, 0xff, 0xff, 0xff, 0xff], 40);
    };
  });
  assert.equal(report.verdict, 'correctness');
});

/** A seed whose transfers take longer than the faults last. */
const LONG_SEED = 10;

test('canary › a network that stays cut after it healed › liveness', () => {
  const report = runSeed(LONG_SEED, (world: SimWorld) => {
    world.network.heal = () => {
      world.network.faults.lossShare = 1;
    };
  });
  assert.equal(report.verdict, 'liveness');
});

test('canary › an invariant that breaks › crash', () => {
  const report = runSeed(QUIET_SEED, (world) => {
    world.onCheck(() => {
      if (world.timers.now > 1e6) throw new RangeError('planted');
    });
  });
  assert.equal(report.verdict, 'crash');
});

test('100 MB both ways › 1 % lost, 1 % repeated, 1 % reordered › every byte arrives', () => {
  const report = moveBulk({
    seed: 1,
    bytes: 100 * MEGABYTE,
    faults: evenFaults(0.01),
    device: { bitsPerSecond: 1e9 },
  });
  assert(report.lost > 1_000, JSON.stringify(report));
  // Not many more segments again than were lost: recovery works without timeouts' go-back.
  assert(report.retransmitted < 2 * report.lost, JSON.stringify(report));
  assert(report.virtualSeconds < 60, JSON.stringify(report));
});

test('20 MB both ways › the device sums and cuts segments › every byte arrives', () => {
  const offload = { transmitChecksum: true, segmentBytesMax: 65_535 };
  for (const receivesPartialChecksums of [false, true]) {
    const device = { ...offload, receivesPartialChecksums, bitsPerSecond: 1e9 };
    moveBulk({ seed: 2, bytes: 20 * MEGABYTE, faults: evenFaults(0.01), device });
  }
});

test('a clean link › nothing is sent twice', () => {
  const report = moveBulk({
    seed: 3,
    bytes: 5 * MEGABYTE,
    faults: evenFaults(0),
    device: { bitsPerSecond: 1e9 },
  });
  assert.deepEqual([report.lost, report.retransmitted], [0, 0]);
});

test('main › arguments that make no sense › usage on stderr, exit 1', () => {
  for (const given of [[], ['--seed=x'], ['--seed=1', '--seeds=0'], ['--unknown'], ['--seed=-1']]) {
    const run = spawnSync(process.execPath, ['tests/sim/main.ts', ...given], { encoding: 'utf8' });
    assert.equal(run.status, 1, given.join());
    assert.match(run.stderr, /^usage: /);
  }
});

test('main › one seed › its options, exit 0', () => {
  const run = spawnSync(process.execPath, ['tests/sim/main.ts', '--seed=3'], { encoding: 'utf8' });
  assert.equal(run.status, 0, run.stderr);
  assert.match(run.stdout, /^lan seed=3 delay=.*\nnetwork seed=3 safetySeconds=/);
});
