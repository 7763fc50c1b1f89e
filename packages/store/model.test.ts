/** Random operations on several branches, beside a map of paths for every commit. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ok, SeededRandom } from '#core';
import { MemoryBackend, type ObjectId } from '#git';
import { nodeCrypto } from '#targets/node/crypto';
import type { RawShape } from './raw-schema.ts';
import { Repository } from './repository.ts';
import type { Store } from './store.ts';
import { all, testRepository, value } from './test-world.ts';
import type { Tree } from './tree/tree.ts';

const STEPS = 120;
const BRANCHES = ['main', 'side', 'deep/er'];
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

type Contents = ReadonlyMap<string, string>;

async function contentsOf(tree: Tree<RawShape>): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const { path, kind } of await all(tree.walk())) {
    if (kind === 'tree') continue;
    found[path.join('/')] = new TextDecoder().decode(value(await tree.get(path)));
  }
  return found;
}

/** As a tree would have it: what is set replaces what is above and below. */
function put(contents: Contents, path: string, text: string | null): Contents {
  const kept = [...contents].filter(([other]) => {
    const isBelow = other === path || other.startsWith(`${path}/`);
    return !isBelow && !(text !== null && path.startsWith(`${other}/`));
  });
  return new Map(text === null ? kept : [...kept, [path, text]]);
}

class Model {
  readonly random: SeededRandom;
  readonly repository: Repository<RawShape>;
  readonly commits = new Map<ObjectId, Contents>();
  readonly heads = new Map<string, ObjectId>();

  constructor(seed: number, cacheBytes: number) {
    this.random = new SeededRandom(seed);
    const { clock, author } = testRepository().core;
    const backend = new MemoryBackend();
    const options = { backend, clock, author, cacheBytes };
    this.repository = Repository.open({ ...options, crypto: nodeCrypto, entropy: null });
  }

  below(count: number): number {
    return Math.floor(this.random.unit() * count);
  }

  path(): string[] {
    return Array.from({ length: 1 + this.below(3) }, () => 'abcd'[this.below(4)]!);
  }

  contentsOf(branch: string): Contents {
    const head = this.heads.get(branch);
    return head === undefined ? new Map() : this.commits.get(head)!;
  }

  /** A commit was made, of these contents; null: nothing has changed. */
  committed(branch: string, commit: ObjectId | null, contents: Contents): void {
    const before = this.contentsOf(branch);
    const isSame = JSON.stringify([...before].sort()) === JSON.stringify([...contents].sort());
    assert.equal(commit === null, isSame, 'a commit exactly when something has changed');
    if (commit === null) return;
    this.commits.set(commit, contents);
    this.heads.set(branch, commit);
  }

  async step(): Promise<void> {
    const branch = BRANCHES[this.below(BRANCHES.length)]!;
    const store = this.repository.branch(branch);
    const path = this.path();
    const name = path.join('/');
    const before = this.contentsOf(branch);
    const text = `${this.below(4)}`;
    switch (this.below(7)) {
      case 0:
      case 1:
        return this.committed(
          branch,
          value(await store.set(path, encode(text))),
          put(before, name, text),
        );
      case 2:
        return this.committed(branch, value(await store.remove(path)), put(before, name, null));
      case 3:
        return this.several(branch, store);
      case 4:
        return this.move(branch, store);
      case 5: {
        const part = value(await store.findTree(path));
        const graft = part ?? this.repository.emptyTree();
        const made = value(await store.setTree(['graft'], graft));
        let after = put(before, 'graft', null);
        for (const [at, content] of before) {
          if (!at.startsWith(`${name}/`)) continue;
          after = put(after, `graft/${at.slice(name.length + 1)}`, content);
        }
        return this.committed(branch, made, after);
      }
      default:
        return this.look(branch, store);
    }
  }

  async several(branch: string, store: Store<RawShape>): Promise<void> {
    let after = this.contentsOf(branch);
    const edits = Array.from({ length: 5 }, () => ({ path: this.path(), text: this.below(5) }));
    const made = await store.withTree([], async (tree) => {
      let next = tree;
      for (const { path, text } of edits) {
        const edited = text === 0 ? next.remove(path) : next.set(path, encode(`${text}`));
        next = value(await edited);
      }
      return ok(next);
    });
    for (const { path, text } of edits) {
      after = put(after, path.join('/'), text === 0 ? null : `${text}`);
    }
    this.committed(branch, value(made), after);
  }

  /** To any commit there was, by one way or the other. */
  async move(branch: string, store: Store<RawShape>): Promise<void> {
    const commits = [...this.commits.keys()];
    const to = commits[this.below(commits.length)];
    if (to === undefined) return;
    if (this.below(2) === 0) value(await store.setHead(to));
    else value(await this.repository.at(to).cloneTo(branch));
    this.heads.set(branch, to);
  }

  /** Now, and as it was at any time. */
  async look(branch: string, store: Store<RawShape>): Promise<void> {
    assert.equal(value(await store.head()), this.heads.get(branch) ?? null);
    const names = value(await this.repository.branches());
    assert.deepEqual([...names].sort(), [...this.heads.keys()].sort());
    const now = await contentsOf(value(await store.tree()));
    assert.deepEqual(new Map(Object.entries(now)), sorted(this.contentsOf(branch)));
    const commits = [...this.commits];
    const [commit, contents] = commits[this.below(commits.length)] ?? [null, new Map()];
    const view = commit === null ? this.repository.empty() : this.repository.at(commit);
    const old = value(await view.tree());
    assert.deepEqual(new Map(Object.entries(await contentsOf(old))), sorted(contents));
    this.repository.checkInvariants();
  }
}

const sorted = (contents: Contents): Contents => new Map([...contents].sort());

for (const cacheBytes of [0, 8_000, 1_000_000]) {
  test(`random operations, a cache of ${cacheBytes} bytes › as the model has it`, async () => {
    for (let seed = 1; seed <= 2; seed++) {
      const model = new Model(seed, cacheBytes);
      for (let i = 0; i < STEPS; i++) await model.step();
      assert.ok(model.commits.size > STEPS / 4, 'something was done');
      for (const branch of BRANCHES) {
        await model.look(branch, model.repository.branch(branch));
      }
    }
  });
}
