/**
 * A repository on disk under both of its users: we and git commit, make and remove branches, pack
 * and collect in any order; and a process of ours is killed at any moment. After each round git
 * fsck and our own check are clean, and everything that was told to last is there:
 * `node tests/store/disk-campaign.ts --seed=1 --steps=400 --kills=50`.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { checkRepository, type ObjectId } from '#git';
import { initRepository } from '#git/disk';
import { nodeCrypto } from '#targets/node/crypto';
import { NodeFileSystem } from '#targets/node/file-system';
import { SimRandom } from '#targets/sim/index';
import { openStore } from './disk-store.ts';

const CHILD = join(import.meta.dirname, 'disk-child.ts');

class Place {
  readonly path = mkdtempSync(join(tmpdir(), 'morgana-campaign-'));

  constructor() {
    const options = { hash: 'SHA-1', isBare: true, head: 'refs/heads/main' } as const;
    assert.ok(initRepository(new NodeFileSystem(this.path), options).ok);
  }

  git(...args: string[]): string {
    const who = ['-c', 'user.name=G', '-c', 'user.email=g@example.org', '-c', 'gc.auto=0'];
    const env = { PATH: process.env.PATH, HOME: this.path, GIT_CONFIG_NOSYSTEM: '1' };
    return execFileSync('git', [...who, ...args], { cwd: this.path, encoding: 'utf8', env }).trim();
  }

  /** Without waiting for it here. */
  async gitBeside(args: readonly string[]): Promise<void> {
    const env = { PATH: process.env.PATH, HOME: this.path, GIT_CONFIG_NOSYSTEM: '1' };
    const child = spawn('git', args, { cwd: this.path, env, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    // A ref's lock that we hold: it gives up on that one, as beside any other git.
    const isRace = /Unable to create .*\.lock|cannot lock ref/.test(said);
    assert.ok(code === 0 || isRace, `git ${args.join(' ')}: ${said}`);
  }

  expectWhole(): void {
    assert.equal(this.git('fsck', '--full', '--strict', '--no-dangling', '--no-progress'), '');
  }

  close(): void {
    rmSync(this.path, { recursive: true });
  }
}

/** Both write, in turns drawn from the seed; how many commits there are in the end. */
export async function runWorkload(seed: number, steps: number): Promise<number> {
  const random = new SimRandom(seed);
  const place = new Place();
  const { backend, repository } = openStore(place.path);
  const heads = new Map<string, string>();
  const names = ['main', 'one', 'deep/er', 'deep/other', 'deep'];
  const commitOurs = async (name: string): Promise<void> => {
    const at = [`d${random.below(4)}`, `f${random.below(20)}`] as [string, string];
    const text = `${random.u32()}\n`.repeat(1 + random.below(200));
    const done = await repository.branch(name).set(at, new TextEncoder().encode(text));
    if (!done.ok) {
      // "deep" can't be beside "deep/er".
      assert.match(JSON.stringify(done.error), /in the way/);
      return;
    }
    const head = await repository.branch(name).head();
    assert.ok(head.ok && head.value !== null);
    heads.set(name, head.value);
  };
  const commitTheirs = (name: string): void => {
    const parent = heads.get(name);
    if (parent === undefined) return;
    const tree = place.git('rev-parse', `${parent}^{tree}`);
    const id = place.git('commit-tree', tree, '-p', parent, '-m', `git ${random.u32()}`);
    place.git('update-ref', `refs/heads/${name}`, id, parent);
    heads.set(name, id);
  };
  const removeBranch = async (name: string): Promise<void> => {
    const from = (heads.get(name) ?? null) as ObjectId | null;
    if (name === 'main' || from === null) return;
    if (random.chance(0.5)) place.git('update-ref', '-d', `refs/heads/${name}`, from);
    else {
      const update = { name: `refs/heads/${name}`, from, to: null };
      assert.ok((await backend.updateRefs([update], 'campaign')).ok);
    }
    heads.delete(name);
  };
  const pack = async (): Promise<void> => {
    const ways: (() => unknown)[] = [
      () => place.git('gc', '-q', '--prune=now'),
      () => place.git('repack', '-adq'),
      () => place.git('repack', '-dq'),
      () => place.git('pack-refs', '--all', '--prune'),
      async () => assert.ok((await backend.gc({ pruneBefore: Date.now() })).ok),
    ];
    await random.pick(ways)();
  };
  for (let step = 0; step < steps; step++) {
    const name = random.pick(names);
    const dice = random.below(10);
    if (dice < 5) await commitOurs(name);
    else if (dice < 7) commitTheirs(name);
    else if (dice < 8) await removeBranch(name);
    else await pack();
    const refs = await backend.listRefs('refs/heads/');
    assert.ok(refs.ok);
    const seen = refs.value.map((ref) => `${ref.name.slice('refs/heads/'.length)} ${ref.id}`);
    const want = [...heads].map(([branch, id]) => `${branch} ${id}`);
    assert.deepEqual(seen.sort(), want.sort(), `step ${step}`);
  }
  place.expectWhole();
  const report = await checkRepository(backend, { crypto: nodeCrypto });
  assert.ok(report.ok && report.value.problemCount === 0, JSON.stringify(report));
  const clone = join(place.path, 'clone');
  place.git('clone', '-q', '--bare', place.path, clone);
  const count = Number(place.git('rev-list', '--all', '--count'));
  await backend.close();
  place.close();
  return count;
}

/** Commits and reads while git packs, again and again; how often it packed. */
export async function runBeside(seed: number, commits: number): Promise<number> {
  const random = new SimRandom(seed);
  const place = new Place();
  const { backend, repository } = openStore(place.path);
  const main = repository.branch('main');
  const said: ObjectId[] = [];
  let isDone = false;
  let packed = 0;
  const packing = async (): Promise<void> => {
    const ways = [
      ['gc', '-q'],
      ['repack', '-adq'],
      ['pack-refs', '--all', '--prune'],
    ];
    while (!isDone) await place.gitBeside(ways[packed++ % ways.length]!);
  };
  const beside = packing();
  for (let k = 0; k < commits; k++) {
    const at = [`d${random.below(4)}`, `f${random.below(20)}`] as [string, string];
    const done = await main.set(at, new TextEncoder().encode(`${k}\n`));
    assert.ok(done.ok, JSON.stringify(done));
    const ref = await backend.readRef('refs/heads/main');
    assert.ok(ref.ok && ref.value?.id !== undefined);
    said.push(ref.value.id);
    for (let reads = 0; reads < 4; reads++) {
      const id = random.pick(said);
      const object = await backend.readObject(id);
      assert.ok(object.ok && object.value?.kind === 'commit', `${id} after ${k}`);
    }
    // So that git comes to its turn.
    await setTimeout(0);
  }
  isDone = true;
  await beside;
  place.expectWhole();
  assert.equal(Number(place.git('rev-list', '--count', 'main')), commits);
  await backend.close();
  place.close();
  return packed;
}

/** Kills a process of ours again and again; how many commits it said and there are. */
export async function runKills(seed: number, kills: number): Promise<number> {
  const random = new SimRandom(seed);
  const place = new Place();
  let total = 0;
  for (let round = 0; round < kills; round++) {
    const said = await killOne(place.path, round, random);
    total += said.length;
    // What a dead process held, people remove: `git` would ask for it too.
    for (const name of locks(place.path)) rmSync(join(place.path, name));
    place.expectWhole();
    const last = said.at(-1);
    if (last !== undefined) place.git('merge-base', '--is-ancestor', last, 'main');
    const ahead =
      last === undefined ? 0 : Number(place.git('rev-list', '--count', `${last}..main`));
    assert.ok(ahead <= 1, `${ahead} commits more than were said`);
    if (random.chance(0.3)) place.git('gc', '-q', '--prune=now');
  }
  place.close();
  return total;
}

const locks = (path: string): string[] =>
  (readdirSync(path, { recursive: true }) as string[]).filter((name) => name.endsWith('.lock'));

async function killOne(path: string, round: number, random: SimRandom): Promise<string[]> {
  const child = spawn(process.execPath, [CHILD, path, String(round)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  const begun = Promise.withResolvers<void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    begun.resolve();
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await Promise.race([begun.promise, ended]);
  await setTimeout(random.below(150));
  child.kill('SIGKILL');
  await ended;
  return output.split('\n').filter((line) => line.length === 40);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      steps: { type: 'string', default: '400' },
      kills: { type: 'string', default: '50' },
    },
  });
  assert.ok(existsSync(CHILD));
  const commits = await runWorkload(Number(values.seed), Number(values.steps));
  process.stdout.write(`${values.steps} steps of both, ${commits} commits, all whole\n`);
  const packed = await runBeside(Number(values.seed), Number(values.steps));
  process.stdout.write(`${values.steps} commits beside git, which packed ${packed} times\n`);
  const said = await runKills(Number(values.seed), Number(values.kills));
  process.stdout.write(`${values.kills} kills, ${said} commits said, all there\n`);
}
