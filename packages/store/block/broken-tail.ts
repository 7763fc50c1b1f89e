/**
 * What stands where the log ends and isn't whole: what was being written when the power went, or
 * what rotted since. The second is certain when it was flushed, and then the store is damaged: what
 * was acknowledged is lost. Read first: stream-scan.ts, log.ts.
 *
 * A change of refs is flushed before anything else is written, and stands behind the objects that
 * come with it. So a batch that begins with something else says that those before it were flushed,
 * if a change of refs is the last that they have. Of the very last batch nothing says so.
 */

import { hot, ok, type Result } from '#core';
import type { StoreFault } from './fault.ts';
import { BROKEN_BATCHES_MAX, SCAN_BYTES } from './limits.ts';
import type { ScanOptions } from './stream-scan.ts';
import type { StreamEnd } from './stream-writer.ts';
import { BATCH_HEAD_BYTES, BatchSum, parseBatchHead } from './wire/batch.ts';
import { SUM_BYTES, sha256 } from './wire/checksum.ts';
import { parseRecord, parseRecordHead } from './wire/record.ts';

export interface BrokenTail {
  /** Of the batch that isn't whole, and of those behind it; 0: there is none. */
  readonly bytes: number;
  readonly wasFlushed: boolean;
}

/** `end`: where the batches that are whole end. */
export async function brokenTail(
  options: Omit<ScanOptions, 'record'>,
  end: Readonly<StreamEnd>,
): Promise<Result<BrokenTail, StoreFault>> {
  const { geometry } = options.disk;
  let { place, sequence, chain } = end;
  let bytes = 0;
  let endsWithRefs = false;
  for (let count = 0; count < BROKEN_BATCHES_MAX; count++) {
    const read = await batchAt(options, { place, sequence, chain });
    if (!read.ok) return read;
    const batch = read.value;
    // The first one isn't whole, as is known; what is behind it is of another time unless it is.
    if (batch === null || (count > 0 && !batch.isWhole)) break;
    if (count > 0 && endsWithRefs && !batch.beginsWithRefs) return ok({ bytes, wasFlushed: true });
    endsWithRefs = batch.endsWithRefs;
    const batchBytes = geometry.roundUp(BATCH_HEAD_BYTES + batch.bodyBytes);
    bytes += batchBytes;
    place = options.disk.advance(place, batchBytes);
    sequence += 1;
    chain = batch.chain;
  }
  return ok({ bytes, wasFlushed: false });
}

interface Batch {
  readonly bodyBytes: number;
  readonly chain: Uint8Array;
  readonly isWhole: boolean;
  readonly beginsWithRefs: boolean;
  readonly endsWithRefs: boolean;
}

/** Null: nothing that is the next batch. */
async function batchAt(
  { disk, crypto, idBytes }: Omit<ScanOptions, 'record'>,
  { place, sequence, chain: before }: Readonly<StreamEnd>,
): Promise<Result<Batch | null, StoreFault>> {
  const headBytes = await disk.read(place, BATCH_HEAD_BYTES);
  if (!headBytes.ok) return headBytes;
  const head = parseBatchHead(headBytes.value);
  if (!head.ok || head.value.sequence !== sequence) return ok(null);
  const { bodyBytes, chain } = head.value;
  if (BATCH_HEAD_BYTES + bodyBytes > disk.room(place)) return ok(null);
  // A bigger one is one object, or many refs: nothing is said of those.
  const known = Math.min(bodyBytes, SCAN_BYTES);
  const body = await disk.read(disk.advance(place, BATCH_HEAD_BYTES), known);
  if (!body.ok) return body;
  const sum = new BatchSum(crypto, before, { bodyBytes, sequence });
  sum.update(body.value);
  const isWhole = known === bodyBytes && hot.equal(sum.digest(), 0, chain, 0, SUM_BYTES);
  const kinds = kindsOf(body.value, idBytes, sha256(crypto));
  return ok({
    bodyBytes,
    chain,
    isWhole,
    beginsWithRefs: kinds[0] !== 'object',
    endsWithRefs: known === bodyBytes && kinds.at(-1) === 'refs',
  });
}

/** Of each record, by its own checksum; those of refs and objects apart, and what isn't whole. */
function kindsOf(
  body: Uint8Array,
  idBytes: number,
  checksum: ReturnType<typeof sha256>,
): ('refs' | 'object' | 'other')[] {
  const kinds: ('refs' | 'object' | 'other')[] = [];
  for (let at = 0; at < body.length; ) {
    const head = parseRecordHead(body, at, idBytes);
    const record = head.ok ? parseRecord(checksum, body, at, idBytes) : head;
    if (!record.ok) kinds.push('other');
    else if (head.ok && head.value.kind === 'refs') kinds.push('refs');
    else kinds.push(head.ok && head.value.kind !== 'snapshot' ? 'object' : 'other');
    if (!head.ok) break;
    at += head.value.recordBytes;
  }
  return kinds;
}
