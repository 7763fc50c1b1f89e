/** Peers that lie, stop in the middle, or ask for too much: an answer, and nothing stays. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ok } from '#core';
import { SimRandom } from '#targets/sim/index';
import type { ObjectId } from '../object-id.ts';
import { tools } from '../pack/test-git.ts';
import { must } from '../test-must.ts';
import { noId } from '../wire/advertisement.ts';
import { commandPkts, FetchArguments } from '../wire/fetch-request.ts';
import { emitPkts, type Pkt, parsePkts } from '../wire/pkt-line.ts';
import { lineOf, payloadOf, pktLine } from '../wire/pkt-text.ts';
import { PushArguments, pushRequestPkts } from '../wire/push-request.ts';
import { BAND_ERROR, bandText } from '../wire/side-band.ts';
import { bandData } from './client/fetch-pack.ts';
import { Remote } from './client/remote.ts';
import {
  CAPABILITIES_MAX,
  HAVES_MAX,
  MESSAGE_BYTES_MAX,
  PUSH_OPTIONS_MAX,
  REF_PREFIXES_ASKED_MAX,
  SHALLOWS_MAX,
  WANTS_MAX,
} from './limits.ts';
import { PktReader } from './pkt-reader.ts';
import { Stop } from './stop.ts';
import { bytesFrom, piecesOf, Replica } from './test-replica.ts';
import type { GitTransport } from './transport.ts';

const NONE = noId('SHA-1');
const ABSENT = 'e'.repeat(40) as ObjectId;

function written(pkts: readonly Pkt[]): Uint8Array {
  const to = new Uint8Array(pkts.reduce((sum, pkt) => sum + 4 + pkt.length, 0));
  return to.slice(0, emitPkts(to, pkts));
}

/** A repository with five commits. */
async function served(): Promise<Replica> {
  const replica = new Replica();
  for (let i = 0; i < 5; i++) await replica.grow('main', `commit ${i}`);
  return replica;
}

const ask = (replica: Replica, version: 0 | 1 | 2, bytes: Uint8Array): Promise<Uint8Array> =>
  bytesFrom(replica.uploadPack.serve(piecesOf(bytes), { version, isStateless: true }));

const linesOf = (bytes: Uint8Array): string[] => {
  const pkts = must(parsePkts(bytes));
  return pkts.map((pkt) => (typeof pkt === 'string' ? pkt : lineOf(pkt)));
};

const fetchOf = (...lines: string[]): Uint8Array => written(commandPkts('fetch', [], lines));

test('upload-pack › a request cut anywhere › an answer or none, no pack, no throw', async () => {
  const replica = await served();
  const tip = await replica.tip('refs/heads/main');
  const v2 = fetchOf('thin-pack', `want ${tip}`, `have ${ABSENT}`, 'done');
  const v0 = written([
    payloadOf(`want ${tip} multi_ack_detailed side-band-64k`),
    'flush',
    payloadOf(`have ${ABSENT}`),
    payloadOf('done'),
  ]);
  for (const [version, request] of [
    [2, v2],
    [0, v0],
  ] as const) {
    for (let cut = 0; cut < request.length; cut++) {
      const answer = await ask(replica, version, request.slice(0, cut));
      assert(!Buffer.from(answer).includes('PACK'), `${version} cut at ${cut}`);
    }
    assert(Buffer.from(await ask(replica, version, request)).includes('PACK'));
  }
});

test('upload-pack › garbage and broken lines › one line says so', async () => {
  const replica = await served();
  const random = new SimRandom(7);
  const tip = await replica.tip('refs/heads/main');
  const good = fetchOf(`want ${tip}`, 'ofs-delta', 'done');
  for (let round = 0; round < 100; round++) {
    const bytes = good.slice();
    for (let i = 0; i <= random.below(4); i++) bytes[random.below(bytes.length)] = random.u32();
    for (const version of [0, 2] as const) await ask(replica, version, bytes);
  }
  for (const text of ['GET / HTTP/1.1\r\n\r\n', 'ffff', '0003', '0005', '000cwant x\n\n0000']) {
    const answer = await ask(replica, 2, new Uint8Array(Buffer.from(text)));
    if (answer.length > 0) assert.match(linesOf(answer)[0]!, /^ERR /);
  }
});

test('upload-pack › deepened from ends that no want leads to, or that are nowhere › those stay', async () => {
  const replica = await served();
  const tip = (await replica.tip('refs/heads/main'))!;
  const hidden = await replica.commit('hidden', []);
  const child = await replica.commit('its child', [hidden]);
  const parent = Buffer.from(must(await replica.backend.readObject(tip))!.bytes);
  const end = parent.toString('latin1', 53, 93);
  const deepen = ['deepen 1', 'deepen-relative'];
  for (const version of [2, 0] as const) {
    const rest = [`shallow ${child}`, `shallow ${ABSENT}`, `shallow ${end}`];
    const request =
      version === 2
        ? fetchOf(`want ${tip}`, ...rest, ...deepen, 'done')
        : written([
            payloadOf(`want ${tip} side-band-64k deepen-relative`),
            ...[...rest, 'deepen 1'].map(payloadOf),
            'flush',
            payloadOf('done'),
          ]);
    const lines = linesOf(await ask(replica, version, request));
    assert.deepEqual(
      lines.filter((line) => line.startsWith('unshallow ')),
      [`unshallow ${end}`],
    );
    assert(
      lines.some((line) => line.includes('9 objects')),
      lines.join('; '),
    );
  }
});

test('upload-pack › wants that no ref has › refused, whether they are here or not', async () => {
  const replica = await served();
  const hidden = await replica.commit('hidden', []);
  for (const want of [hidden, ABSENT]) {
    const [line] = linesOf(await ask(replica, 2, fetchOf(`want ${want}`, 'done')));
    assert.equal(line, `ERR upload-pack: not our ref ${want}`);
    const v0 = written([payloadOf(`want ${want} side-band-64k`), 'flush', payloadOf('done')]);
    assert.equal(linesOf(await ask(replica, 0, v0))[0], line);
  }
});

test('arguments › as many ids as allowed, and one more › taken, too many', () => {
  const taken = new FetchArguments();
  for (const [word, max] of [
    ['have', HAVES_MAX],
    ['shallow', SHALLOWS_MAX],
    ['want', WANTS_MAX],
  ] as const) {
    for (let i = 0; i < max; i++) if (taken.take(`${word} ${ABSENT}`) !== null) assert.fail(word);
    assert.equal(taken.take(`${word} ${ABSENT}`), 'too many');
  }
  const pushed = new PushArguments();
  for (let i = 0; i < SHALLOWS_MAX; i++) pushed.take(`shallow ${ABSENT}`);
  assert.equal(pushed.shallow.length, SHALLOWS_MAX);
  assert.equal(pushed.take(`shallow ${ABSENT}`), 'too many');
});

test('upload-pack › lines at their bounds, and one more › answered, refused', async () => {
  const replica = await served();
  const list = async (capabilities: number, flags: number): Promise<string[]> => {
    const many = (count: number, text: string) => Array.from({ length: count }, (_, i) => text + i);
    const lines = [...many(flags, 'flag'), 'ref-prefix refs/x'];
    const request = commandPkts('ls-refs', many(capabilities, 'capability'), lines);
    return linesOf(await ask(replica, 2, written(request)));
  };
  // The command's own line is one of them.
  assert.equal((await list(CAPABILITIES_MAX - 1, CAPABILITIES_MAX)).length, 1);
  assert.equal((await list(CAPABILITIES_MAX, 0))[0], 'ERR too many capabilities');
  assert.equal((await list(0, CAPABILITIES_MAX + 1))[0], 'ERR too many arguments');
});

test('client › prefixes at the bound, and one more; a message longer than one › all refs, cut', async () => {
  const asked: number[] = [];
  const replica = await served();
  const mode = { version: 2, isStateless: true } as const;
  const transport: GitTransport = {
    isStateless: true,
    discover: async () => ok(piecesOf(await replica.uploadPack.advertise(2))),
    async call(_service, _version, body) {
      const bytes = await bytesFrom(body);
      asked.push(linesOf(bytes).filter((line) => line.startsWith('ref-prefix')).length);
      return ok(replica.uploadPack.serve(piecesOf(bytes), mode));
    },
    close: async () => {},
  };
  const remote = new Remote({ backend: replica.backend, ...tools, connect: () => transport });
  const prefixes = Array.from({ length: REF_PREFIXES_ASKED_MAX }, () => 'refs/heads/main');
  assert.equal(must(await remote.refs(prefixes)).refs.length, 1);
  assert.equal(must(await remote.refs([...prefixes, 'refs/heads/main'])).refs.length, 2);
  assert.deepEqual(asked, [REF_PREFIXES_ASKED_MAX, 0]);
  for (const count of [MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX + 1]) {
    const data = bandData(new PktReader(piecesOf(bandText(BAND_ERROR, 'x'.repeat(count)))), null);
    await assert.rejects(data.next(), (thrown) => {
      assert(thrown instanceof Stop && thrown.reason.kind === 'remote');
      return thrown.reason.message.length === MESSAGE_BYTES_MAX;
    });
  }
});

test('upload-pack › another hash, an unknown command, an unknown argument › refused', async () => {
  const replica = await served();
  const other = written(commandPkts('ls-refs', ['object-format=sha256'], []));
  assert.match(linesOf(await ask(replica, 2, other))[0]!, /mismatched object format/);
  const unknown = written(commandPkts('object-info', [], []));
  assert.match(linesOf(await ask(replica, 2, unknown))[0]!, /unknown command/);
  assert.match(linesOf(await ask(replica, 2, fetchOf('filter blob:none')))[0]!, /not taken here/);
  assert.match(linesOf(await ask(replica, 2, fetchOf('filter tree:1')))[0]!, /not known here/);
});

const push = (replica: Replica, ...pieces: Uint8Array[]): Promise<Uint8Array> =>
  bytesFrom(replica.receivePack.serve(piecesOf(...pieces), undefined));

function commandsFor(name: string, from: ObjectId | null, to: ObjectId | null): Uint8Array {
  const capabilities = ['report-status'];
  return written(
    pushRequestPkts({ commands: [{ name, from, to }], capabilities, shallow: [] }, NONE),
  );
}

/** The lines of a report in its side band. */
function reportOf(bytes: Uint8Array): string[] {
  const [first] = must(parsePkts(bytes));
  assert(first instanceof Uint8Array);
  return first[0] === 1 ? linesOf(first.subarray(1)) : linesOf(bytes);
}

/** A push as our client makes it. */
async function recordedPush(): Promise<{ request: Uint8Array; tip: ObjectId; target: Replica }> {
  const source = await served();
  const target = new Replica();
  const recorded: Uint8Array[] = [];
  const { receivePack } = target;
  const transport: GitTransport = {
    isStateless: true,
    discover: async () => ok(piecesOf(await receivePack.advertise(0))),
    async call(_service, _version, body) {
      recorded.push(await bytesFrom(body));
      return ok(piecesOf(bandText(BAND_ERROR, 'recorded')));
    },
    close: async () => {},
  };
  const remote = new Remote({ backend: source.backend, ...tools, connect: () => transport });
  await remote.push({ refspecs: ['main'] });
  const tip = await source.tip('refs/heads/main');
  return { request: recorded[0]!, tip: tip!, target };
}

test('receive-pack › a push cut anywhere, or with a byte changed › no ref, no object', async () => {
  const { request, tip, target } = await recordedPush();
  const random = new SimRandom(3);
  const attempts: Uint8Array[] = [];
  for (let cut = 0; cut < request.length; cut += 11) attempts.push(request.slice(0, cut));
  const packAt = Buffer.from(request).indexOf('PACK');
  for (let round = 0; round < 60; round++) {
    const bytes = request.slice();
    const at = packAt + random.below(bytes.length - packAt);
    bytes[at] = bytes[at]! ^ (1 << random.below(8));
    attempts.push(bytes);
  }
  for (const bytes of attempts) {
    await push(target, bytes);
    assert.equal(await target.tip('refs/heads/main'), null);
    assert.equal(target.backend.objectBytes, 0);
  }
  assert(target.receivePack.counters.packsRefused > 60);
  await push(target, request);
  assert.equal(await target.tip('refs/heads/main'), tip);
});

test('receive-pack › names that are none, ids of another hash › refused, nothing moves', async () => {
  const replica = await served();
  const tip = (await replica.tip('refs/heads/main'))!;
  const long = 'a'.repeat(64) as ObjectId;
  for (const name of ['HEAD', 'refs/heads/..', 'refs/heads/a.lock', 'main', 'refs/heads/a b']) {
    const answer = await push(replica, written([payloadOf(`${NONE} ${tip} ${name}\0`), 'flush']));
    assert.match(linesOf(answer)[0]!, /^ERR /, name);
  }
  await push(replica, written([payloadOf(`${'0'.repeat(64)} ${long} refs/heads/x\0`), 'flush']));
  assert.equal(must(await replica.backend.listRefs('refs/')).length, 1);
});

test('receive-pack › a ref to what never came › missing, the ref is not made', async () => {
  const replica = await served();
  const { request } = await recordedPush();
  const pack = request.slice(Buffer.from(request).indexOf('PACK'));
  const answer = await push(replica, commandsFor('refs/heads/x', null, ABSENT), pack);
  const lines = linesOf(answer);
  assert.equal(lines[0], 'unpack ok');
  assert.match(lines[1]!, /^ng refs\/heads\/x missing necessary objects/);
  assert.equal(await replica.tip('refs/heads/x'), null);
});

test('receive-pack › a branch at a tree or a file › refused; a tag may be', async () => {
  const replica = await served();
  const commit = await replica.backend.readObject((await replica.tip('refs/heads/main'))!);
  assert(commit.ok && commit.value !== null);
  const tree = Buffer.from(commit.value.bytes).toString().slice(5, 45) as ObjectId;
  for (const [name, answer] of [
    ['refs/heads/x', /^ng refs\/heads\/x a branch must be a commit$/],
    ['refs/tags/x', /^ok refs\/tags\/x$/],
  ] as const) {
    const pack = await recordedPush().then(({ request }) => {
      return request.slice(Buffer.from(request).indexOf('PACK'));
    });
    const lines = linesOf(await push(replica, commandsFor(name, null, tree), pack));
    assert.match(lines[1]!, answer);
  }
  assert.equal(await replica.tip('refs/heads/x'), null);
});

test('receive-pack › the bound of objects, and one below › refused, taken', async () => {
  const { request, tip } = await recordedPush();
  const taken = new Replica({ objectBytesMax: 100_000 });
  await push(taken, request);
  assert.equal(await taken.tip('refs/heads/main'), tip);
  const small = new Replica({ objectBytesMax: 2_000 });
  assert.match(reportOf(await push(small, request))[0]!, /^unpack .* more than 2000/);
  assert.equal(small.backend.objectBytes, 0);
});

test('receive-pack › too many options, commands one after the other twice › refused', async () => {
  const replica = await served();
  const tip = (await replica.tip('refs/heads/main'))!;
  const commands = [{ name: 'refs/heads/x', from: null, to: tip }];
  const capabilities = ['report-status', 'push-options'];
  const head = written(pushRequestPkts({ commands, capabilities, shallow: [] }, NONE));
  const options = Array.from({ length: PUSH_OPTIONS_MAX + 1 }, () => pktLine('o'));
  const atBound = [...options.slice(1), written(['flush'])];
  assert(!linesOf(await push(replica, head, ...atBound))[0]!.startsWith('ERR'));
  assert.match(linesOf(await push(replica, head, ...options))[0]!, /too many push options/);
  const twice = { commands: [...commands, ...commands], capabilities: [], shallow: [] };
  await push(replica, written(pushRequestPkts(twice, NONE)));
  assert.equal((await replica.tip('refs/heads/x')) === null, true);
});

test('receive-pack › a policy that throws › refused, and the server lives', async () => {
  const { request } = await recordedPush();
  const replica = new Replica({
    accept: () => {
      throw new Error('a mistake of the application');
    },
  });
  const lines = reportOf(await push(replica, request));
  assert.equal(lines[1], 'ng refs/heads/main the server failed to decide');
  assert.equal(await replica.tip('refs/heads/main'), null);
});

/** What a server of these answers makes of a fetch. */
async function fetchFromServer(
  advertisement: Uint8Array,
  answers: readonly Uint8Array[],
): Promise<string> {
  let calls = 0;
  const transport: GitTransport = {
    isStateless: true,
    discover: async () => ok(piecesOf(advertisement)),
    async call(_service, _version, body) {
      await bytesFrom(body);
      return ok(piecesOf(answers[Math.min(calls++, answers.length - 1)]!));
    },
    close: async () => {},
  };
  const replica = new Replica();
  await replica.grow('own', 'x');
  const before = replica.backend.objectBytes;
  const remote = new Remote({ backend: replica.backend, ...tools, connect: () => transport });
  const fetched = await remote.fetch();
  assert.equal(must(await replica.backend.listRefs('refs/')).length, 1);
  assert(replica.backend.objectBytes >= before);
  return fetched.ok ? 'ok' : fetched.error.kind;
}

const V2 = written([payloadOf('version 2'), payloadOf('fetch'), payloadOf('ls-refs'), 'flush']);
const LISTED = written([payloadOf(`${ABSENT} refs/heads/main`), 'flush']);

test('client › servers that say nonsense › an error, no ref', async () => {
  const say = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
  assert.equal(await fetchFromServer(say(''), []), 'unreachable');
  assert.equal(await fetchFromServer(say('<html>'), []), 'malformed');
  assert.equal(await fetchFromServer(say('0008NULL'), []), 'unreachable');
  assert.equal(await fetchFromServer(pktLine('ERR no such thing'), []), 'refused');
  assert.equal(await fetchFromServer(V2, [say('')]), 'unreachable');
  assert.equal(await fetchFromServer(V2, [pktLine(`${ABSENT} refs/heads/..`)]), 'malformed');
  assert.equal(await fetchFromServer(V2, [LISTED, pktLine('nothing')]), 'malformed');
  const endless = written([payloadOf('acknowledgments'), payloadOf('NAK'), 'flush']);
  assert.equal(await fetchFromServer(V2, [LISTED, endless]), 'malformed');
  const lie = written([payloadOf('packfile'), bandText(1, 'PACKno').slice(4), 'flush']);
  const ready = written([payloadOf('acknowledgments'), payloadOf('ready'), 'delim']);
  const lying = new Uint8Array([...ready, ...lie]);
  assert.equal(await fetchFromServer(V2, [LISTED, lying]), 'bad pack');
  const gaveUp = [written([payloadOf('packfile')]), bandText(BAND_ERROR, 'out of memory')];
  const over = new Uint8Array([...ready, ...gaveUp[0]!, ...gaveUp[1]!]);
  assert.equal(await fetchFromServer(V2, [LISTED, over]), 'refused');
});

test('client › an honest answer with any byte changed › an error, or the truth', async () => {
  const server = await served();
  const random = new SimRandom(5);
  for (let round = 0; round < 90; round++) {
    const change = random.below(3);
    let left = 1;
    const lie = (bytes: Uint8Array): Uint8Array => {
      if (left-- !== change) return bytes;
      const other = bytes.slice();
      other[random.below(other.length)] = random.u32();
      return other;
    };
    const mode = { version: 2, isStateless: true } as const;
    const transport: GitTransport = {
      isStateless: true,
      discover: async () => ok(piecesOf(lie(await server.uploadPack.advertise(2)))),
      async call(_service, _version, body) {
        left += 2;
        return ok(piecesOf(lie(await bytesFrom(server.uploadPack.serve(body, mode)))));
      },
      close: async () => {},
    };
    const replica = new Replica();
    const remote = new Remote({ backend: replica.backend, ...tools, connect: () => transport });
    const fetched = await remote.fetch();
    const tip = await replica.tip('refs/remotes/origin/main');
    if (fetched.ok && tip !== null) assert.equal(tip, await server.tip('refs/heads/main'));
  }
});
