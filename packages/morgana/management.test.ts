import assert from 'node:assert/strict';
import { test } from 'node:test';
import { err, hot, instantOfMicros, Log, ok, TimerQueue, wallTimeOfMillis } from '#core';
import type { Flow, Machine, NetDevice, Stack } from '#device';
import { Refusal } from '#inspect';
import { FakeFlow } from '../http/test-flow.ts';
import { startInspection } from './inspection.ts';
import { CONNECTIONS_MAX, managementConnector } from './management.ts';
import { FAILURES_WAITING_MAX, isSame } from './management-handler.ts';

const TOKEN = 'sixteen-letters!';

/** Connects the device with these values of its arguments; ports that were listened on, and how. */
async function connect(
  values: Record<string, string | number>,
  isTaken = false,
  interfaces: NetDevice[] = [],
) {
  const ports: number[] = [];
  let accept: (flow: Flow) => void = () => assert.fail('nothing is listened on');
  const stack = {
    listen: async (port: number, accepting: (flow: Flow) => void) => {
      if (isTaken) return err({ kind: 'port in use' as const, port });
      ports.push(port);
      accept = accepting;
      return ok({ port, close() {} });
    },
    addresses: () => ['10.0.0.1/24'],
    resolve: async (name: string) => ok([name]),
    bind: async () => err({ kind: 'not permitted' as const, port: 0 }),
  };
  const machine: Machine = {
    target: 'test',
    timers: new TimerQueue(instantOfMicros(0)),
    memoryBytes: 1_024,
    clock: { wall: () => wallTimeOfMillis(0) },
    entropy: { fill() {} },
    console: { writeLine() {} },
    bootArguments: [],
    interfaces,
    blocks: [],
    content: () => null,
    control: null,
    vitals: null,
    evaluate: null,
    exit: () => assert.fail('exit is not called'),
  };
  const log = new Log(() => {}, 'info');
  const inspection = startInspection(machine, 'name', log);
  const device = await managementConnector.connect({
    machine,
    node: {
      name: 'management',
      kind: 'net.management',
      options: {},
      needs: [],
      declaredAt: null,
      named: true,
    },
    needs: [stack as unknown as Stack],
    args: { 'management-port': 0, 'management-token': '', syslog: '', ...values },
    log,
    name: 'name',
    inspection,
    secure: null,
  });
  /** A client that has sent `text`. */
  const open = (text: string): FakeFlow => {
    const flow = new FakeFlow();
    accept(flow);
    flow.send(text);
    return flow;
  };
  return { device, ports, inspection, machine, open };
}

const LISTENING = { 'management-port': 9_100, 'management-token': TOKEN };

const asking = (line: string, token = TOKEN): string =>
  `${line} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${token}\r\n\r\n`;

test('nothing given › nothing is listened on', async () => {
  const { device, ports } = await connect({});
  assert.deepEqual([device, ports], [{ port: null }, []]);
});

test('a port and a token › it listens, and captures leave it out', async () => {
  const { device, ports, inspection } = await connect(LISTENING);
  assert.deepEqual([device, ports], [{ port: 9_100 }, [9_100]]);
  assert.equal(inspection.commands.managementPort, 9_100);
});

test('half a management port, or a bad one › refused, and nothing is listened on', async () => {
  const cases: [Record<string, string | number>, RegExp][] = [
    [{ 'management-port': 9_000 }, /needs --management-token of 16 to 256 characters/],
    [{ 'management-port': 9_000, 'management-token': TOKEN.slice(1) }, /16 to 256/],
    [{ 'management-port': 9_000, 'management-token': 'x'.repeat(257) }, /16 to 256/],
    [{ 'management-token': TOKEN }, /needs --management-port/],
    [{ 'management-port': 9_000, 'management-token': 'sixteen letters!' }, /printable ASCII/],
    [{ syslog: 'dtls://10.0.0.1' }, /^--syslog=dtls:\/\/10\.0\.0\.1: expected udp:/],
    [{ syslog: 'tls://10.0.0.1' }, /^--syslog=tls:\/\/10\.0\.0\.1 needs CAs to trust/],
  ];
  for (const [values, complaint] of cases) {
    const { device, ports } = await connect(values);
    assert.ok('lacks' in device);
    assert.match(device.lacks, complaint);
    assert.deepEqual(ports, []);
  }
  const longest = { 'management-port': 1, 'management-token': 'x'.repeat(256) };
  assert.deepEqual((await connect(longest)).ports, [1]);
  const taken = await connect({ 'management-port': 9_000, 'management-token': TOKEN }, true);
  assert.deepEqual(taken.device, { lacks: 'port 9000: port in use' });
});

test('a command that throws, rejects, answers what JSON cannot carry › 500, and that is all', async () => {
  const { open, inspection } = await connect(LISTENING);
  const { commands } = inspection;
  const answers: [() => unknown, RegExp][] = [
    [() => Promise.reject(new RangeError('rate')), /^HTTP\/1.1 500 [\s\S]*\r\n\r\nrate\n$/],
    [() => Promise.resolve({ big: 10n }), /^HTTP\/1.1 500 /],
    [() => Promise.reject(Object.create(null)), /^HTTP\/1.1 500 /],
    [() => Promise.reject(new Refusal('not you')), /^HTTP\/1.1 400 [\s\S]*not you\n$/],
    [() => Promise.resolve(undefined), /^HTTP\/1.1 200 [\s\S]*\r\n\r\nnull$/],
    [
      () => {
        throw new Error('at once');
      },
      /^HTTP\/1.1 500 [\s\S]*at once\n$/,
    ],
  ];
  for (const [answer, expected] of answers) {
    commands.profile = answer as typeof commands.profile;
    const flow = open(asking('POST /profile?seconds=1'));
    await new Promise(setImmediate);
    assert.match(flow.takeText(), expected);
  }
});

test('a client that leaves › ends its capture, or another could not begin', async () => {
  const device: NetDevice = {
    mac: new Uint8Array(6),
    mtuBytes: 1_500,
    offload: { transmitChecksum: false, segmentBytesMax: 0 },
    attach() {},
    reserve: () => new Uint8Array(1_514),
    commit() {},
    counters: () => ({}),
  };
  const { commit } = device;
  const { open } = await connect(LISTENING, false, [device]);
  device.attach({ receive() {}, transmitReady() {} });
  const begin = () => open(asking('GET /pcap'));
  const flows = [1, 2, 3, 4].map(begin);
  for (const flow of flows) assert.match(flow.takeText(), /^HTTP\/1.1 200 /);
  assert.match(begin().takeText(), /^HTTP\/1.1 400 [\s\S]*4 captures already/);
  flows[0]!.close('reset');
  const next = begin();
  assert.match(next.takeText(), /^HTTP\/1.1 200 /);
  for (const flow of [...flows, next]) flow.close('reset');
  assert.equal(device.commit, commit);
});

test("a program's section that fails › the rest of /metrics and /snapshot", async () => {
  const { open, inspection } = await connect(LISTENING);
  const { section } = inspection.commands.program;
  section('bad', () => ({ big: 10n }));
  section('good', () => ({ done: 1 }));
  const metrics = open(asking('GET /metrics')).takeText();
  assert.match(metrics, /^HTTP\/1.1 200 [\s\S]*section="good",name="done"\} 1\n/);
  const snapshot = open(asking('GET /snapshot')).takeText();
  assert.match(snapshot, /^HTTP\/1.1 200 [\s\S]*"bad":\{"error":"[^"]*BigInt[^"]*"\},"good"/);
});

test('wrong tokens › as many as may be are answered late, the next one at once', async () => {
  const { open, machine } = await connect(LISTENING);
  const wrong = () => open(asking('GET /metrics', 'x'));
  const late = Array.from({ length: FAILURES_WAITING_MAX }, wrong);
  assert.match(wrong().takeText(), /^HTTP\/1.1 401 /);
  // Leaving gives no room for another guess.
  late[0]!.close('reset');
  assert.match(wrong().takeText(), /^HTTP\/1.1 401 /);
  for (const flow of late) assert.equal(flow.takeText(), '');
  machine.timers.run(instantOfMicros(2_000_000));
  for (const flow of late.slice(1)) assert.match(flow.takeText(), /^HTTP\/1.1 401 /);
  assert.equal(wrong().takeText(), '');
});

test('all connections held by strangers › an operator gets in, and one who is in stays', async () => {
  const body = 'Content-Length: 16000\r\n\r\nxx';
  const unfinished = asking('PUT /log', 'wrong').replace(/\r\n$/, body);
  const kinds = [asking('GET /metrics', 'wrong'), unfinished, 'GET /metrics HTTP/1.1\r\n', ''];
  for (const text of kinds) {
    const { open } = await connect(LISTENING);
    const follower = open(asking('GET /log?follow=true'));
    for (let i = 0; i < CONNECTIONS_MAX * 2; i++) open(text);
    assert.match(open(asking('GET /metrics')).takeText(), /^HTTP\/1.1 200 /, text);
    assert.equal(follower.isAborted, false);
  }
});

test('tokens › the same, another, shorter, longer, none', () => {
  const bytes = (text: string) => hot.utf8Encode(text);
  const secret = bytes(TOKEN);
  assert.equal(isSame(bytes(TOKEN), secret), true);
  for (const other of ['', 'x', TOKEN.slice(1), `${TOKEN}x`, TOKEN + TOKEN, TOKEN.toUpperCase()]) {
    assert.equal(isSame(bytes(other), secret), false, other);
  }
});
