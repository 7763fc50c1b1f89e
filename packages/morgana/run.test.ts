import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as passed } from 'node:timers/promises';
import { instantOfMicros, TimerQueue, wallTimeOfMillis } from '#core';
import type { KvReadOnly, Machine, NetDevice, Stack } from '#device';
import { installedNetwork } from '#web';
import { arg, kv, net } from './config.ts';
import { deviceOrder } from './devices.ts';
import {
  type AnyContext,
  type Connectors,
  contentConnector,
  EXIT_SOFTWARE,
  EXIT_UNAVAILABLE,
  EXIT_USAGE,
  ethernetConnector,
  runUnikernel,
  type Unikernel,
} from './run.ts';

function machineWith(bootArguments: string[], parts: Partial<Machine> = {}) {
  const lines: string[] = [];
  const machine: Machine = {
    memoryBytes: 64 * 1024 * 1024,
    target: 'test',
    timers: new TimerQueue(instantOfMicros(1_234_567)),
    clock: { wall: () => wallTimeOfMillis(0) },
    entropy: { fill: () => {} },
    console: { writeLine: (line) => lines.push(line) },
    bootArguments,
    interfaces: [],
    blocks: [],
    content: () => null,
    control: null,
    vitals: null,
    evaluate: null,
    exit: () => assert.fail('exit is not called'),
    ...parts,
  };
  return { machine, lines };
}

const PORT = { port: arg.port({ default: 80, doc: 'the port' }) };

function unikernel(parts: Partial<Unikernel> = {}): Unikernel {
  return {
    name: 'test',
    args: PORT,
    devices: [],
    connectors: {},
    start: async () => 0,
    ...parts,
  };
}

test('start gets values, log, clock, entropy and timers', async () => {
  const { machine, lines } = machineWith(['--port=8080']);
  let seen: AnyContext | null = null;
  const start = async (context: AnyContext): Promise<number> => {
    seen = context;
    context.log.info('here');
    return 7;
  };
  assert.equal(await runUnikernel(machine, unikernel({ start })), 7);
  assert.deepEqual(seen!.args, { port: 8_080 });
  assert.equal(seen!.timers, machine.timers);
  assert.deepEqual(lines, ['[    1.235] info test: here']);
});

test('start ends with a code › devices give back what they were lent; not while servers run', async () => {
  for (const code of [3, undefined]) {
    const { machine } = machineWith([], { interfaces: [{} as NetDevice] });
    let released = 0;
    const connectors: Connectors = {
      'net.ethernet': ethernetConnector,
      'net.stack': {
        args: {},
        connect: async () => ({ release: () => (released += 1) }) as unknown as Stack,
      },
    };
    const devices = deviceOrder({ stack: net.stack() });
    const start = async (): Promise<never> => code as never;
    const ran = runUnikernel(machine, unikernel({ devices, connectors, start }));
    const ended = await Promise.race([ran, passed('runs on')]);
    assert.deepEqual([ended, released], code === undefined ? ['runs on', 0] : [3, 1]);
  }
});

test('--help › documented arguments, exit code 0', async () => {
  const { machine, lines } = machineWith(['--help']);
  assert.equal(await runUnikernel(machine, unikernel()), 0);
  assert.ok(lines.includes('  --port=PORT                the port (default 80)'));
  assert.ok(lines.some((line) => line.startsWith('  --log=TEXT')));
});

const WRONG: readonly [string, RegExp][] = [
  ['--port=x', /^error: --port=x: expected a port number/],
  ['--nope=1', /^error: there is no argument --nope/],
  [
    '--log=loud',
    /^error: --log=loud: expected debug, info, warn, error, off or source:level, not .loud./,
  ],
  ['--log=', /^error: --log=: expected debug/],
  ['--log=:debug', /not ':debug'/],
  ['--log=a:debug,a:info', /'a' is given twice/],
];
for (const [word, message] of WRONG) {
  test(`${word} › one error line, exit code 64`, async () => {
    const { machine, lines } = machineWith([word]);
    const start = (): Promise<number> => assert.fail('start is not called');
    assert.equal(await runUnikernel(machine, unikernel({ start })), EXIT_USAGE);
    assert.equal(lines.length, 1);
    assert.match(lines[0]!, message);
  });
}

test('--log › levels by source', async () => {
  const { machine, lines } = machineWith(['--log=error,test:debug']);
  const connectors: Connectors = {
    'kv.directory': {
      args: {},
      async connect({ log }) {
        log.source('other').warn('not shown');
        return {} as KvReadOnly;
      },
    },
  };
  const start = async ({ log }: AnyContext): Promise<number> => {
    log.debug('shown');
    return 0;
  };
  const devices = deviceOrder({ site: kv.directory('.') });
  await runUnikernel(machine, unikernel({ start, devices, connectors }));
  assert.deepEqual(lines, ['[    1.235] debug test: shown']);
});

test('devices › connected in order, once, with their own arguments', async () => {
  const wire = {} as NetDevice;
  const { machine } = machineWith(['--speed=9'], { interfaces: [wire] });
  const stack = {} as never;
  const connectors: Connectors = {
    'net.ethernet': ethernetConnector,
    'net.stack': {
      args: { speed: { kind: 'int', default: 1, doc: '' } },
      async connect({ needs, args }) {
        assert.deepEqual(needs, [wire]);
        assert.equal(args.speed, 9);
        return stack;
      },
    },
  };
  const start = async (context: AnyContext): Promise<number> => {
    assert.equal(context.stack, stack);
    assert.ok(!('net.ethernet' in context));
    assert.deepEqual(context.args, { port: 80 });
    assert.equal(installedNetwork(), stack, 'fetch goes out by it');
    return 0;
  };
  const devices = deviceOrder({ stack: net.stack() });
  assert.equal(await runUnikernel(machine, unikernel({ start, devices, connectors })), 0);
});

test('a machine without the device › one line, exit code 69', async () => {
  const lacking: readonly [Unikernel['devices'], Connectors, RegExp][] = [
    [
      deviceOrder({ wire: net.ethernet() }),
      { 'net.ethernet': ethernetConnector },
      /device 'wire' \(net\.ethernet\): the machine has 0 network interface/,
    ],
    [
      deviceOrder({ site: kv.directory('.') }),
      { 'kv.directory': contentConnector },
      /device 'site' \(kv\.directory\): its content is not in the image/,
    ],
  ];
  for (const [devices, connectors, message] of lacking) {
    const { machine, lines } = machineWith([]);
    const code = await runUnikernel(machine, unikernel({ devices, connectors }));
    assert.equal(code, EXIT_UNAVAILABLE);
    assert.match(lines.join('\n'), message);
  }
});

test('start rejects › the error in the log, exit code 70', async () => {
  const { machine, lines } = machineWith([]);
  const start = async (): Promise<number> => {
    throw new RangeError('too far');
  };
  assert.equal(await runUnikernel(machine, unikernel({ start })), EXIT_SOFTWARE);
  assert.match(lines[0]!, /error test: RangeError: too far/);
});

test('start leaves a server › never ends', async () => {
  const { machine } = machineWith([]);
  const run = runUnikernel(machine, unikernel({ start: async () => {} }));
  const turn = new Promise((resolve) => setImmediate(resolve, 'still running'));
  assert.equal(await Promise.race([run, turn]), 'still running');
});
