/** Order, restarts and ends of a project whose unikernels are small shell scripts. */

import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { defineCompose, type UnikernelSpec } from '../../packages/morgana/compose.ts';
import { MissedMilestone } from '../../tools/cli/compose/milestone.ts';
import { Project } from '../../tools/cli/compose/project.ts';
import { Unikernel } from '../../tools/cli/compose/unikernel.ts';

/** Says "up", then "down" when it is asked to end. */
const CIVIL = 'trap "echo down; exit 0" TERM; echo up; while :; do sleep 0.02; done';
const DEAF = 'trap "" TERM; echo up; while :; do sleep 0.02; done';
const health = { log: /^up$/ };

interface Play {
  readonly project: Project;
  /** "NAME: LINE", and what is said about them, in order. */
  readonly heard: string[];
}

/** `scripts`: of /bin/sh, by name; `specs`: what else is in the file. */
function play(
  scripts: Readonly<Record<string, string>>,
  specs: Readonly<Record<string, Partial<UnikernelSpec<'default'>>>> = {},
  reach: (name: string) => Promise<string | null> = async () => null,
  named: Promise<void> = Promise.resolve(),
): Play {
  const common = { app: '.', target: 'node', networks: [] } as const;
  const unikernels = Object.fromEntries(
    Object.keys(scripts).map((name) => [name, { ...common, ...specs[name] }]),
  );
  const config = defineCompose({ name: 'play', unikernels });
  const heard: string[] = [];
  const members = Object.entries(scripts).map(([name, script]) => {
    return new Unikernel(name, config.unikernels[name]!, {
      hold: (run) => named.then(() => run(null)),
      command: () => {
        if (script === '') throw new Error('no such program');
        return { file: '/bin/sh', args: ['-c', script] };
      },
      exitCode: (status) => status,
      reach: { connect: () => reach(name), place: async () => 'nowhere' },
      line: (text) => heard.push(`${name}: ${text}`),
      say: (text) => heard.push(text.replace(/ \d+ ms after its start/, '')),
    });
  });
  return { project: new Project(config, members), heard };
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, 'never');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('up › in the order of health; down › in the reverse one', async () => {
  const { project, heard } = play(
    { web: CIVIL, db: CIVIL, cache: CIVIL },
    {
      web: { after: { db: 'healthy', cache: 'started' } },
      db: { health },
      cache: { after: { db: 'healthy' } },
    },
  );
  await project.up();
  await until(() => heard.length === 4);
  assert.deepEqual(heard.slice(0, 2), ['db: up', "'db' is healthy"]);
  await project.down();
  assert.deepEqual(
    heard.filter((line) => line.endsWith(': down')),
    ['web: down', 'cache: down', 'db: down'],
  );
  for (const one of project.unikernels.values()) assert.equal(one.status().state, 'ended');
});

test('down while one waits for another’s health › it is never started', async () => {
  const { project, heard } = play(
    { web: CIVIL, db: CIVIL },
    { web: { after: { db: 'healthy' } }, db: { health: { log: /never/ } } },
  );
  const up = project.up();
  await until(() => heard.includes('db: up'));
  const down = project.down();
  await assert.rejects(up, /^MissedMilestone|'db' was stopped/);
  await down;
  assert.deepEqual(heard, ['db: up', 'db: down']);
});

test('down while one gets its name and networks › it is never started', async () => {
  let name: () => void = () => {};
  const named = new Promise<void>((resolve) => {
    name = resolve;
  });
  const { project, heard } = play({ web: CIVIL }, {}, undefined, named);
  const up = project.up();
  const down = project.down();
  name();
  await assert.rejects(up, MissedMilestone);
  await down;
  assert.deepEqual(heard, []);
});

test('kill › one that is deaf ends at once', async () => {
  const { project, heard } = play({ deaf: DEAF });
  await project.up();
  await until(() => heard.includes('deaf: up'));
  const down = project.down();
  project.kill();
  await down;
  assert.equal(project.unikernels.get('deaf')!.status().exitCode, 128 + 9);
});

test('one ends before it is healthy, or can’t be started › why, and which', async () => {
  const { project } = play({ db: 'exit 4' }, { db: { health: { log: /up/ } } });
  await assert.rejects(project.up(), (error) => {
    assert.ok(error instanceof MissedMilestone);
    assert.deepEqual([error.unikernel, error.message], ['db', "'db' ended with exit code 4"]);
    return true;
  });
  await project.down();
  const none = play({ db: '' }).project;
  await assert.rejects(none.up(), /'db' can't be started: no such program/);
  await none.down();
});

test('restart › after a failure and until an end without one', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'morgana-compose-'));
  const script = `rmdir ${directory} && exit 5; exit 0`;
  const { project, heard } = play({ job: script }, { job: { restart: 'on-failure' } });
  await project.up();
  await project.ended();
  const said = heard.filter((line) => !line.startsWith('job: rmdir'));
  assert.deepEqual(said, [
    "'job' ended with exit code 5; restart 1 of 10 in 0.25 s",
    "'job' ended with exit code 0",
  ]);
  assert.equal(project.unikernels.get('job')!.status().restarts, 1);
});

test('restart › stopped in the pause before it › it doesn’t come', async () => {
  const { project, heard } = play({ job: 'exit 5' }, { job: { restart: 'on-failure' } });
  await project.up();
  await until(() => project.unikernels.get('job')!.status().state === 'restarting');
  await project.down();
  assert.equal(heard.length, 1);
});

test('healthy › three misses in a row › unhealthy; an answer › healthy again', async () => {
  let wrong: string | null = null;
  let misses = 0;
  const asked = async (): Promise<string | null> => {
    if (wrong !== null) misses++;
    return wrong;
  };
  const spec = { target: 'node', health: { tcp: 80, intervalMs: 5 } } as const;
  const { project, heard } = play({ web: CIVIL }, { web: spec }, asked);
  await project.up();
  const health = () => project.unikernels.get('web')!.status().health;
  assert.equal(health(), 'healthy');
  wrong = 'the connection is refused';
  await until(() => misses === 2);
  assert.equal(health(), 'healthy');
  await until(() => health() === 'unhealthy');
  assert.equal(misses, 3);
  wrong = null;
  await until(() => health() === 'healthy');
  await project.down();
  const said = heard.filter((line) => line.startsWith("'"));
  assert.deepEqual(said, [
    "'web' is healthy",
    "'web' is unhealthy: the connection is refused",
    "'web' is healthy again",
  ]);
});

test('a question that is never answered › holds nothing up', async () => {
  const specs = { web: { health: { tcp: 80 }, restart: 'on-failure' } } as const;
  const { project, heard } = play({ web: 'exit 5' }, specs, () => new Promise(() => {}));
  const up = project.up();
  await until(() => heard.some((line) => line.includes('restart 2 of 10')));
  await project.down();
  await assert.rejects(up, MissedMilestone);
});

test('healthy before its time is over › stays so', async () => {
  const specs = { web: { health: { ...health, startPeriodMs: 300 } } };
  const { project } = play({ web: CIVIL }, specs);
  const begunAt = performance.now();
  await project.up();
  await until(() => performance.now() - begunAt > 400);
  assert.equal(project.unikernels.get('web')!.status().health, 'healthy');
  await project.down();
});

test('never healthy › told in time, with the last answer', async () => {
  const spec = { health: { tcp: 80, startPeriodMs: 30 } } as const;
  const { project } = play({ web: CIVIL }, { web: spec }, async () => 'the connection is refused');
  await assert.rejects(project.up(), {
    message: "'web' did not become healthy within 0.03 s: the connection is refused",
  });
  assert.equal(project.unikernels.get('web')!.status().health, 'unhealthy');
  await project.down();
});
