/** `morgana switch` and `morgana run --network`: who starts what, who ends when. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { asFailure } from '../../tools/cli/failure.ts';
import { parseCommandLine } from '../../tools/cli/flags.ts';
import { NetworkClient } from '../../tools/cli/network/control-client.ts';
import { parseResolvConf } from '../../tools/cli/network/gateway.ts';
import {
  type Joined,
  LINE_BYTES_MAX,
  Lines,
  type NetworkStatus,
  parseRequest,
} from '../../tools/cli/network/messages.ts';
import { statusText } from '../../tools/cli/network/status-text.ts';
import { switchVerb } from '../../tools/cli/network/switch-verb.ts';
import { VERBS } from '../../tools/cli/verbs.ts';
import { freePort, type Tool, Workspace } from './cli.ts';

const work = new Workspace({
  'wait/morgana.config.ts': `import { arg, defineUnikernel } from 'morgana/config';
export default defineUnikernel({
  name: 'wait',
  main: './main.ts',
  devices: {},
  args: {
    code: arg.int({ default: 0, doc: 'ends with it at once, unless 0' }),
    port: arg.port({ default: 80, doc: 'that a network may publish' }),
  },
});
`,
  'wait/main.ts': `import type { Start } from 'morgana';
import type config from './morgana.config.ts';
export const start: Start<typeof config> = async ({ args, log }) => {
  log.info('started');
  if (args.code !== 0) return args.code;
  await new Promise(() => {});
};
`,
});
const runtime = work.path('rt');
mkdirSync(runtime, { mode: 0o700 });
const env = { MORGANA_RUNTIME_DIR: runtime };
after(() => work.remove());

const PUBLISH = {
  hostAddress: '127.0.0.1',
  hostPort: 8080,
  protocol: 'tcp',
  guest: 'web',
  guestPort: 80,
} as const;

const MAC = '02:00:00:00:00:01';
const JOIN = { name: 'a', mac: MAC, address: null, allowHost: false } as const;

const status = async (name: string): Promise<NetworkStatus | null> => {
  const client = await NetworkClient.connect(path.join(runtime, 'networks', name, 'control.sock'));
  if (client === null) return null;
  const answer = (await client.ask({ ask: 'status' })) as NetworkStatus;
  client.close();
  return answer;
};
const run = (...words: string[]): Tool => work.start(['run', 'wait.elf', ...words], env);
before(async () => {
  const built = await work.run(['build', 'wait', '--target=process', '--output=wait.elf']);
  assert.equal(built.code, 0, built.stderr);
});
async function stop(tool: Tool, signal: NodeJS.Signals = 'SIGINT'): Promise<number | null> {
  tool.child.kill(signal);
  return (await tool.ended).code;
}

test('a switch › ports join and leave, Ctrl-C removes its socket', async () => {
  const words = ['--gateway=off', '--loss=0.5', '--delay=1', '--pcap=a.pcap'];
  const tool = work.start(['switch', '--socket=s', ...words]);
  await tool.wrote(/switch at s; plug in with --link=unix:s/);
  const socket = net.connect(work.path('s'));
  await tool.wrote(/port 1 joined/);
  socket.write(Uint8Array.of(0, 0, 0, 1, 7));
  await new Promise<void>((resolve) => socket.end(resolve));
  await tool.wrote(/port 1 left; dropped: runt 1/);
  assert.equal(await stop(tool, 'SIGTERM'), 0);
  assert.ok(!existsSync(work.path('s')));
  assert.equal(readFileSync(work.path('a.pcap')).length, 24);
});

const REFUSED: readonly [string, string[], number, RegExp][] = [
  ['no place', [], 1, /switch needs a place, give it --socket=PATH or --network=NAME/],
  ['two places', ['--socket=a', '--network=b'], 1, /two ways to say where/],
  ['no name', ['--network=../x'], 1, /is no name of a network/],
  ['a network that is none', ['--socket=/tmp/x', '--gateway=1.2.3.0/24'], 1, /no private IPv4/],
  ['a loss above 100', ['--socket=a', '--loss=101'], 1, /with a percentage, 0 to 100/],
  ['a rate that is none', ['--socket=a', '--rate=-1'], 1, /megabits a second/],
  ['status of no network', ['--network=none', '--status'], 2, /'none' does not run, start it/],
  ['status without a name', ['--socket=a', '--status'], 1, /of a network with a name/],
  ['json without status', ['--network=a', '--json'], 1, /--json goes with --status/],
  ['the host, no gateway', ['--socket=a', '--gateway=off', '--allow-host'], 1, /--gateway=off out/],
  ['a capture in no directory', ['--socket=/tmp/x', '--pcap=/no/x'], 2, /\/no\/x: no such file/],
  ['a file', [`--socket=${work.path('wait/main.ts')}`], 2, /is a file, take another --socket/],
  ['no directory', ['--socket=/no/such'], 2, /can't listen at \/no\/such/],
  ['a long path', [`--socket=/${'x'.repeat(107)}`], 2, /107 are the most/],
];
for (const [what, words, exitCode, message] of REFUSED) {
  test(`${what} › one sentence`, async () => {
    const parsed = parseCommandLine(words, VERBS.switch.flags, 0);
    if (!parsed.ok) return assert.match(parsed.error, message);
    process.env.MORGANA_RUNTIME_DIR = runtime;
    await assert.rejects(switchVerb(parsed.value), (thrown: Error) => {
      const error = asFailure(thrown)!;
      assert.match(error.message, message);
      assert.equal(error.exitCode, exitCode);
      return true;
    });
  });
}

test('three join at once a network that nobody started › one switch; who is on it', async () => {
  const tools = [run('--network=lab'), run('--network=lab', '--name=web'), run('--network=lab')];
  for (const tool of tools) await tool.wrote(/info wait: started/);
  const found = (await status('lab'))!;
  const names = found.names.map(({ name }) => name).sort();
  assert.deepEqual(names, ['wait', 'wait-2', 'web']);
  assert.equal(found.ports.length, 4, 'and the gateway');
  const shown = await work.run(['switch', '--network=lab', '--status'], env);
  assert.match(shown.stdout, /^network lab, process \d+$/m);
  assert.match(shown.stdout, /^ {4}web .* [0-9a-f]{2}(:[0-9a-f]{2}){5}$/m);
  const late = await run('--network=lab', '--allow-host').ended;
  assert.match(late.stderr, /^error: the network 'lab' runs without --allow-host: start it anew/m);
  assert.equal(late.code, 2);
  const second = await work.run(['switch', '--network=lab'], env);
  assert.match(second.stderr, /the network 'lab' is running, see "morgana switch --network=lab/);
  assert.equal(second.code, 75);
  assert.equal(await stop(tools[1]!), 130);
  assert.equal((await status('lab'))!.names.length, 2);
  process.kill(found.pid, 'SIGKILL');
  for (const tool of [tools[0]!, tools[2]!]) {
    const { code, stderr } = await tool.ended;
    // The process may see its link close before the tool does.
    assert.ok(code === 2 || code === 122, `${code}: ${stderr}`);
    assert.doesNotMatch(stderr, /no port is published/);
  }
});

test('--allow-host without a network › refused', async () => {
  const { code, stderr } = await run('--link=unix:none', '--allow-host').ended;
  assert.match(stderr, /^error: --allow-host goes with --network, give it --network=NAME too/m);
  assert.equal(code, 1);
});

test('its switch was killed › the next takes its place, though the sockets are still there', async () => {
  assert.ok(existsSync(path.join(runtime, 'networks/lab/switch.sock')));
  const tool = run('--network=lab', '--allow-host', '--', '--code=7');
  assert.equal((await tool.ended).code, 7);
  assert.equal((await status('lab'))?.gateway?.allowsHost, true, 'it lingers');
});

test('a network that lingers › stays while somebody is on it, then ends', async () => {
  const own = work.start(['switch', '--network=own', '--gateway=off', '--linger=1'], env);
  await own.wrote(/network 'own'/);
  const client = (await NetworkClient.connect(path.join(runtime, 'networks/own/control.sock')))!;
  const joined = (await client.ask({ ask: 'join', ...JOIN })) as Joined;
  assert.equal(joined.gateway, null);
  await assert.rejects(client.ask({ ask: 'publish', ...PUBLISH }), /no gateway, so nothing can be/);
  await new Promise((resolve) => setTimeout(resolve, 1_300));
  assert.equal((await status('own'))?.pid, joined.pid);
  client.close();
  const { code, stderr } = await own.ended;
  assert.equal(code, 0);
  assert.match(stderr, /a joined\nmorgana: a left/);
  assert.ok(!existsSync(path.join(runtime, 'networks/own/switch.sock')));
});

test('a network that lingers is told to end while somebody is on it › it ends at once', async () => {
  const own = work.start(['switch', '--network=end', '--linger=600'], env);
  await own.wrote(/network 'end'/);
  const client = (await NetworkClient.connect(path.join(runtime, 'networks/end/control.sock')))!;
  await client.ask({ ask: 'join', ...JOIN });
  const port = net.connect(path.join(runtime, 'networks/end/switch.sock'));
  await own.wrote(/port 1 joined/);
  const closed = once(port.resume(), 'close');
  assert.equal(await stop(own, 'SIGTERM'), 0);
  await Promise.all([closed, client.closed]);
});

test('a network that can not start › says where to look', async () => {
  mkdirSync(path.join(runtime, 'networks/bad/switch.sock'), { recursive: true });
  const { code, stderr } = await run('--network=bad').ended;
  assert.equal(code, 2);
  assert.match(stderr, /^error: \S+switch.sock is a file/m);
  assert.match(stderr, /^error: the network 'bad' does not start, see \S+log$/m);
});

test('published ports › of the connection that asked, until it goes; one in use is refused', async () => {
  const place = path.join(runtime, 'networks/pub/control.sock');
  const own = work.start(['switch', '--network=pub'], env);
  await own.wrote(/gateway 10\.77\.\d+\.1: DHCP/);
  const [first, second] = [
    (await NetworkClient.connect(place))!,
    (await NetworkClient.connect(place))!,
  ];
  const ask = { ask: 'publish', ...PUBLISH, hostPort: await freePort() } as const;
  await first.ask(ask);
  await assert.rejects(second.ask(ask), /port \d+ of this machine is in use, stop what holds it/);
  assert.deepEqual((await status('pub'))!.published, [{ ...PUBLISH, hostPort: ask.hostPort }]);
  first.close();
  await first.closed;
  const deadline = performance.now() + 60_000;
  while ((await status('pub'))!.published.length > 0) assert.ok(performance.now() < deadline);
  await second.ask(ask);
  await second.ask({ ...ask, ask: 'unpublish' });
  await assert.rejects(second.ask({ ...ask, ask: 'unpublish' }), /is not published/);
  const refused = { ...ask, hostAddress: '192.0.2.1' };
  await assert.rejects(second.ask(refused), /can't be opened at 192.0.2.1/);
  assert.equal(await stop(own), 0);
  await second.closed;
});

test('a hostile client of the control socket › cut off or told so; others are answered', async () => {
  const own = work.start(['switch', '--network=foe', '--gateway=off'], env);
  await own.wrote(/network 'foe'/);
  const place = path.join(runtime, 'networks/foe/control.sock');
  const [long, silly] = [net.connect(place), net.connect(place)];
  long.on('error', () => {});
  const cut = once(long, 'close');
  long.write(Buffer.alloc(LINE_BYTES_MAX + 1, 0x61));
  long.resume();
  await cut;
  silly.write('{"id":5,"ask":"join"}\nnonsense\n{"id":6,"ask":"names"}\n{"id":7,');
  const [answers] = await once(silly, 'data');
  const told = String(answers)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const errors = told.map(({ id, error }) => [id, typeof error === 'string']);
  const expected = [
    [5, true],
    [0, true],
    [6, false],
  ];
  assert.deepEqual(errors, expected.slice(0, told.length));
  silly.destroy();
  assert.equal((await status('foe'))?.names.length, 0);
  assert.equal(await stop(own), 0);
});

test('resolv.conf › its name servers', () => {
  const text =
    'nameserver 192.0.2.1\n# nameserver 192.0.2.2\nsearch x\nnameserver\tfe80::1%eth0 \n';
  const addresses = parseResolvConf(`${text}nameserver none\n`).map(({ address }) => address);
  assert.deepEqual(addresses, ['192.0.2.1', 'fe80::1%eth0']);
});

test('requests › read', () => {
  for (const ask of [
    { ask: 'join', name: 'web', mac: '52:54:00:00:00:01', address: '10.77.0.9', allowHost: true },
    { ask: 'join', ...JOIN },
    { ask: 'publish', ...PUBLISH },
    { ask: 'unpublish', hostAddress: '::', hostPort: 0, protocol: 'udp' },
    { ask: 'names' },
    { ask: 'status' },
  ]) {
    const parsed = parseRequest(JSON.stringify({ id: 7, ...ask }));
    assert.deepEqual(parsed, { ok: true, value: { id: 7, ...ask } });
  }
});

test('a request to join › what it leaves out is none', () => {
  const parsed = parseRequest(`{"id":7,"ask":"join","name":"a","mac":"${MAC}"}`);
  assert.deepEqual(parsed, { ok: true, value: { id: 7, ask: 'join', ...JOIN } });
});

test('requests that are none › what is wrong, for the question that it is about', () => {
  const lines: readonly [string, number, RegExp][] = [
    ['', 0, /not JSON/],
    ['{', 0, /not JSON/],
    ['null', 0, /not an object/],
    ['[]', 0, /ask is none of/],
    ['{"id":3}', 3, /ask is none of/],
    ['{"id":-1,"ask":"toString"}', 0, /ask is none of/],
    ['{"id":3,"ask":"join","name":""}', 3, /join needs name and mac/],
    [`{"id":3,"ask":"join","name":"${'a'.repeat(64)}","mac":"x"}`, 3, /join needs/],
    ['{"id":3,"ask":"join","name":"a\\n\\u001b[31mb","mac":"02:00:00:00:00:01"}', 3, /join needs/],
    ['{"id":3,"ask":"join","name":"Web","mac":"02:00:00:00:00:01"}', 3, /name is none of a uni/],
    [
      '{"id":3,"ask":"join","name":"gateway","mac":"02:00:00:00:00:01"}',
      3,
      /name is none of a uni/,
    ],
    ['{"id":3,"ask":"join","name":"web","mac":"../../x"}', 3, /join needs/],
    ['{"id":3,"ask":"join","name":"web","mac":"01:00:00:00:00:01"}', 3, /no address of a station/],
    [
      `{"id":3,"ask":"join","name":"a","mac":"${MAC}","address":"::1"}`,
      3,
      /address is none of IPv4/,
    ],
    [`{"id":3,"ask":"join","name":"a","mac":"${MAC}","address":"1.2.3"}`, 3, /address is none of/],
    [`{"id":3,"ask":"join","name":"a","mac":"${MAC}","allowHost":1}`, 3, /neither true nor false/],
    ['{"id":3,"ask":"publish"}', 3, /hostAddress is missing/],
    ['{"id":3,"ask":"probe","guest":"\\u001b[2J","guestPort":1}', 3, /probe needs guest/],
    ['{"id":3,"ask":"publish","hostAddress":"::"}', 3, /hostPort is missing/],
    ['{"id":3,"ask":"unpublish","hostAddress":"::","hostPort":65536}', 3, /hostPort/],
    ['{"id":3,"ask":"unpublish","hostAddress":"::","hostPort":1.5}', 3, /hostPort/],
    ['{"id":3,"ask":"unpublish","hostAddress":"::","hostPort":1}', 3, /neither tcp nor udp/],
    [
      '{"id":3,"ask":"publish","hostAddress":"::","hostPort":1,"protocol":"tcp","guest":"a"}',
      3,
      /guest and guestPort/,
    ],
  ];
  for (const [line, id, message] of lines) {
    const parsed = parseRequest(line);
    assert.ok(!parsed.ok, line);
    assert.equal(parsed.error.id, id, line);
    assert.match(parsed.error.message, message);
  }
});

test('lines › in any pieces; at the bound, and one past it refused', () => {
  const text = Buffer.from('{"é":1}\n\nsecond\nrest');
  for (let piece = 1; piece <= text.length; piece++) {
    const lines = new Lines();
    const got: string[] = [];
    for (let at = 0; at < text.length; at += piece) {
      assert.ok(lines.push(text.subarray(at, at + piece), (line) => got.push(line)));
    }
    assert.deepEqual(got, ['{"é":1}', 'second']);
  }
  const longest = Buffer.alloc(LINE_BYTES_MAX, 0x61);
  const lines = new Lines();
  assert.ok(lines.push(longest, assert.fail));
  assert.ok(lines.push(Buffer.from('\n'), ({ length }) => assert.equal(length, LINE_BYTES_MAX)));
  assert.ok(lines.push(longest, assert.fail));
  assert.ok(!lines.push(Buffer.from('a'), assert.fail));
});

test('status as text › what occurred, in columns', () => {
  const text = statusText({
    name: 'lab',
    pid: 7,
    switchSocket: '/run/s',
    ports: [
      { port: '1', macs: ['02:00:00:00:00:01'], counters: { received: 10, sent: 2 }, drops: {} },
      { port: '12', macs: [], counters: {}, drops: { runt: 3 } },
    ],
    counters: { forwarded: 12, flooded: 0 },
    names: [{ name: 'web', mac: '02:00:00:00:00:01', address: '10.0.0.2' }],
    published: [
      { hostAddress: '::', hostPort: 80, protocol: 'tcp', guest: 'web', guestPort: 8080 },
    ],
    gateway: { network: '10.0.0.0/24', allowsHost: true, counters: { arpRequests: 3 } },
  });
  assert.equal(
    text,
    `network lab, process 7
  switch at /run/s
  gateway 10.0.0.0/24, to this machine's loopback
  names
    web  10.0.0.2  02:00:00:00:00:01
  published
    :::80/tcp  web:8080
  ports
    1   in 10 (0 bytes)  out 2 (0 bytes)                   02:00:00:00:00:01
    12  in 0 (0 bytes)   out 0 (0 bytes)  dropped: runt 3
  counters
    forwarded  12
  gateway counters
    arpRequests  3
`,
  );
});
