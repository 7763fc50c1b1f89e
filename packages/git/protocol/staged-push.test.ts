/** Long pushes: on disk they wait as a pack in a file, and one that is refused leaves nothing. */

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { FileSystem } from '#device';
import { SimRandom } from '#targets/sim/index';
import { checkRepository } from '../check.ts';
import type { DiskBackend } from '../disk/disk-backend.ts';
import { openTest, simRepository } from '../disk/test-repository.ts';
import type { ObjectId } from '../object-id.ts';
import { selectObjects } from '../pack/select-objects.ts';
import { tools } from '../pack/test-git.ts';
import { packSteps } from '../pack/write-pack.ts';
import { must } from '../test-must.ts';
import { markBytes } from '../wire/pkt-line.ts';
import { pktLines } from '../wire/pkt-text.ts';
import { UNSTAGED_PACK_BYTES_MAX } from './limits.ts';
import { LocalTransport } from './local-transport.ts';
import { Quarantine } from './quarantine.ts';
import { ReceivePack, type ReceivePackOptions } from './receive-pack.ts';
import { bytesFrom, piecesOf, Replica } from './test-replica.ts';
import { takePush } from './unpack.ts';
import { UploadPack } from './upload-pack.ts';

const MAIN = 'refs/heads/main';
const random = new SimRandom(11);
/** Doesn't compress. */
const noise = (): Uint8Array => {
  const bytes = new Uint8Array(UNSTAGED_PACK_BYTES_MAX);
  random.fill(bytes);
  return bytes;
};

const from = new Replica();
const first = noise();
before(() => from.grow('main', first));

/** What pushes the long commit to a repository on a disk. */
function pusher(options: Partial<ReceivePackOptions<undefined>> = {}) {
  const files = simRepository(9);
  const backend = openTest(files, 9);
  const receivePack = new ReceivePack({ backend, ...tools, ...options });
  const uploadPack = new UploadPack({ backend, ...tools });
  const remote = from.remoteVia(
    () => new LocalTransport({ uploadPack, receivePack, pusher: undefined }),
  );
  return {
    files,
    backend,
    receivePack,
    push: (spec = MAIN) => remote.push({ refspecs: [spec] }),
  };
}

function filesBelow(files: FileSystem, path: string): string[] {
  return must(files.list(path)).flatMap(({ name, kind }) =>
    kind === 'directory' ? filesBelow(files, `${path}/${name}`) : [`${path}/${name}`],
  );
}

async function isWhole(backend: DiskBackend): Promise<boolean> {
  const report = must(await checkRepository(backend, tools));
  return report.problemCount === 0 && report.objects > 0;
}

test('a long push › refused by the application, or as no branch › no ref, no file', async () => {
  const { files, backend, push } = pusher({ accept: () => 'not today' });
  assert.equal(must(await push()).refs[0]!.refusal, 'not today');
  const tree = must(await from.backend.readObject((await from.tip(MAIN))!))!;
  const id = Buffer.from(tree.bytes).toString('latin1', 5, 45) as never;
  must(await from.backend.updateRefs([{ name: 'refs/tags/tree', from: null, to: id }], 'test'));
  const refused = must(await push(`refs/tags/tree:${MAIN}`));
  assert.equal(refused.refs[0]!.refusal, 'a branch must be a commit');
  assert.deepEqual(filesBelow(files, 'objects'), []);
  assert.deepEqual(must(await backend.listRefs('refs/')), []);
  await backend.close();
});

test('a long push › cut off, or with a wrong byte › no file', async () => {
  const { files, backend } = pusher();
  const quarantine = new Quarantine(backend, 1_000);
  const pack = await packFrom(from);
  const bytes = pack.slice();
  bytes[pack.length - 1]! ^= 1;
  const taken = await takePush(quarantine, piecesOf(bytes), tools, pack.length);
  assert(!taken.ok && taken.backend === null, JSON.stringify(taken));
  async function* broken() {
    yield pack.subarray(0, pack.length - 1_000);
    throw new Error('the line is dead');
  }
  await assert.rejects(takePush(quarantine, broken(), tools, pack.length), /broken/);
  const short = await takePush(quarantine, piecesOf(pack), tools, pack.length - 21);
  assert(!short.ok && /has more than \d+ bytes/.test(short.why), JSON.stringify(short));
  assert.deepEqual(filesBelow(files, 'objects'), []);
  const whole = await takePush(quarantine, piecesOf(pack), tools, pack.length);
  assert(whole.ok && whole.objects === 3);
  quarantine.drop();
  quarantine.drop();
  assert.deepEqual(filesBelow(files, 'objects'), []);
  await backend.close();
});

test('a push at the bound › waits as objects; one byte longer › as a pack', async (t) => {
  const backend = openTest(simRepository(9), 9);
  const staged = t.mock.method(backend, 'stagePack');
  for (const [bytes, calls] of [
    [UNSTAGED_PACK_BYTES_MAX, 0],
    [UNSTAGED_PACK_BYTES_MAX + 1, 1],
  ] as const) {
    const rubbish = piecesOf(new Uint8Array(1_000), new Uint8Array(bytes - 1_000));
    const quarantine = new Quarantine(backend, 2 * bytes);
    assert.equal((await takePush(quarantine, rubbish, tools, 2 * bytes)).ok, false);
    assert.equal(staged.mock.callCount(), calls, `${bytes} bytes`);
  }
  await backend.close();
});

test('a long push › accepted › one pack, whole; thin upon it, another one', async () => {
  const { files, backend, push } = pusher();
  assert.equal(must(await push()).isWhole, true);
  const packs = filesBelow(files, 'objects').map((path) => path.replace(/\w{40}/, 'X'));
  assert.deepEqual(packs.sort(), ['objects/pack/pack-X.idx', 'objects/pack/pack-X.pack']);
  assert(await isWhole(backend));
  await from.grow('main', new Uint8Array(Buffer.concat([first, noise()])));
  assert.equal(must(await push()).isWhole, true);
  assert.equal(must(await backend.readRef(MAIN))?.id, await from.tip(MAIN));
  assert(await isWhole(backend));
  await backend.close();
});

/** What a server says to raw lines and a pack. */
async function said(server: ReceivePack, lines: readonly string[], pack: Uint8Array) {
  const request = piecesOf(pktLines(lines), markBytes('flush'), pack);
  const report = await bytesFrom(server.serve(request, undefined));
  return Buffer.from(report)
    .toString('latin1')
    .replaceAll(/[\da-f]{4}(?=ok|ng|un)|\n|0000$/g, ';');
}

const ZERO = '0'.repeat(40);

test('a long push with a cut history that is refused beside one that is not › it stays out', async () => {
  const { backend, receivePack: server } = pusher();
  const good = (await from.tip(MAIN))!;
  const cut = await from.commit('cut', [await from.commit('never sent', [])]);
  const pack = await packOf(from, [good, cut], new Set([cut]));
  const first = [`shallow ${cut}`, `${ZERO} ${good} ${MAIN}\0report-status`];
  const lines = [...first, `${ZERO} ${cut} refs/heads/cut`];
  const report = await said(server, lines, pack);
  assert.match(report, /ok refs\/heads\/main;.*ng refs\/heads\/cut shallow update not allowed/);
  // It was refused, so it isn't here to be named with an empty pack.
  const again = [`${ZERO} ${cut} refs/heads/cut\0report-status`];
  const nothing = await said(server, again, await packOf(from, []));
  assert.match(nothing, /ng refs\/heads\/cut missing necessary objects/);
  assert(await isWhole(backend));
  await backend.close();
});

test('a long push of as many objects as may be known, one more › taken, refused', async () => {
  const files = simRepository(9);
  const backend = openTest(files, 9);
  const replica = new Replica();
  await replica.grow('main', first);
  const pack = await packFrom(replica);
  for (const [bytesMax, isTaken] of [
    [600, true],
    [599, false],
  ] as const) {
    const quarantine = new Quarantine(backend, bytesMax);
    const taken = await takePush(quarantine, piecesOf(pack), tools, pack.length);
    assert.equal(taken.ok, isTaken, JSON.stringify(taken));
    quarantine.drop();
  }
  assert.deepEqual(filesBelow(files, 'objects'), []);
  await backend.close();
});

/** Of all of its main branch. */
async function packFrom(replica: Replica): Promise<Uint8Array> {
  return packOf(replica, [(await replica.tip(MAIN))!]);
}

/** Without what is behind `ends`. */
async function packOf(
  { backend }: Replica,
  wants: readonly ObjectId[],
  ends: ReadonlySet<ObjectId> = new Set(),
): Promise<Uint8Array> {
  const selection = must(await selectObjects(backend, { wants, haves: [], ends }));
  const options = { ofsDelta: true, thin: false, deltas: null, reuse: true };
  const parts: Uint8Array[] = [];
  for await (const { bytes } of packSteps(backend, tools, selection, options)) {
    if (bytes !== null) parts.push(bytes);
  }
  return new Uint8Array(Buffer.concat(parts));
}
