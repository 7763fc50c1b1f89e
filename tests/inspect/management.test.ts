/** The management port and syslog on target node: who gets in, what turns them on, and what not. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { emitJson, LengthReader } from '#inspect/wire';
import { freePort, HELLO_SITE, root, type Tool, Workspace } from '../cli/cli.ts';
import { leashed } from '../helpers/machine.ts';
import { without } from '../helpers/namespace.ts';
import { eventually } from '../interop/linux/network.ts';
import { messages, rsyslogCommand } from './rsyslog.ts';

const TOKEN = 'sixteen-letters!';
const work = new Workspace(HELLO_SITE);
let management = 0;
let syslog = 0;
let tool: Tool;

before(async () => {
  management = await freePort();
  syslog = await freePort();
  const port = await freePort();
  const given = [`--management-port=${management}`, `--management-token=${TOKEN}`];
  const words = ['run', 'htdocs', '--target=node', '--management', `--publish=${port}:80`, '--'];
  tool = work.start([...words, ...given, `--syslog=tcp://127.0.0.1:${syslog}`]);
  await tool.wrote(/info management: management on port/);
});
after(async () => {
  tool?.child.kill('SIGTERM');
  await tool?.ended;
  work.remove();
});

const ask = (path: string, token: string | null, method = 'GET', body: string | null = null) =>
  fetch(`http://127.0.0.1:${management}${path}`, {
    method,
    body,
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
  });

test('no token, a wrong one, another scheme › 401, late, and counted', async () => {
  const before = performance.now();
  const wrong = [null, `${TOKEN}x`, TOKEN.slice(1), 'x', ''];
  const answers = await Promise.all(wrong.map((token) => ask('/metrics', token)));
  for (const answer of answers) {
    assert.equal(answer.status, 401);
    assert.match(answer.headers.get('www-authenticate')!, /^Bearer/);
    assert.doesNotMatch(await answer.text(), /morgana/);
  }
  assert.ok(performance.now() - before >= 2_000);
  const text = await (await ask('/metrics', TOKEN)).text();
  assert.match(text, /^morgana_management_failures_total 5$/m);
});

test('the token › each path with its method; others are refused', async () => {
  const metrics = await ask('/metrics', TOKEN);
  assert.equal(metrics.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  await metrics.text();
  const snapshot = await (await ask('/snapshot?connections=1', TOKEN)).json();
  assert.deepEqual([snapshot.version, snapshot.name, snapshot.target], [1, 'htdocs', 'node']);
  assert.ok(snapshot.stacks.stack.connections.list.length <= 1);
  assert.doesNotMatch(JSON.stringify(snapshot), new RegExp(TOKEN));
  const levels = await (await ask('/log', TOKEN, 'PUT', 'warn,x:debug')).json();
  assert.deepEqual([levels['*'], levels.x], ['warn', 'debug']);
  const bad: [string, string, number][] = [
    ['PUT', '/log', 400],
    ['POST', '/metrics', 405],
    ['GET', '/profile', 405],
    ['GET', '/', 404],
    ['GET', '/snapshot/', 404],
    ['GET', '/pcap?interface=9', 400],
    ['POST', '/profile?seconds=0', 400],
  ];
  for (const [method, path, status] of bad) {
    const answer = await ask(path, TOKEN, method, method === 'PUT' ? 'loud' : null);
    assert.equal(answer.status, status, path);
    const text = await answer.text();
    if (status === 404 || status === 405)
      assert.match(text, /^GET \/metrics\n(.+\n)*GET \/pcap\n$/);
  }
  const long = await ask('/log', TOKEN, 'PUT', 'x'.repeat(5_000));
  assert.equal(long.status, 413);
});

test('on a terminal › refreshes until Ctrl-C, and gives the cursor back', async () => {
  const words = [process.execPath, path.join(root, 'tools/cli/main.ts'), 'inspect', '--interval=1'];
  const env = { ...process.env, MORGANA_RUNTIME_DIR: work.path('.run') };
  // A terminal of script(1)'s, for the tool asks whether it has one.
  const args = ['-qfec', words.join(' '), '/dev/null'];
  const child = spawn(...leashed('script', args), { env, stdio: ['pipe', 'pipe', 'ignore'] });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  const ended = once(child, 'close');
  await eventually('two looks', () => text.split('htdocs on node').length > 2 || null);
  child.stdin.write('\x03');
  await ended;
  assert.ok(
    text.startsWith('\x1b[?25l\x1b[2J\x1b[Hhtdocs on node'),
    JSON.stringify(text.slice(0, 80)),
  );
  assert.ok(text.trimEnd().endsWith('\x1b[?25h'));
});

test('morgana inspect HOST:PORT › by the token in a file', async () => {
  work.write('token', `${TOKEN}\n`);
  work.write('other', 'a-wrong-secret-of-many-letters');
  work.write('short', 'x');
  const place = `127.0.0.1:${management}`;
  const good = await work.run(['inspect', place, '--token-file=token', '--once']).catch(String);
  assert.ok(typeof good !== 'string' && good.code === 0, JSON.stringify(good));
  assert.match(good.stdout, /^127\.0\.0\.1:\d+ \(htdocs\) on node/);
  const set = await work.run(['inspect', place, '--token-file=token', '--log=info']);
  assert.match(set.stderr, /\*:info/);
  const cases: [string[], RegExp][] = [
    [['--token-file=other'], /refused the token/],
    [['--token-file=short'], /holds no token/],
    [[], /wants its token/],
    [['--token-file=absent'], /^error: --token-file: .*absent/m],
    [['--token-file=.'], /^error: --token-file: EISDIR/m],
  ];
  for (const [words, complaint] of cases) {
    const { code, stderr } = await work.run(['inspect', place, '--once', ...words]);
    assert.notEqual(code, 0);
    assert.match(stderr, complaint);
  }
});

describe('syslog over TCP', { skip: without('rsyslogd') }, () => {
  test('rsyslogd reads the octet counting, on a connection made when it came', async () => {
    const udp = await freePort();
    const [command = '', ...rest] = rsyslogCommand(work, '127.0.0.1', udp, syslog);
    const server = spawn(...leashed(command, rest), { stdio: 'ignore' });
    // The sender waits for up to a minute between its attempts, after what came before this.
    const arrived = (): string[] | null => {
      const lines = messages(work, 'htdocs');
      return lines.length > 0 ? lines : null;
    };
    const found = await eventually('a message', arrived, 70_000);
    assert.match(found[0]!, /^30 1 \S+ \S+ htdocs management \[meta .*\] .*on port \d+$/);
    server.kill('SIGKILL');
  });
});

test('a unikernel that answers nonsense › one sentence, after a first question', async () => {
  const asked: string[] = [];
  const answers: Record<string, unknown> = {
    log: { '*': 'info' },
    profile: { hz: 1_000, micros: 1, samples: 1, idle: 0, lost: 0, nodes: [null] },
    snapshot: { version: 1, name: 'x', stacks: null },
    pcap: { frames: '\x1b[2J', dropped: 0 },
  };
  const server = net.createServer((socket) => {
    const reader = new LengthReader(1, 65_536, (message) => {
      const { id, ask } = JSON.parse(Buffer.from(message.subarray(1)).toString());
      asked.push(ask);
      socket.write(emitJson({ id, value: answers[ask] }));
    });
    socket.on('data', (bytes) => void reader.push(bytes));
    socket.on('error', () => {});
  });
  server.listen(work.path('odd.sock'));
  await once(server, 'listening');
  const look = (...words: string[]) => work.run(['inspect', 'unix:odd.sock', ...words]);
  const profile = await look('--profile=1', '--output=x.cpuprofile');
  assert.match(profile.stderr, /^error: unix:odd.sock sent no profile$/m);
  assert.deepEqual(asked.splice(0), ['log', 'profile']);
  const snapshot = await look('--once');
  assert.match(snapshot.stderr, /^error: unix:odd.sock sent no snapshot$/m);
  const capture = await look('--pcap=-');
  assert.deepEqual([capture.code, capture.stderr], [0, '']);
  server.close();
});
