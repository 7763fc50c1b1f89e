import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, beforeEach, test } from 'node:test';
import {
  claimUnikernel,
  findUnikernel,
  isRunning,
  isRuntimeName,
  makeNetworkPlaces,
  networkNames,
  networkPlaces,
  removeStale,
  runningUnikernels,
  runtimeDirectory,
  runtimeNameOf,
  SOCKET_PATH_BYTES_MAX,
  socketPath,
  startOf,
} from '../../tools/cli/runtime-directory.ts';

const work = mkdtempSync(path.join(tmpdir(), 'morgana-run-'));
const before = { ...process.env };
const own = path.join(work, 'own');
const ABOUT = { app: 'site', source: '/srv/site', target: 'pvh', network: null, ports: [] };

beforeEach(() => {
  rmSync(own, { recursive: true, force: true });
  process.env.MORGANA_RUNTIME_DIR = own;
});
after(() => {
  for (const name of ['MORGANA_RUNTIME_DIR', 'XDG_RUNTIME_DIR']) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
  rmSync(work, { recursive: true });
});

/** What a process leaves that died without letting its name go. */
function leaveBehind(name: string, info: unknown): void {
  const directory = path.join(own, 'unikernels', name);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(own, 0o700);
  writeFileSync(path.join(directory, 'info.json'), JSON.stringify(info));
}

/** The number of a process that has ended. */
const deadPid = (): number => spawnSync('true').pid;

test('the directory › the first of three that is named, made for its owner alone', () => {
  assert.equal(runtimeDirectory(), own);
  assert.equal(statSync(own).mode & 0o777, 0o700);
  delete process.env.MORGANA_RUNTIME_DIR;
  process.env.XDG_RUNTIME_DIR = work;
  assert.equal(runtimeDirectory(), path.join(work, 'morgana'));
});

test('a directory that others may use, a link, a file › refused', () => {
  mkdirSync(own, { mode: 0o700 });
  chmodSync(own, 0o755);
  assert.throws(() => runtimeDirectory(), /may be used by others, set MORGANA_RUNTIME_DIR/);
  for (const [name, make] of [
    ['link', (at: string) => symlinkSync(work, at)],
    ['file', (at: string) => writeFileSync(at, '')],
  ] as const) {
    process.env.MORGANA_RUNTIME_DIR = path.join(work, name);
    make(process.env.MORGANA_RUNTIME_DIR);
    assert.throws(() => runtimeDirectory(), /the run-time directory/, name);
  }
});

test("somebody else's directory › refused", { skip: process.getuid?.() !== 0 }, () => {
  mkdirSync(own, { mode: 0o700 });
  spawnSync('chown', ['65534', own]);
  assert.throws(() => runtimeDirectory(), /is somebody else's/);
});

test('names › labels of host names; others are made into one', () => {
  for (const name of ['a', '0', 'lab-2', 'a'.repeat(63)]) assert.ok(isRuntimeName(name), name);
  for (const name of ['', '-a', 'A', 'a.b', 'a/b', '..', 'a_b', 'a'.repeat(64)]) {
    assert.ok(!isRuntimeName(name), name);
  }
  const made: readonly [string, string][] = [
    ['My app', 'my-app'],
    ['..', 'unikernel'],
    ['--x--', 'x'],
    [`${'a'.repeat(62)}--b`, 'a'.repeat(62)],
    ['Gateway', 'gateway-app'],
  ];
  for (const [text, name] of made) assert.equal(runtimeNameOf(text), name);
  assert.throws(() => networkPlaces('../x'), /is no name of a network/);
  assert.throws(() => claimUnikernel('A', 'a', ABOUT), /is no name of a unikernel/);
  for (const name of ['gateway', 'host', 'localhost']) {
    assert.throws(() => claimUnikernel(name, 'a', ABOUT), /calls another .* take another --name/);
  }
});

test('a path of a socket › at the bound taken, one past it refused', () => {
  const longest = `/${'x'.repeat(SOCKET_PATH_BYTES_MAX - 1)}`;
  assert.equal(socketPath(longest), longest);
  assert.throws(() => socketPath(`${longest}x`), /has 108 bytes, and 107 are the most/);
  assert.throws(() => socketPath(`/${'é'.repeat(54)}`), /has 109 bytes/);
});

test('a network › its places; listed by name once somebody starts it', () => {
  const places = networkPlaces('lab');
  assert.equal(places.switchSocket, path.join(own, 'networks/lab/switch.sock'));
  assert.equal(places.controlSocket, path.join(own, 'networks/lab/control.sock'));
  assert.deepEqual(networkNames(), []);
  assert.deepEqual(makeNetworkPlaces('lab'), places);
  assert.deepEqual(networkNames(), ['lab']);
});

test('a name › held, numbered when taken, free again when let go', () => {
  const first = claimUnikernel(null, 'site', ABOUT);
  const second = claimUnikernel(null, 'site', { ...ABOUT, network: 'lab' });
  assert.deepEqual([first.info.name, second.info.name], ['site', 'site-2']);
  assert.equal(first.controlSocket, path.join(own, 'unikernels/site/control.sock'));
  assert.throws(() => claimUnikernel('site', 'x', ABOUT), /'site' is running, take another --name/);
  assert.deepEqual(
    runningUnikernels().map(({ info }) => [info.name, info.network, info.pid]),
    [
      ['site', null, process.pid],
      ['site-2', 'lab', process.pid],
    ],
  );
  first.release();
  first.release();
  assert.equal(findUnikernel('site'), null);
  assert.equal(claimUnikernel(null, 'site', ABOUT).info.name, 'site');
  assert.deepEqual(readdirSync(path.join(own, 'unikernels')), ['site', 'site-2']);
  assert.throws(() => claimUnikernel(null, 'a'.repeat(63), ABOUT), /107 are the most/);
});

test('what the dead left › not listed, removed, taken over', () => {
  const pid = deadPid();
  leaveBehind('dead', { name: 'dead', pid, pidStart: '1' });
  leaveBehind('reused', { name: 'reused', pid: process.pid, pidStart: '1' });
  leaveBehind('torn', 'no object');
  assert.equal(findUnikernel('dead'), null);
  assert.ok(!existsSync(path.join(own, 'unikernels/dead')));
  assert.deepEqual(runningUnikernels(), []);
  leaveBehind('dead', { name: 'dead', pid, pidStart: '1' });
  for (const name of ['dead', 'torn']) {
    const { directory } = claimUnikernel(name, 'x', ABOUT);
    const info = JSON.parse(readFileSync(path.join(directory, 'info.json'), 'utf8'));
    assert.equal(info.pid, process.pid);
  }
  assert.deepEqual(readdirSync(path.join(own, 'unikernels')), ['dead', 'torn']);
});

test('what a dead one left is another’s by the time that it is moved › it goes back', (t) => {
  const { directory } = claimUnikernel('a', 'x', ABOUT);
  // As if the look before it was moved had met the dead one's.
  const look = t.mock.method(process, 'kill', () => true);
  look.mock.mockImplementationOnce(() => {
    throw Object.assign(new Error('no such process'), { code: 'ESRCH' });
  });
  assert.equal(removeStale(directory), false);
  assert.equal(look.mock.callCount(), 2);
  assert.equal(findUnikernel('a')?.info.pid, process.pid);
  assert.deepEqual(readdirSync(path.join(own, 'unikernels')), ['a']);
});

test('a process › is running while it is the same one', () => {
  const start = startOf(process.pid);
  assert.ok(start !== null && /^\d+$/.test(start));
  assert.ok(isRunning(process.pid, start));
  assert.ok(isRunning(process.pid, ''));
  assert.ok(!isRunning(process.pid, '1'));
  assert.ok(!isRunning(deadPid(), ''));
});
