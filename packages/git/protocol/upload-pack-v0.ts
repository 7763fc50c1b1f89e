/**
 * Giving packs in versions 0 and 1: wants, then haves and acknowledgments until the client is done.
 * Read first: gitprotocol-pack(5), "Packfile Negotiation"; gitprotocol-capabilities(5),
 * "multi_ack"; gitprotocol-http(5), "Smart Service git-upload-pack".
 */

import type { ObjectId } from '../object-id.ts';
import { parseObjectId } from '../object-id.ts';
import {
  FetchArguments,
  type FetchFlag,
  type FetchRequest,
  parseFirstWant,
} from '../wire/fetch-request.ts';
import { markBytes } from '../wire/pkt-line.ts';
import { type Capabilities, lineOf, pktLine, pktLines } from '../wire/pkt-text.ts';
import { BAND_BYTES_MAX, OLD_BAND_BYTES_MAX } from '../wire/side-band.ts';
import { joinBytes } from '../wire/text.ts';
import { CommitGraph } from './commit-graph.ts';
import { CommonObjects } from './common.ts';
import { shallowLines, shallowOf } from './fetch-v2.ts';
import { HAVES_TOLD_MAX } from './limits.ts';
import { type AnswerForm, packAnswer } from './pack-answer.ts';
import { packFor } from './pack-for.ts';
import { isPktEnd, type PktReader } from './pkt-reader.ts';
import { malformed, payloadIn, refused } from './stop.ts';
import { takeArgument, type UploadPackOptions } from './upload-pack.ts';
import { checkWants } from './wants.ts';

export async function* uploadV0(
  options: UploadPackOptions,
  reader: PktReader,
  isStateless: boolean,
): AsyncGenerator<Uint8Array, void, void> {
  const wanted = await readWants(reader);
  if (wanted === null) return;
  const { taken, capabilities } = wanted;
  const request = taken.request();
  const graph = new CommitGraph(options.backend);
  await checkWants(options, graph, request, isStateless);
  const change = await shallowOf(options, graph, request);
  if (request.deepening !== null && change !== null) {
    const lines = shallowLines(change.shallow, change.unshallow);
    yield joinBytes([pktLines(lines), markBytes('flush')]);
  }
  const common = new CommonObjects(options.backend, graph);
  const negotiation = new Negotiation(common, request, capabilities);
  if (!(yield* negotiation.run(reader, isStateless))) return;
  const pack = await packFor(options, graph, request, common.ids, change);
  yield* packAnswer(pack.bytes, formOf(capabilities), pack.describe);
}

const FLAG_CAPABILITIES: readonly FetchFlag[] = [
  'thin-pack',
  'no-progress',
  'include-tag',
  'ofs-delta',
];

interface Wanted {
  readonly taken: FetchArguments;
  readonly capabilities: Capabilities;
}

/** Null when the client wants nothing. */
async function readWants(reader: PktReader): Promise<Wanted | null> {
  const first = await reader.next();
  if (first === 'flush' || (isPktEnd(first) && first.kind === 'end')) return null;
  const want = parseFirstWant(lineOf(payloadIn(first)));
  if (want === null) throw malformed('no want');
  const { capabilities } = want;
  const taken = new FetchArguments();
  takeArgument(taken, `want ${want.id}`);
  for (const flag of FLAG_CAPABILITIES) if (capabilities.includes(flag)) taken.set(flag);
  if (capabilities.includes('deepen-relative')) taken.deepenRelatively();
  for (;;) {
    const read = await reader.next();
    if (read === 'flush') return { taken, capabilities };
    const line = lineOf(payloadIn(read));
    // Nothing but these belongs here; "have" comes behind the flush.
    if (!/^(?:want|shallow|deepen|deepen-since|deepen-not|filter) /.test(line)) {
      throw refused(`unexpected line: "${line.slice(0, 80)}"`);
    }
    takeArgument(taken, line);
  }
}

function formOf(capabilities: Capabilities): AnswerForm {
  const progress = !capabilities.includes('no-progress');
  if (capabilities.includes('side-band-64k')) return { bandBytesMax: BAND_BYTES_MAX, progress };
  if (capabilities.includes('side-band')) return { bandBytesMax: OLD_BAND_BYTES_MAX, progress };
  return { bandBytesMax: 0, progress: false };
}

/** Haves and acknowledgments; one for each conversation. */
class Negotiation {
  private readonly common: CommonObjects;
  private readonly request: FetchRequest;
  /** How much the client wants to hear. */
  private readonly detail: 'none' | 'multi_ack' | 'detailed';
  private readonly noDone: boolean;
  private saidReady = false;
  private haves = 0;
  // Of the haves since the last flush:
  private hasCommon = false;
  private hasOther = false;

  constructor(common: CommonObjects, request: FetchRequest, capabilities: Capabilities) {
    this.common = common;
    this.request = request;
    if (capabilities.includes('multi_ack_detailed')) this.detail = 'detailed';
    else this.detail = capabilities.includes('multi_ack') ? 'multi_ack' : 'none';
    this.noDone = capabilities.includes('no-done');
  }

  /** True: the pack follows. False: the client asks again, or has gone. */
  async *run(reader: PktReader, isStateless: boolean): AsyncGenerator<Uint8Array, boolean, void> {
    for (;;) {
      const read = await reader.next();
      if (isPktEnd(read) && read.kind === 'end') return false;
      if (read === 'flush') {
        const answer = await this.flush();
        yield pktLines(answer.lines);
        if (answer.isOver) return true;
        if (isStateless) return false;
        continue;
      }
      const line = lineOf(payloadIn(read));
      if (line === 'done') {
        const { last } = this.common;
        if (last === null) yield pktLine('NAK');
        else if (this.detail !== 'none') yield pktLine(`ACK ${last}`);
        return true;
      }
      const have = line.startsWith('have ') ? parseObjectId(line.slice(5)) : null;
      if (have === null) throw malformed('neither have nor done');
      if (++this.haves > HAVES_TOLD_MAX) throw refused('too many haves');
      const answer = await this.have(have);
      if (answer !== null) yield pktLine(answer);
    }
  }

  private async have(id: ObjectId): Promise<string | null> {
    const isFirst = this.common.last === null;
    if (await this.common.take(id)) {
      this.hasCommon = true;
      if (this.detail === 'detailed') return `ACK ${id} common`;
      if (this.detail === 'multi_ack') return `ACK ${id} continue`;
      return isFirst ? `ACK ${id}` : null;
    }
    this.hasOther = true;
    if (this.detail === 'none' || !(await this.isReady())) return null;
    if (this.detail === 'multi_ack') return `ACK ${id} continue`;
    this.saidReady = true;
    return `ACK ${id} ready`;
  }

  private async flush(): Promise<{ readonly lines: readonly string[]; readonly isOver: boolean }> {
    const { last } = this.common;
    const lines: string[] = [];
    if (this.detail === 'detailed' && this.hasCommon && !this.hasOther && (await this.isReady())) {
      this.saidReady = true;
      lines.push(`ACK ${last} ready`);
    }
    if (last === null || this.detail !== 'none') lines.push('NAK');
    const isOver = this.noDone && this.saidReady;
    if (isOver) lines.push(`ACK ${last}`);
    this.hasCommon = false;
    this.hasOther = false;
    return { lines, isOver };
  }

  private isReady(): Promise<boolean> {
    return this.common.isReady(this.request.wants);
  }
}
