/**
 * `morgana compose` as its users have it, on this machine's sockets: order, restarts, what it says
 * when one fails, and that nothing is left. Its parts: compose-parts.test.ts; networks:
 * tests/interop/compose.test.ts.
 */

import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { askProject } from '../../tools/cli/compose/ask.ts';
import type { NamedLine, ProjectStatus } from '../../tools/cli/compose/messages.ts';
import { findProject, projectNames } from '../../tools/cli/compose/project-directory.ts';
import { runningUnikernels } from '../../tools/cli/runtime-directory.ts';
import { freePort, processesWith, Workspace } from './cli.ts';

const CONFIG = `import { arg, defineUnikernel, net } from 'morgana/config';
export default defineUnikernel({
  name: 'service',
  main: './main.ts',
  devices: { stack: net.stack() },
  args: {
    port: arg.port({ default: 80, doc: 'TCP port' }),
    status: arg.int({ default: 200, doc: 'what requests are answered with' }),
    exit: arg.int({ default: -1, doc: 'ends with it, unless negative' }),
  },
});
`;
const MAIN = `import type { Start } from 'morgana';
import { fetchHandler, serveHttp } from 'morgana/http';
import type config from './morgana.config.ts';
export const start: Start<typeof config> = async ({ stack, args, ...environment }) => {
  const { log } = environment;
  if (args.exit >= 0) {
    log.info('about to fail');
    return args.exit;
  }
  const app = {
    fetch(request: Request): Response {
      const { pathname } = new URL(request.url);
      if (pathname !== '/ready') log.info('asked for ' + pathname);
      // From the next turn on it is deaf.
      if (pathname === '/hang') setTimeout(() => { for (;;); }, 0);
      return new Response('hello from ' + args.port + '\\n', { status: args.status });
    },
  };
  await serveHttp(stack, args.port, fetchHandler(app, { log }), environment);
};
`;
const HEAD = `import { defineCompose } from 'morgana/compose';
const common = { app: './service', target: 'node', networks: [] } as const;
`;

const work = new Workspace({ 'service/morgana.config.ts': CONFIG, 'service/main.ts': MAIN });
after(async () => {
  for (const name of projectNames()) await askProject(findProject(name)!, { ask: 'down' }, 30_000);
  work.remove();
});

const ports = { web: 0, db: 0, other: 0, sick: 0 };
before(async () => {
  for (const name of ['web', 'db', 'other', 'sick'] as const) ports[name] = await freePort();
  work.write(
    'morgana.compose.ts',
    `${HEAD}export default defineCompose({
  name: 'crew',
  unikernels: {
    web: {
      ...common,
      args: { port: 81 },
      publish: ['${ports.web}:81'],
      after: { db: 'healthy', crasher: 'started' },
      health: { http: '/ready', port: 81 },
    },
    db: { ...common, args: { port: ${ports.db} }, health: { tcp: ${ports.db} } },
    crasher: { ...common, args: { exit: 3 }, restart: 'on-failure' },
  },
});
`,
  );
  work.write(
    'other.compose.ts',
    `${HEAD}export default defineCompose({
  name: 'other',
  unikernels: {
    db: { ...common, publish: ['${ports.other}:80'], health: { log: /listening on port/ } },
    job: { ...common, args: { exit: 0 }, after: { db: 'healthy' } },
  },
});
`,
  );
  work.write(
    'ends.compose.ts',
    `${HEAD}export default defineCompose({
  name: 'ends',
  unikernels: {
    good: { ...common, args: { exit: 0 } },
    bad: { ...common, args: { exit: 5 } },
  },
});
`,
  );
  work.write(
    'sick.compose.ts',
    `${HEAD}export default defineCompose({
  // The name of the one before, whose supervisor was killed.
  name: 'other',
  unikernels: {
    patient: {
      ...common,
      args: { port: ${ports.sick}, status: 503 },
      health: { http: '/ready', port: ${ports.sick}, startPeriodMs: 1_500 },
    },
    never: { ...common, after: { patient: 'healthy' } },
  },
});
`,
  );
});

process.env.MORGANA_RUNTIME_DIR = work.path('.run');
const compose = (...words: string[]) => work.run(['compose', ...words]);

/** What the supervisor says, without a tool between. */
async function ps(project = 'crew'): Promise<ProjectStatus> {
  const places = findProject(project);
  assert.ok(places);
  return (await askProject(places, { ask: 'ps' }, 10_000)) as ProjectStatus;
}

/** Processes of the unikernels: their modules are in this workspace's cache. */
const children = (): number[] => processesWith(work.path('.cache/apps'));

async function gone(pids: readonly number[]): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (children().some((pid) => pids.includes(pid))) {
    assert.ok(performance.now() < deadline, `${children()} are left`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Resolves when the project's log has it. */
async function said(pattern: RegExp): Promise<void> {
  const logs = work.start(['compose', 'logs', '--follow', '--project=crew']);
  await logs.wrote(pattern);
  logs.child.kill('SIGINT');
  await logs.ended;
}

let supervisor = 0;

test('up --detach › in the order of health, and on when the shell has its prompt', async () => {
  const { code, stdout, stderr } = await compose('up', '--detach');
  assert.equal(code, 0, stderr);
  assert.equal(stdout, '');
  assert.match(stderr, /'db' is healthy \d+ ms.*\n(.*\n)*.*'web' is healthy \d+ ms/);
  assert.match(stderr, /^morgana: crew is up in the background \(process \d+\)/m);
  supervisor = (await ps()).pid;
});

test('up again › refused while the project is up', async () => {
  const { code, stderr } = await compose('up');
  assert.equal(code, 2);
  assert.equal(
    stderr,
    `error: the project 'crew' is up (process ${supervisor}), take it down first (morgana compose down --project=crew)\n`,
  );
});

test('ps › states, health and published ports; the one that fails is started again', async () => {
  const response = await fetch(`http://127.0.0.1:${ports.web}/`);
  assert.equal(await response.text(), 'hello from 81\n');
  let status = await ps();
  const deadline = performance.now() + 60_000;
  while (status.unikernels[1]!.restarts < 2 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    status = await ps();
  }
  const shown = status.unikernels.map(({ name, health, published }) => ({
    name,
    health,
    published,
  }));
  assert.deepEqual(shown, [
    { name: 'db', health: 'healthy', published: [] },
    { name: 'crasher', health: null, published: [] },
    { name: 'web', health: 'healthy', published: [`127.0.0.1:${ports.web}->81/tcp`] },
  ]);
  const crasher = status.unikernels[1]!;
  assert.ok(crasher.restarts >= 2 && crasher.exitCode === 3, JSON.stringify(crasher));
  const { code, stdout } = await compose('ps', '--json');
  assert.equal(code, 0);
  assert.equal(JSON.parse(stdout).unikernels[0].pid, status.unikernels[0]!.pid);
});

test('logs › the last lines, of all or of some, and what comes', async () => {
  const last: NamedLine[] = [];
  const ask = { ask: 'logs', names: ['crasher', 'db'], tail: 1, follow: false } as const;
  await askProject(findProject('crew')!, ask, 10_000, (line) => last.push(line));
  const texts = new Map(last.map(({ name, text }) => [name, text]));
  assert.deepEqual([last.length, texts.size], [2, 2]);
  assert.match(texts.get('db')!, /listening on port \d+$/);
  assert.match(texts.get('crasher')!, /about to fail$/);
  const all = await compose('logs', '--project=crew');
  assert.match(all.stdout, /^- +\| 'crasher' ended with exit code 3; restart 1 of 10 in 0.25 s$/m);
  assert.ok((all.stdout.match(/^crasher \|/gm)?.length ?? 0) >= 3);
  const odd = askProject(findProject('crew')!, { ...ask, names: ['nobody'] }, 10_000);
  await assert.rejects(odd, { message: "'crew' has no unikernel 'nobody', only db, crasher, web" });
  const following = work.start([
    'compose',
    'logs',
    '--follow',
    '--tail=0',
    'web',
    '--project=crew',
  ]);
  for (let i = 0; i < 400 && following.stdout === ''; i++) {
    await fetch(`http://127.0.0.1:${ports.web}/follow`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.match(following.stdout, /^web +\| .*asked for \/follow\n/);
  following.child.kill('SIGINT');
  await following.ended;
});

test('two projects side by side; one’s supervisor is killed › so are its unikernels', async () => {
  const other = work.start(['compose', 'up', '--file=other.compose.ts']);
  await other.wrote(/morgana: other is up; Ctrl-C takes it down/);
  await other.wrote(/'job' ended with exit code 0/);
  const status = await ps('other');
  assert.deepEqual(
    status.unikernels.map(({ state, exitCode }) => [state, exitCode]),
    [
      ['running', null],
      ['ended', 0],
    ],
  );
  const response = await fetch(`http://127.0.0.1:${ports.other}/`);
  assert.equal(await response.text(), 'hello from 80\n');
  other.child.kill('SIGKILL');
  await other.ended;
  await gone([status.unikernels[0]!.pid!]);
  assert.equal((await ps()).unikernels[2]!.health, 'healthy');
  assert.ok(existsSync(work.path('.run/projects/other')));
});

test('another of that name, one of which never becomes healthy › its last words, exit code 2', async () => {
  const { code, stdout, stderr } = await compose('up', '--file=sick.compose.ts');
  assert.equal(code, 2, stderr);
  assert.match(stderr, /^error: 'patient' did not become healthy within 1\.5 s: \/ready was /m);
  // On a machine that is busy enough it doesn't come as far as that.
  if (stderr.includes('answered with 503')) {
    assert.match(stderr, /^patient \| .*listening on port.*\n/m);
  }
  assert.doesNotMatch(stdout, /^never/m);
  assert.deepEqual(readdirSync(work.path('.run/projects')), ['crew']);
  const none = await compose('ps', '--project=other');
  assert.equal(none.stderr, "error: the project 'other' is not up, these are: crew\n");
});

test('all have ended › so does up, and says whether one failed', async () => {
  const { code, stderr } = await compose('up', '--file=ends.compose.ts');
  assert.equal(code, 2);
  assert.match(stderr, /^morgana: 'bad' ended with exit code 5$/m);
  assert.match(stderr, /^morgana: all have ended$/m);
});

test('down › waits for one that hangs, until Ctrl-C says at once; nothing is left', async () => {
  const pids = (await ps()).unikernels.flatMap(({ pid }) => pid ?? []);
  await fetch(`http://127.0.0.1:${ports.web}/hang`);
  const down = work.start(['compose', 'down']);
  // It answers nobody any more, but is there: the others wait for it, which it is after.
  const web = pids[pids.length - 1]!;
  await said(/^- +\| going down$/m);
  assert.ok(children().includes(web));
  process.kill(supervisor, 'SIGINT');
  assert.deepEqual([(await down.ended).code, down.stderr], [0, 'morgana: crew is down\n']);
  await gone(pids);
  assert.deepEqual(children(), []);
  assert.deepEqual([projectNames(), runningUnikernels()], [[], []]);
});
