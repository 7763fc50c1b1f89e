import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimRandom } from '#targets/sim/index';
import { emitPkts, PKT_PAYLOAD_BYTES_MAX, type Pkt, pktOf } from '../wire/pkt-line.ts';
import { isPktEnd, type PktRead, PktReader } from './pkt-reader.ts';

const payload = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

function written(pkts: readonly Pkt[]): Uint8Array {
  const to = new Uint8Array(300_000);
  return to.slice(0, emitPkts(to, pkts));
}

async function* pieces(bytes: Uint8Array, size: () => number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + size());
    yield bytes.slice(at, end);
    at = end;
  }
}

/** All that comes; the end is the last one. */
async function readAll(reader: PktReader): Promise<PktRead[]> {
  const reads: PktRead[] = [];
  for (;;) {
    const read = await reader.next();
    reader.checkInvariants();
    reads.push(read instanceof Uint8Array ? read.slice() : read);
    if (isPktEnd(read)) return reads;
  }
}

const PKTS: readonly Pkt[] = [
  payload('want'),
  new Uint8Array(0),
  'delim',
  new Uint8Array(3_000).fill(7),
  'flush',
  payload('x'),
  'response-end',
];

test('reader › pieces of any size › the same pkt-lines', async () => {
  const bytes = written(PKTS);
  const random = new SimRandom(1);
  for (let round = 0; round < 21; round++) {
    const max = [1, 3, 4, 5, 70, 1_500, 7_000][round % 7]!;
    const reader = new PktReader(pieces(bytes, () => 1 + random.below(max)));
    assert.deepEqual(await readAll(reader), [...PKTS, { kind: 'end' }]);
    assert.equal(reader.readBytes, bytes.length);
  }
});

test('reader › cut anywhere › what was whole, then that it is short', async () => {
  const bytes = written(['delim', payload('want'), new Uint8Array(0), payload('abc')]);
  for (let cut = 0; cut < bytes.length; cut++) {
    const reads = await readAll(new PktReader(pieces(bytes.slice(0, cut), () => 3)));
    const end = reads.at(-1)!;
    assert(isPktEnd(end));
    const isBetween = [0, 4, 12, 16].includes(cut);
    assert.equal(end.kind, isBetween ? 'end' : 'fault', `cut at ${cut}`);
    if (end.kind === 'fault') assert.equal(end.fault.kind, 'short');
  }
});

test('reader › a length that is none › a fault, again and again', async () => {
  for (const text of ['0003', 'fff1', 'ffff', 'g000', '-001', '00 5', 'PACK']) {
    for (const size of [1, 4]) {
      const bytes = payload(`0005a${text}more`);
      const reader = new PktReader(pieces(bytes, () => size));
      const reads = await readAll(reader);
      assert.equal(reads.length, 2, text);
      const end = reads[1]!;
      assert(isPktEnd(end) && end.kind === 'fault' && end.fault.kind === 'field', text);
      assert.equal(await reader.next(), end);
    }
  }
});

test('reader › the longest pkt-line, and one byte more › taken, refused', async () => {
  const longest = pktOf(new Uint8Array(PKT_PAYLOAD_BYTES_MAX));
  const taken = await new PktReader(pieces(longest, () => 1_000)).next();
  assert((taken as Uint8Array).length === PKT_PAYLOAD_BYTES_MAX);
  longest.set(payload('fff1'));
  const reader = new PktReader(pieces(longest, () => 1_000));
  const refused = await reader.next();
  assert(isPktEnd(refused) && refused.kind === 'fault');
});

test('reader › the stream breaks › the reason, and nothing is thrown', async () => {
  const reason = new Error('reset');
  async function* breaking(): AsyncGenerator<Uint8Array> {
    yield payload('0005a00');
    throw reason;
  }
  const reads = await readAll(new PktReader(breaking()));
  assert.deepEqual(reads[1], { kind: 'broken', reason });
});

test('reader › what follows › comes as it is, and the source ends when nobody reads on', async () => {
  let isClosed = false;
  async function* source(): AsyncGenerator<Uint8Array> {
    try {
      yield payload('0005a0000PA');
      yield payload('CK');
      yield payload('more');
    } finally {
      isClosed = true;
    }
  }
  const reader = new PktReader(source());
  await reader.next();
  assert.equal(await reader.next(), 'flush');
  let text = '';
  for await (const piece of reader.rest()) {
    text += Buffer.from(piece).toString();
    if (text.length === 4) break;
  }
  assert.equal(text, 'PACK');
  assert(isClosed);
});
