import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instantOfMicros, Log, TimerQueue, wallTimeOfMillis } from '#core';
import type { CpuProfile, Machine, NetDevice, Stack, Vitals } from '#device';
import { Commands } from './commands.ts';
import { ControlServer } from './control-server.ts';
import { capturesMax, profileSecondsMax, sectionCharactersMax } from './limits.ts';
import { formatMetrics } from './prometheus.ts';
import type { UnikernelSnapshot } from './snapshot.ts';
import { TestChannel } from './test-channel.ts';

const PROFILE: CpuProfile = { hz: 100, micros: 1, samples: 0, idle: 0, lost: 0, nodes: [] };

class TestVitals implements Vitals {
  running = 0;
  walks = 0;
  heap() {
    this.walks += 1;
    return { totalBytes: 2, usedBytes: 1, kinds: {} };
  }
  loop() {
    const none = { slowTurns: [], lateTimers: [], turnMicrosMax: 0, lateMicrosMax: 0 };
    return { micros: 5, turns: 1, busyMicros: 1, ...none };
  }
  async startProfile(hz: number) {
    if (this.running !== 0) return false;
    this.running = hz;
    return true;
  }
  async stopProfile() {
    this.running = 0;
    return PROFILE;
  }
}

function made(vitals: TestVitals | null = new TestVitals()) {
  const channel = new TestChannel();
  const device: NetDevice = {
    mac: new Uint8Array(6),
    mtuBytes: 1_500,
    offload: { transmitChecksum: false, segmentBytesMax: 0 },
    attach() {},
    reserve: () => new Uint8Array(1_514),
    commit() {},
    counters: () => ({}),
  };
  const machine: Machine = {
    target: 'test',
    timers: new TimerQueue(instantOfMicros(7)),
    memoryBytes: 1_024,
    clock: { wall: () => wallTimeOfMillis(9) },
    entropy: { fill() {} },
    console: { writeLine() {} },
    bootArguments: ['--management-token=secret'],
    interfaces: [device],
    blocks: [],
    content: () => null,
    control: channel,
    vitals,
    evaluate: null,
    exit: () => assert.fail('exit is not called'),
  };
  const log = new Log(() => {}, 'info');
  const commands = new Commands(machine, 'name', log);
  device.attach({ receive() {}, transmitReady() {} });
  commands.register(new ControlServer(channel, log.source('control')));
  return { channel, client: channel.client(1), machine, log, commands, device };
}

test('snapshot › what the machine is; the heap only when asked; no boot arguments', async () => {
  const vitals = new TestVitals();
  const { client, commands } = made(vitals);
  const inspect: Stack['inspect'] = ({ connectionsMax }) => ({
    addresses: [],
    connections: { count: connectionsMax, list: [] },
    counters: {},
  });
  commands.addStack('stack', { inspect } as Stack);
  commands.addStack('bare', {} as Stack);
  const answer = await client.ask('snapshot', { connections: 3 });
  assert.ok(answer.ok);
  const { version, name, target, uptimeMicros, wallMillis, heap, stacks, loop } =
    answer.value as UnikernelSnapshot;
  assert.deepEqual([version, name, target, uptimeMicros, wallMillis], [1, 'name', 'test', 7, 9]);
  assert.deepEqual(
    [heap, loop?.turns, stacks.stack?.connections.count, stacks.bare],
    [null, 1, 3, null],
  );
  assert.equal(vitals.walks, 0);
  assert.ok(!JSON.stringify(answer.value).includes('secret'));
  const walked = await client.ask('snapshot', { heap: true });
  assert.equal(vitals.walks, 1);
  assert.ok(walked.ok);
});

test('snapshot › what the program adds, the last of a name', async () => {
  const { client, commands } = made();
  commands.program.section('jobs', () => assert.fail('replaced'));
  commands.program.section('jobs', () => ({ done: 1 }));
  commands.program.stack('inside', () => ({ mac: '02:00:00:00:00:01' }));
  const answer = await client.ask('snapshot');
  assert.ok(answer.ok);
  const { program, stacks } = answer.value as UnikernelSnapshot;
  assert.deepEqual(program, { jobs: { done: 1 } });
  assert.equal(stacks.inside?.mac, '02:00:00:00:00:01');
  assert.equal(stacks.inside?.connections.count, 0);
});

test('snapshot › a section or a stack that fails, JSON cannot carry, is long › is an error itself', async () => {
  const { client, commands } = made();
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  const { section, stack } = commands.program;
  section('bigint', () => ({ big: 10n }));
  section('cycle', () => cycle);
  section('throw', () => {
    throw new Error('not now');
  });
  section('symbol', () => {
    throw Symbol('odd');
  });
  section('no text', () => {
    throw Object.create(null);
  });
  section('toJSON', () => ({
    toJSON() {
      throw new Error('not at all');
    },
  }));
  section('nothing', () => undefined);
  section('longest', () => 'x'.repeat(sectionCharactersMax - 2));
  section('longer', () => 'x'.repeat(sectionCharactersMax - 1));
  section('good', () => ({ done: 1 }));
  stack('broken', () => {
    throw new Error('no stack');
  });
  stack('big', () => ({ counters: { big: 10n as unknown as number } }));
  const answer = await client.ask('snapshot');
  assert.ok(answer.ok);
  const { program = {}, stacks } = answer.value as UnikernelSnapshot;
  const errorOf = (name: string) => (program[name] as { error?: string }).error;
  assert.match(errorOf('bigint')!, /BigInt/);
  assert.match(errorOf('cycle')!, /circular/);
  assert.equal(errorOf('throw'), 'not now');
  assert.equal(errorOf('symbol'), 'Symbol(odd)');
  assert.equal(errorOf('no text'), 'a value that has no text');
  assert.equal(errorOf('toJSON'), 'not at all');
  assert.equal(program.nothing, null);
  assert.equal((program.longest as string).length, sectionCharactersMax - 2);
  assert.equal(errorOf('longer'), '131073 characters are more than 131072');
  assert.deepEqual(program.good, { done: 1 });
  assert.equal(stacks.broken?.error, 'no stack');
  assert.match(stacks.big?.error ?? '', /BigInt/);
  const text = formatMetrics(commands.snapshot({}));
  assert.match(text, /^morgana_program\{section="good",name="done"\} 1$/m);
});

test('log › levels are told, set, refused; lines are followed', async () => {
  const { client, log } = made();
  assert.deepEqual(await client.ask('log', { levels: 'warn,tcp:debug' }), {
    ok: true,
    value: { '*': 'warn', tcp: 'debug', control: 'warn' },
  });
  assert.ok(!(await client.ask('log', { levels: 'loud' })).ok);
  let text = '';
  const followed = client.open('log', { follow: true }, (bytes) => {
    text += Buffer.from(bytes).toString();
  });
  log.source('tcp').debug('räks');
  log.source('ip').info('hidden');
  followed.end();
  assert.ok((await followed.answer).ok);
  log.source('tcp').debug('after');
  assert.equal(text, '[0.000] debug tcp: räks\n');
});

test('log › a follower that is slow › is told how much it missed', async () => {
  const { client, log, channel } = made();
  let text = '';
  void client.open('log', { follow: true }, (bytes) => {
    text += Buffer.from(bytes).toString();
  });
  channel.holds = true;
  for (let i = 0; i < 5; i++) log.source('tcp').info('x'.repeat(60_000));
  channel.holds = false;
  channel.release();
  log.source('tcp').info('last');
  log.source('tcp').info('more');
  assert.match(
    text,
    /\(2 lines were dropped\)\n\[0\.000\] info tcp: last\n\[0\.000\] info tcp: more\n$/,
  );
});

test('profile › after its seconds, or when asked to end', async () => {
  const vitals = new TestVitals();
  const { client, machine } = made(vitals);
  const asked = client.ask('profile', { seconds: 2, hz: 500 });
  await Promise.resolve();
  assert.equal(vitals.running, 500);
  const second = await client.ask('profile', { seconds: 1 });
  assert.ok(!second.ok && second.error.includes('already'));
  machine.timers.run(instantOfMicros(2_000_007));
  assert.deepEqual(await asked, { ok: true, value: PROFILE });
  const long = client.open('profile', { seconds: profileSecondsMax }, () => {});
  await new Promise(setImmediate);
  long.end();
  assert.ok((await long.answer).ok);
  assert.equal(machine.timers.size, 0);
});

test('profile › wrong numbers, a machine that has none › refused', async () => {
  const { client } = made();
  for (const seconds of [0, -1, profileSecondsMax + 1, '1', Number.NaN]) {
    assert.ok(!(await client.ask('profile', { seconds })).ok);
  }
  for (const hz of [0, 1e9, 'x', 20.5])
    assert.ok(!(await client.ask('profile', { seconds: 1, hz })).ok);
  const bare = await made(null).client.ask('profile', { seconds: 1 });
  assert.deepEqual(bare, { ok: false, error: 'target test has no CPU profiles' });
});

test('pcap › as many as there may be, one more, no such interface', async () => {
  const { client, device, channel } = made();
  const open = Array.from({ length: capturesMax }, () => client.open('pcap', {}, () => {}));
  assert.ok(!(await client.ask('pcap')).ok);
  assert.ok(!(await client.ask('pcap', { interface: 1 })).ok);
  assert.ok(!(await client.ask('pcap', { interface: 'x' })).ok);
  device.commit(10, [], null);
  open[0]!.end();
  assert.deepEqual(await open[0]!.answer, { ok: true, value: { frames: 1, dropped: 0 } });
  void client.open('pcap', {}, () => {});
  channel.leave(1);
  const next = channel.client(2);
  const again = next.open('pcap', {}, () => {});
  again.end();
  assert.ok((await again.answer).ok, 'those of a client that is gone are over');
});
