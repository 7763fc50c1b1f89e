/** The parts of `morgana compose`, each by itself. The whole: compose.test.ts. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { Child } from '../../tools/cli/compose/child.ts';
import { composeVerb } from '../../tools/cli/compose/compose.ts';
import { loadCompose } from '../../tools/cli/compose/compose-file.ts';
import { ComposeControlServer } from '../../tools/cli/compose/control-server.ts';
import { askConnect, askHttp } from '../../tools/cli/compose/health.ts';
import {
  BACKOFF_MILLIS_MAX,
  CLIENTS_MAX,
  LINE_CHARACTERS_MAX,
  LOG_FILE_BYTES_MAX,
  RESTARTS_MAX,
  STEADY_MILLIS,
} from '../../tools/cli/compose/limits.ts';
import { LineSplitter } from '../../tools/cli/compose/line-splitter.ts';
import { LogFile } from '../../tools/cli/compose/log-file.ts';
import { type MemberStatus, parseComposeAsk } from '../../tools/cli/compose/messages.ts';
import { networkFlags } from '../../tools/cli/compose/networks.ts';
import { lineFormat } from '../../tools/cli/compose/output.ts';
import { psText } from '../../tools/cli/compose/ps-text.ts';
import { failuresInRow, pauseBeforeRestart } from '../../tools/cli/compose/unikernel.ts';
import { Failure } from '../../tools/cli/failure.ts';
import { parseCommandLine } from '../../tools/cli/flags.ts';
import { VERBS } from '../../tools/cli/verbs.ts';
import { Workspace } from './cli.ts';

const work = new Workspace({
  'app.ts': 'export default { fetch: () => new Response() };\n',
  'site/index.html': 'hello\n',
});
after(() => work.remove());

process.env.MORGANA_RUNTIME_DIR = work.path('.run');
process.env.MORGANA_CACHE = work.path('.cache');

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

function linesOf(chunks: readonly Uint8Array[], charactersMax = 100): string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter(charactersMax, (line) => lines.push(line));
  for (const chunk of chunks) splitter.push(chunk);
  splitter.end();
  return lines;
}

test('lines › whatever the pieces, also of one character, and without a last newline', () => {
  const whole = bytesOf('one\r\n\nthree é\nfour');
  const expected = ['one', '', 'three é', 'four'];
  assert.deepEqual(linesOf([whole]), expected);
  assert.deepEqual(linesOf(Array.from(whole, (byte) => Uint8Array.of(byte))), expected);
  assert.deepEqual(linesOf([bytesOf('a\n')]), ['a']);
});

test('lines › as long as may be, and one character longer', () => {
  const longest = 'x'.repeat(LINE_CHARACTERS_MAX);
  assert.deepEqual(linesOf([bytesOf(`${longest}\n`)], LINE_CHARACTERS_MAX), [longest]);
  assert.deepEqual(linesOf([bytesOf(`${longest}y\n`)], LINE_CHARACTERS_MAX), [longest, 'y']);
});

test('a log › full › goes on in a new file; the one before the last goes', () => {
  const file = work.path('full.log');
  const log = new LogFile(file);
  const at = '2026-01-01T00:00:00.000Z';
  const text = 'x'.repeat(1_023 - at.length - 1);
  const count = LOG_FILE_BYTES_MAX / 1_024;
  for (let i = 0; i < count; i++) assert.ok(log.append({ at, text }));
  assert.equal(statSync(file).size, LOG_FILE_BYTES_MAX);
  assert.equal(statSync(`${file}.1`, { throwIfNoEntry: false }), undefined);
  for (let i = 0; i < count; i++) log.append({ at, text: 'second' });
  assert.equal(statSync(`${file}.1`).size, LOG_FILE_BYTES_MAX);
  assert.equal(log.tail().length, 2 * count);
  assert.deepEqual(log.tail(1), [{ at, text: 'second' }]);
  assert.deepEqual(log.tail(0), []);
  for (let i = 0; i < count; i++) log.append({ at, text });
  assert.ok(log.tail().length < 3 * count);
  assert.deepEqual(new LogFile(file).tail(), [], 'a new project begins anew');
});

test('a log › its directory is gone › says so, and nothing more', () => {
  const log = new LogFile(work.path('gone/a.log'));
  assert.equal(log.append({ at: '', text: 'x' }), false);
  assert.deepEqual(log.tail(), []);
});

const ASKS: readonly [string, string | object][] = [
  ['{"ask":"ps"}', { ask: 'ps' }],
  ['{"ask":"down","more":1}', { ask: 'down' }],
  ['{"ask":"logs","names":["a"],"tail":5,"follow":true}', { tail: 5, follow: true }],
  ['{"ask":"logs","names":[],"tail":null,"follow":false}', { tail: null, names: [] }],
  ['', 'not JSON'],
  ['{"ask":', 'not JSON'],
  ['null', 'not an object'],
  ['7', 'not an object'],
  ['{"ask":"up"}', 'ask is none of ps, logs, down'],
  ['{"ask":"logs"}', 'logs needs names'],
  ['{"ask":"logs","names":[1],"tail":1,"follow":true}', 'logs needs names'],
  ['{"ask":"logs","names":[],"tail":-1,"follow":true}', 'tail is neither a count nor null'],
  ['{"ask":"logs","names":[],"tail":1.5,"follow":true}', 'tail is neither a count nor null'],
  ['{"ask":"logs","names":[],"tail":1}', 'follow is neither true nor false'],
];
for (const [line, expected] of ASKS) {
  test(`a question › ${line || 'nothing'}`, () => {
    const ask = parseComposeAsk(line);
    if (typeof expected === 'string') assert.deepEqual(ask, { ok: false, error: expected });
    else assert.ok(ask.ok && Object.entries(expected).every(([k, v]) => same(ask.value, k, v)));
  });
}
const same = (value: object, key: string, expected: unknown): boolean =>
  JSON.stringify((value as Record<string, unknown>)[key]) === JSON.stringify(expected);

test('a process that ran for long › a new count of restarts', () => {
  assert.deepEqual([failuresInRow(7, STEADY_MILLIS - 1), failuresInRow(7, STEADY_MILLIS)], [7, 0]);
});

test('the pause before a restart › doubled, up to the longest', () => {
  const pauses = Array.from({ length: RESTARTS_MAX }, (_, inRow) => pauseBeforeRestart(inRow));
  assert.deepEqual(pauses.slice(0, 3), [250, 500, 1_000]);
  assert.equal(pauses[RESTARTS_MAX - 1], BACKOFF_MILLIS_MAX);
  assert.ok(pauses.every((pause) => pause !== null && pause <= BACKOFF_MILLIS_MAX));
  assert.equal(pauseBeforeRestart(RESTARTS_MAX), null);
});

const child = (script: string, lines: string[] = []): Child =>
  new Child(
    { file: '/bin/sh', args: ['-c', script] },
    (status) => status,
    (line) => {
      lines.push(line);
    },
  );

test('a child › its words of both streams, and its exit code', async () => {
  const lines: string[] = [];
  assert.equal(await child('echo one; echo two >&2; exit 3', lines).ended, 3);
  assert.deepEqual(lines.sort(), ['one', 'two']);
});

/** Not one that has ended and waits for its parent to notice. */
function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

test('a child › deaf to SIGTERM › killed after the patience, what it started too', async () => {
  const lines: string[] = [];
  const deaf = child('trap "" TERM; sleep 600 & echo $!; wait; wait; wait', lines);
  const pid = await deaf.started;
  while (lines.length === 0) await new Promise((resolve) => setImmediate(resolve));
  deaf.stop(50);
  assert.equal(await deaf.ended, 128 + 9);
  const deadline = performance.now() + 60_000;
  // A process closes what we read before it is gone.
  while ([pid, Number(lines[0])].some(isAlive)) {
    assert.ok(performance.now() < deadline);
    await new Promise((resolve) => setImmediate(resolve));
  }
});

test('a child › ends, and leaves one that holds its console › has ended soon after', async () => {
  const lines: string[] = [];
  const parent = child('setsid sleep 30 & echo $!; exit 6', lines);
  assert.equal(await parent.ended, 6);
  process.kill(Number(lines[0]), 'SIGKILL');
});

test('a child › no such program › rejects, and has ended', async () => {
  const none = new Child({ file: work.path('none'), args: [] }, Number, () => {});
  const [started, ended] = await Promise.allSettled([none.started, none.ended]);
  assert.equal(ended.status, 'fulfilled');
  // With setpriv it is setpriv that starts, and says so.
  assert.ok(started.status === 'rejected' || ended.value === 127);
});

test('health › http › 200 to 399 within the time', async () => {
  const server = createServer((request, response) => {
    const status = Number(request.url!.slice(1));
    if (status === 0) return;
    if (status === 101) {
      request.socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n');
    } else if (status === 1) request.socket.destroy();
    else response.writeHead(status).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const place = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  const { signal } = new AbortController();
  const ask = (target: string, timeoutMs = 2_000) => askHttp(place, target, timeoutMs, signal);
  assert.equal(await ask('/200'), null);
  assert.equal(await ask('/399'), null);
  assert.equal(await ask('/400'), '/400 was answered with 400');
  assert.equal(await ask('/101'), '/101 was answered with 101');
  assert.match((await ask('/1')) ?? '', /^\/1 was not answered/);
  assert.equal(await ask('/0', 30), '/0 was not answered within 30 ms');
  assert.equal(await askConnect(place, 2_000, signal), null);
  const aborted = new AbortController();
  const long = askHttp(place, '/0', 3_600_000, aborted.signal);
  setImmediate(() => aborted.abort());
  assert.match((await long) ?? '', /^\/0 was not answered/);
  assert.notEqual(await askConnect(place, 3_600_000, aborted.signal), null);
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
  assert.equal(await askConnect(place, 2_000, signal), 'the connection is refused');
  assert.equal(await ask('/'), '/ was not answered: the connection is refused');
});

const REFUSED: readonly [string[], number, RegExp][] = [
  [[], 1, /^compose needs a word, it is one of up, down, ps, logs$/],
  [['start'], 1, /^compose has no 'start', it is one of up, down, ps, logs$/],
  [['up', 'web'], 1, /^unexpected 'web', see "morgana compose --help"$/],
  [['ps', '--detach'], 1, /^--detach does not go with compose ps, leave it/],
  [['up', '--tail=3'], 1, /^--tail does not go with compose up/],
  [['up', '--project=crew'], 1, /^up takes no --project, the file has its name/],
  [['ps', '--file=a', '--project=b'], 1, /--file and --project both name a project/],
  [['down', '--project=crew'], 2, /^the project 'crew' is not up, no project is/],
  [['up', '--file=none.ts'], 2, /^there is no none\.ts, name one that is$/],
];
for (const [words, exitCode, message] of REFUSED) {
  test(`compose ${words.join(' ')} › one sentence, exit code ${exitCode}`, async () => {
    const { flags, wordsMax } = VERBS.compose;
    const line = parseCommandLine(words, flags, wordsMax);
    assert.ok(line.ok);
    await assert.rejects(composeVerb(line.value), (error) => {
      assert.ok(error instanceof Failure);
      assert.deepEqual([error.exitCode, message.test(error.message)], [exitCode, true], `${error}`);
      return true;
    });
  });
}

/** Files that `defineCompose` takes, and this machine doesn't. */
const MISTAKES: readonly [string, RegExp][] = [
  ["unikernels: { a: { app: './none' } }", /: unikernels\.a\.app: there is no \S+none, name an/],
  ["unikernels: { a: { app: './empty' } }", /: unikernels\.a\.app: there is no/],
  ["unikernels: { a: { app, publish: ['80'] } }", /a\.publish\[0\]: '80' is no port, write \[ADD/],
  ["unikernels: { a: { app, publish: ['0:80'] } }", /a\.publish\[0\]: '0:80' is no port/],
  [
    "unikernels: { a: { app, publish: ['81:1'] }, b: { app, publish: ['81:2'] } }",
    /: unikernels\.b\.publish: port 81 is published for 'a' already, take another/,
  ],
  [
    "unikernels: { a: { app, target: 'process', disks: { d: 'none.img' } } }",
    /: unikernels\.a\.disks\.d: there is no \S+none\.img, make it/,
  ],
  [
    "unikernels: { a: { app, disks: { d: 'new.img,size=4K,readonly' } } }",
    /: unikernels\.a\.disks\.d: 'new\.img,size=4K,readonly' is no disk, write \{ d: 'FILE/,
  ],
  [
    "unikernels: { a: { app, target: 'node', networks: [], memoryMib: 32 } }",
    /: unikernels\.a\.memoryMib: target node has the memory of this machine, leave it out/,
  ],
  ["unikernels: { a: { app: '' } }", /bad\d+\.ts: unikernels\.a\.app: must name a directory/],
];
for (const [index, [text, expected]] of MISTAKES.entries()) {
  test(`a file › ${text} › one sentence with its place`, async () => {
    const file = `bad${index}.ts`;
    const head =
      "import { defineCompose } from 'morgana/compose';\nconst app = './site';\nvoid app;\n";
    work.write(file, `${head}export default defineCompose({ name: 'bad', ${text} });\n`);
    await assert.rejects(loadCompose(work.path(file)), (error) => {
      assert.ok(error instanceof Failure);
      assert.match(error.message, expected);
      assert.ok(!error.message.includes('\n'));
      return true;
    });
  });
}

test('a file › none, no project, unreadable › one sentence', async () => {
  await assert.rejects(loadCompose(work.path('none.ts')), /there is no .*none\.ts, name one that/);
  work.write('other.ts', 'export default {};\n');
  await assert.rejects(loadCompose(work.path('other.ts')), /does not export a project, write: exp/);
  work.write('plain.ts', "export default { name: 'a', order: ['x'] };\n");
  await assert.rejects(loadCompose(work.path('plain.ts')), /does not export a project, write: exp/);
  work.write('broken.ts', 'export default {\n');
  await assert.rejects(loadCompose(work.path('broken.ts')), /broken\.ts can't be read, correct/);
});

const member = (change: Partial<MemberStatus>): MemberStatus => ({
  name: 'web',
  unikernel: 'shop-web',
  target: 'process',
  state: 'running',
  health: 'healthy',
  pid: 1,
  startedMillis: 0,
  exitCode: null,
  restarts: 0,
  addresses: [{ network: 'lab', address: '10.77.0.16' }],
  published: ['127.0.0.1:8080->80/tcp'],
  ...change,
});

test('a network › what its switch is told, in numbers that it reads', () => {
  const { flags } = VERBS.switch;
  const impaired = networkFlags({ loss: 0.07, delayMs: 0.25, rateMbit: 1e-3 });
  const line = parseCommandLine(impaired, flags, 0);
  assert.ok(line.ok);
  const { loss, delay, rate, gateway } = line.value.flags;
  assert.deepEqual([loss, delay, rate, gateway], [7, 0.25, 0.001, null]);
  assert.deepEqual(networkFlags({}), []);
  assert.deepEqual(networkFlags({ host: false }), []);
  assert.deepEqual(networkFlags({ host: true }), ['--allow-host']);
  assert.deepEqual(networkFlags({ gateway: 'off' }), ['--gateway=off']);
  assert.deepEqual(networkFlags({ subnet: '10.77.0.0/24' }), ['--gateway=10.77.0.0/24']);
});

test('ps › a table', () => {
  const unikernels = [
    member({}),
    member({ name: 'worker', restarts: 2, health: null, addresses: [], published: [] }),
    member({ name: 'job', state: 'ended', exitCode: 3, health: null, published: [] }),
    member({ name: 'late', state: 'waiting', startedMillis: null, health: null }),
  ];
  const common = { name: 'shop', file: '/f', pid: 1, detached: false, networks: [], unikernels };
  assert.deepEqual(psText(common, 7_300_000).split('\n'), [
    'NAME    TARGET   STATE                HEALTH   ADDRESSES       PUBLISHED               UP',
    'web     process  running              healthy  lab:10.77.0.16  127.0.0.1:8080->80/tcp  2h',
    'worker  process  running (restart 2)  -        -               -                       2h',
    'job     process  ended (3)            -        lab:10.77.0.16  -                       -',
    'late    process  waiting              -        lab:10.77.0.16  127.0.0.1:8080->80/tcp  -',
    '',
  ]);
});

test('lines of several › in a column; colours and harmless text on a terminal only', () => {
  const line = { name: 'web', at: '', text: 'a\x1b[2Jb' };
  assert.equal(lineFormat(['web', 'worker'], false)(line), 'web    | a\x1b[2Jb\n');
  const { NO_COLOR } = process.env;
  delete process.env.NO_COLOR;
  const shown = lineFormat(['web', 'worker'], true)(line);
  assert.equal(shown, '\x1b[36mweb    |\x1b[0m a\\x1b[2Jb\n');
  process.env.NO_COLOR = '1';
  assert.equal(lineFormat(['web', 'worker'], true)(line), 'web    | a\\x1b[2Jb\n');
  if (NO_COLOR === undefined) delete process.env.NO_COLOR;
});

/** Also when it is an error that closes it. */
const closed = (socket: net.Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.on('error', () => {});
    socket.once('close', () => resolve());
  });

test('the control socket › answers each, refuses one too many, survives nonsense', async () => {
  const server = new ComposeControlServer({
    ps: async () => 'fine',
    down: () => new Promise(() => {}),
    logs: () => [],
  });
  const place = work.path('control.sock');
  await server.listen(place);
  const ask = async (text: string): Promise<string> => {
    const socket = net.connect(place).setEncoding('utf8');
    socket.write(text);
    let answer = '';
    socket.on('data', (part: string) => {
      answer += part;
    });
    await closed(socket);
    return answer;
  };
  assert.equal(await ask('{"ask":"ps"}\n'), '{"value":"fine"}\n');
  assert.equal(await ask('nonsense\n'), '{"error":"not JSON"}\n');
  const idle = Array.from({ length: CLIENTS_MAX }, () => net.connect(place));
  const gone = idle.map(closed);
  await Promise.all(idle.map((socket) => once(socket, 'connect')));
  assert.equal(await ask('{"ask":"ps"}\n'), '');
  idle[0]!.destroy();
  await gone[0];
  while ((await ask('{"ask":"ps"}\n')) === '') await new Promise((done) => setImmediate(done));
  for (const socket of idle) socket.resume();
  await server.close();
  await Promise.all(gone);
});

test('the control socket › who follows and doesn’t read is dropped, others are not', async () => {
  const server = new ComposeControlServer({
    ps: async () => null,
    down: async () => null,
    logs: ({ names }) => (names[0] === 'none' ? 'no such unikernel' : []),
  });
  const place = work.path('follow.sock');
  await server.listen(place);
  const follow = '{"ask":"logs","names":[],"tail":null,"follow":true}\n';
  const [deaf, reader] = [net.connect(place), net.connect(place)];
  for (const socket of [deaf, reader]) socket.write(follow);
  let bytes = 0;
  reader.on('data', (chunk) => {
    bytes += chunk.length;
  });
  const text = 'x'.repeat(8_000);
  const dropped = closed(deaf);
  let isDropped = false;
  void dropped.then(() => {
    isDropped = true;
  });
  deaf.pause();
  for (let i = 0; i < 1_000; i++) {
    server.line({ name: 'a', at: '', text });
    await new Promise((resolve) => setImmediate(resolve));
    if (i === 999) deaf.resume();
  }
  await dropped;
  assert.ok(isDropped && bytes > 7_000_000, `${bytes}`);
  const ended = closed(reader);
  await server.close();
  await ended;
});
