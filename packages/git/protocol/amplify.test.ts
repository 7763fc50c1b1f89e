/** Small requests that could cost much: work grows with what was sent, not with its square. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NewObject } from '../backend.ts';
import { tools } from '../pack/test-git.ts';
import { must } from '../test-must.ts';
import { noId } from '../wire/advertisement.ts';
import { commandPkts, FetchArguments } from '../wire/fetch-request.ts';
import { emitPkts, type Pkt, parsePkts } from '../wire/pkt-line.ts';
import { lineOf } from '../wire/pkt-text.ts';
import { pushRequestPkts } from '../wire/push-request.ts';
import { PUSH_BROKEN_TIPS_MAX, SHALLOWS_MAX } from './limits.ts';
import { Quarantine } from './quarantine.ts';
import { bytesFrom, piecesOf, Replica } from './test-replica.ts';
import { unpackInto } from './unpack.ts';

const COUNT = 1_000;
const written = (pkts: readonly Pkt[]): Uint8Array => {
  const to = new Uint8Array(pkts.reduce((sum, pkt) => sum + 4 + pkt.length, 0));
  return to.slice(0, emitPkts(to, pkts));
};

async function answered(replica: Replica, command: string, lines: string[]): Promise<string[]> {
  const request = piecesOf(written(commandPkts(command, [], lines)));
  const mode = { version: 2, isStateless: true } as const;
  const pkts = must(parsePkts(await bytesFrom(replica.uploadPack.serve(request, mode))));
  return pkts.map((pkt) => (typeof pkt === 'string' ? pkt : lineOf(pkt)));
}

/** So many branches on one commit: "b0", "b1" ... */
async function branched(count: number): Promise<Replica> {
  const replica = new Replica();
  const to = await replica.commit('one', []);
  const updates = Array.from({ length: count }, (_, i) => ({
    name: `refs/heads/b${i}`,
    from: null,
    to,
  }));
  must(await replica.backend.updateRefs(updates, 'test'));
  return replica;
}

test('ls-refs › many prefixes for many refs › each ref is compared with one', async (t) => {
  const replica = await branched(COUNT);
  const prefixes = Array.from({ length: COUNT }, (_, i) => `ref-prefix refs/heads/x${i}`);
  prefixes.push('ref-prefix refs/heads/b99', 'ref-prefix refs/heads/b9', 'ref-prefix refs/heads/b');
  const compared = t.mock.method(String.prototype, 'startsWith');
  const lines = await answered(replica, 'ls-refs', prefixes.slice(0, -1));
  const calls = compared.mock.callCount();
  compared.mock.restore();
  assert(calls < 20 * COUNT, `${calls} comparisons`);
  const naive = Array.from({ length: COUNT }, (_, i) => `b${i}`).filter((name) => /^b9/.test(name));
  assert.equal(lines.length, naive.length + 1);
  assert.equal((await answered(replica, 'ls-refs', prefixes)).length, COUNT + 1);
  assert.equal((await answered(replica, 'ls-refs', ['ref-prefix '])).length, COUNT + 1);
  assert.equal((await answered(replica, 'ls-refs', ['ref-prefix refs/heads/a'])).length, 1);
});

test('fetch › many deepen-nots › refs are listed once for all; at the bound, and one more', async (t) => {
  const replica = await branched(3);
  const tip = await replica.tip('refs/heads/b0');
  const listed = t.mock.method(replica.backend, 'listRefs');
  const nots = Array.from({ length: COUNT }, (_, i) => `deepen-not b${i % 3}`);
  const lines = await answered(replica, 'fetch', [`want ${tip}`, ...nots, 'done']);
  assert.deepEqual(lines, ['ERR no commits selected for shallow requests']);
  assert(listed.mock.callCount() <= 2, `${listed.mock.callCount()} lists`);
  const taken = new FetchArguments();
  for (let i = 0; i < SHALLOWS_MAX; i++) assert.equal(taken.take('deepen-not x'), null);
  assert.equal(taken.take('deepen-not x'), 'too many');
  assert.equal(taken.request().deepening?.not.length, SHALLOWS_MAX);
});

test('push › a ref for each commit of a chain › each object is looked at a few times', async (t) => {
  const [from, to] = [new Replica(), new Replica()];
  const commits = 100;
  for (let i = 0; i < commits; i++) {
    const id = await from.grow('main', `commit ${i}`);
    must(await from.backend.updateRefs([{ name: `refs/heads/b${i}`, from: null, to: id }], 'test'));
  }
  const looked = t.mock.method(Quarantine.prototype, 'kindOf');
  const pushed = await from.remoteTo(to).push({ refspecs: ['refs/heads/*:refs/heads/*'] });
  assert(pushed.ok && pushed.value.isWhole);
  assert(looked.mock.callCount() < 12 * commits, `${looked.mock.callCount()} looks`);
  assert.equal(must(await to.backend.listRefs('refs/')).length, commits + 1);
});

test('push › a large pack of many objects › others get their turns meanwhile', async (t) => {
  const from = new Replica();
  for (let i = 0; i < COUNT / 2; i++) await from.grow('main', `commit ${i}`);
  let turns = 0;
  let whileRead = 0;
  const to = new Replica({ turn: async () => void turns++ });
  const write = Quarantine.prototype.writeObjects;
  t.mock.method(
    Quarantine.prototype,
    'writeObjects',
    function (this: Quarantine, objects: readonly NewObject[]) {
      whileRead = turns;
      return write.call(this, objects);
    },
  );
  const pushed = await from.remoteTo(to).push({ refspecs: ['refs/heads/main:refs/heads/main'] });
  assert(pushed.ok && pushed.value.isWhole);
  // Pieces have up to 64 KiB; what the ref leads to is followed twice.
  assert.deepEqual([whileRead, turns], [2, 4]);
});

test('push › more refs without their objects than the bound › the rest is refused unseen', async (t) => {
  const replica = new Replica();
  const commands = Array.from({ length: PUSH_BROKEN_TIPS_MAX + 1 }, (_, i) => ({
    name: `refs/heads/b${i}`,
    from: null,
    to: noId('SHA-1').replaceAll('0', 'e') as ReturnType<typeof noId>,
  }));
  const request = { commands, capabilities: ['report-status'], shallow: [] };
  const empty = must(await packOf());
  const looked = t.mock.method(Quarantine.prototype, 'kindOf');
  const bytes = written(pushRequestPkts(request, noId('SHA-1')));
  const report = await bytesFrom(replica.receivePack.serve(piecesOf(bytes, empty), undefined));
  const lines = must(parsePkts(report)).map((pkt) => (typeof pkt === 'string' ? pkt : lineOf(pkt)));
  assert.equal(lines[0], 'unpack ok');
  assert.equal(lines.filter((line) => line.includes(': eeee')).length, PUSH_BROKEN_TIPS_MAX);
  assert.equal(lines.at(-2), 'ng refs/heads/b16 missing necessary objects');
  assert.equal(looked.mock.callCount(), PUSH_BROKEN_TIPS_MAX);
});

test('push › branches forward by as much as may be walked, by one commit more › moved, told why', async () => {
  for (const [walkCommitsMax, refusal] of [
    [20, null],
    [19, 'too much history to tell a fast-forward: push fewer branches, or in steps'],
  ] as const) {
    const [from, to] = [new Replica(), new Replica({ walkCommitsMax })];
    const first = await from.grow('a', 'first');
    must(await from.backend.updateRefs([{ name: 'refs/heads/b', from: null, to: first }], 'test'));
    const refspecs = ['refs/heads/*:refs/heads/*'];
    assert(must(await from.remoteTo(to).push({ refspecs })).isWhole);
    for (const branch of ['a', 'b']) {
      for (let i = 0; i < 10; i++) await from.grow(branch, `${branch}${i}`);
    }
    const pushed = must(await from.remoteTo(to).push({ refspecs }));
    assert.deepEqual(
      pushed.refs.map((fate) => fate.refusal),
      [null, refusal],
    );
    // A ref that isn't where it is said to be is no reason to read a history.
    const stray = { name: 'refs/heads/a', from: noId('SHA-1').replaceAll('0', 'e') as never };
    const commands = [{ ...stray, to: (await to.tip('refs/heads/a'))! }];
    const request = { commands, capabilities: ['report-status'], shallow: [] };
    const bytes = written(pushRequestPkts(request, noId('SHA-1')));
    const empty = must(await packOf());
    const report = await bytesFrom(to.receivePack.serve(piecesOf(bytes, empty), undefined));
    assert.match(Buffer.from(report).toString(), /ng refs\/heads\/a non-fast-forward/);
  }
});

test('a bad pack without an end › refused after so many bytes as it may have', async () => {
  let sent = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (; sent < 1_000_000; sent += 1_000) yield new Uint8Array(1_000);
  }
  const { backend } = new Replica();
  const unpacked = await unpackInto(backend, endless(), tools, { packBytesMax: 10_000 });
  assert(!unpacked.ok && unpacked.backend === null);
  assert(sent <= 12_000, `${sent} bytes`);
});

/** A pack of nothing. */
async function packOf() {
  const head = Uint8Array.from([0x50, 0x41, 0x43, 0x4b, 0, 0, 0, 2, 0, 0, 0, 0]);
  const value = new Uint8Array([...head, ...tools.crypto.digest('SHA-1', head)]);
  return { ok: true as const, value };
}
