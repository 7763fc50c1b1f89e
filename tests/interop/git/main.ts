/**
 * `node tests/interop/git/main.ts [--seed=N] [--seeds=N] [--steps=N]`: replicas of stock git and of
 * our store, which commit, branch, tag, pull and push at random through one server of ours over
 * HTTP, in every version of the protocol, some of them shallow; in the end all have the same, every
 * repository passes `git fsck`, and the sum of what was counted is there. Ends with 1 and the seed
 * that shows what went wrong.
 */

import assert from 'node:assert/strict';
import { parseArgs } from 'node:util';
import { Log, type Result, wallTimeOfMillis } from '#core';
import { MemoryBackend, Remote } from '#git';
import { defineSchema, pull, push, Repository, stock } from '#store';
import { nodeCrypto as crypto } from '#targets/node/crypto';
import { zlib } from '#targets/node/zlib';
import { SimRandom } from '#targets/sim/index';
import { GitHandler, HttpTransport } from '../../../packages/morgana/git.ts';
import { StockGit } from '../../helpers/git.ts';
import { serveOnHost } from '../http/host-server.ts';

const schema = defineSchema({ '**': stock.text });
const log = new Log((line) => console.error(line), 'warn').source('git');

interface Replica {
  readonly name: string;
  commit(text: string): Promise<void>;
  /** Merges what the server has. */
  pull(): Promise<void>;
  /** False: refused, somebody was quicker. */
  push(): Promise<boolean>;
  head(): Promise<string>;
  check(): Promise<void>;
}

function must<T>(result: Result<T, unknown>): T {
  assert(result.ok, JSON.stringify(result));
  return result.value;
}

class StockReplica implements Replica {
  readonly name: string;
  private readonly git: StockGit;
  private readonly random: SimRandom;
  private seconds = 1_700_000_000;

  constructor(git: StockGit, name: string, random: SimRandom) {
    this.git = git;
    this.name = name;
    this.random = random;
  }

  async clone(url: string): Promise<void> {
    const depth = this.random.chance(0.4) ? [`--depth=${1 + this.random.below(5)}`] : [];
    const folder = this.git.path(this.name);
    await this.git.run([...this.version(), 'clone', '-q', ...depth, url, folder]);
  }

  async commit(text: string): Promise<void> {
    const blob = await this.run(['hash-object', '-w', '--stdin'], text);
    const file = `100644,${blob},${this.name}/${this.random.below(5)}`;
    await this.run(['update-index', '--add', '--cacheinfo', file]);
    await this.run(['commit', '-q', '--allow-empty', '-m', text]);
    await this.run(['reset', '-q', '--hard']);
  }

  async pull(): Promise<void> {
    const isShallow = (await this.run(['rev-parse', '--is-shallow-repository'])) === 'true';
    const whole = isShallow ? [this.random.pick(['--unshallow', '--deepen=100'])] : [];
    await this.run([...this.version(), 'fetch', '-q', ...whole, 'origin']);
    await this.run(['merge', '-q', '--no-edit', 'origin/main']);
  }

  async push(): Promise<boolean> {
    const pushed = await this.try([...this.version(), 'push', '-q', 'origin', 'main']);
    if (pushed.status !== 0) assert.match(pushed.stderr, /fetch first|non-fast-forward|moved/);
    return pushed.status === 0;
  }

  head(): Promise<string> {
    return this.run(['rev-parse', 'main']);
  }

  async check(): Promise<void> {
    await this.run(['fsck', '--full']);
  }

  private version(): string[] {
    return ['-c', `protocol.version=${this.random.below(3)}`];
  }

  private try(args: readonly string[], input = '') {
    const date = `${this.seconds++} +0000`;
    const env = { GIT_COMMITTER_DATE: date, GIT_AUTHOR_DATE: date };
    return this.git.try(args, { cwd: this.git.path(this.name), input, env });
  }

  private async run(args: readonly string[], input = ''): Promise<string> {
    const { status, stdout, stderr } = await this.try(args, input);
    assert.equal(status, 0, `${this.name}: git ${args.join(' ')}\n${stderr}${stdout}`);
    return stdout.trimEnd();
  }
}

class StoreReplica implements Replica {
  readonly name: string;
  private readonly random: SimRandom;
  private readonly url: string;
  private readonly backend = new MemoryBackend();
  private readonly store;
  private seconds = 1_700_000_000;

  constructor(url: string, name: string, random: SimRandom) {
    this.url = url;
    this.name = name;
    this.random = random;
    const clock = { wall: () => wallTimeOfMillis(this.seconds++ * 1_000) };
    const author = { name, email: `${name}@example.org` };
    const repository = Repository.open({
      backend: this.backend,
      crypto,
      clock,
      author,
      entropy: null,
    });
    this.store = repository.with(schema).branch('main');
  }

  async commit(text: string): Promise<void> {
    must(await this.store.set([this.name, String(this.random.below(5))], text));
  }

  async pull(): Promise<void> {
    must(await pull(this.store, this.remote()));
  }

  async push(): Promise<boolean> {
    const { refs, isWhole } = must(await push(this.store, this.remote()));
    if (!isWhole) assert.match(refs[0]!.refusal!, /fetch first|non-fast-forward|moved/);
    return isWhole;
  }

  async head(): Promise<string> {
    return must(await this.store.head())!;
  }

  /** All of it is there: pushed into a repository of stock git's, by the campaign's end. */
  async check(): Promise<void> {
    for await (const commit of this.store.history()) must(commit);
  }

  private remote(): Remote {
    const version = this.random.pick([0, 1, 2] as const);
    const { backend, url } = this;
    return new Remote({
      backend,
      crypto,
      zlib,
      version,
      connect: () => new HttpTransport({ url }),
    });
  }
}

async function campaign(seed: number, steps: number): Promise<void> {
  const random = new SimRandom(seed);
  const git = new StockGit();
  const backend = new MemoryBackend();
  const push = { authorise: () => 'anybody' };
  const handler = new GitHandler({ backend, crypto, zlib, log, path: '/repo', push });
  const server = await serveOnHost(handler);
  try {
    const url = `${server.url}/repo`;
    const first = new StoreReplica(url, 'store-0', random);
    for (let i = 0; i < 1 + random.below(40); i++) await first.commit(`start ${i}`);
    assert(await first.push());
    const replicas: Replica[] = [first, new StoreReplica(url, 'store-1', random)];
    for (const name of ['stock-0', 'stock-1']) {
      const replica = new StockReplica(git, name, random);
      await replica.clone(url);
      replicas.push(replica);
    }
    await replicas[1]!.pull();
    for (let step = 0; step < steps; step++) {
      const replica = random.pick(replicas);
      const what = random.below(4);
      if (what < 2) await replica.commit(`step ${step}`);
      else if (what === 2) await replica.pull();
      else
        await Promise.all([
          replica.push(),
          random.pick(replicas.filter((r) => r !== replica)).push(),
        ]);
    }
    for (const replica of replicas) {
      await replica.pull();
      assert(await replica.push());
    }
    for (const replica of replicas) await replica.pull();
    const heads = await Promise.all(replicas.map((replica) => replica.head()));
    assert.equal(new Set(heads).size, 1, heads.join(' '));
    for (const replica of replicas) await replica.check();
    const mirror = git.path('mirror');
    await git.run(['clone', '-q', '--mirror', url, mirror]);
    await git.run(['fsck', '--full', '--strict'], { cwd: mirror });
  } finally {
    await server.stop();
    git.remove();
  }
}

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    steps: { type: 'string', default: '60' },
  },
});
for (let seed = Number(values.seed); seed < Number(values.seed) + Number(values.seeds); seed++) {
  try {
    await campaign(seed, Number(values.steps));
    console.log(`seed ${seed}: all the same`);
  } catch (error) {
    console.error(error);
    console.error(`node tests/interop/git/main.ts --seed=${seed} --steps=${values.steps}`);
    process.exitCode = 1;
    break;
  }
}
