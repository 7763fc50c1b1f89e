/**
 * Asks for a pack, round after round, until the server knows enough of what is here: version 2, and
 * versions 0 and 1 where a server speaks no newer one. Read first: gitprotocol-v2(5), "fetch";
 * gitprotocol-pack(5), "Packfile Negotiation"; session.ts, haves.ts. Throws as session.ts.
 */

import { type ObjectId, parseObjectId } from '../../object-id.ts';
import {
  commandPkts,
  type Deepening,
  deepeningLines,
  type FetchFlag,
  fetchRequestLines,
} from '../../wire/fetch-request.ts';
import { isMark, markBytes, type Pkt } from '../../wire/pkt-line.ts';
import { lineOf, pktLine, pktLines, wordsOf } from '../../wire/pkt-text.ts';
import { BAND_DATA, BAND_ERROR, BAND_PROGRESS } from '../../wire/side-band.ts';
import { decodeText, joinBytes } from '../../wire/text.ts';
import {
  ANSWER_LINES_MAX,
  HAVES_FIRST,
  HAVES_IN_VAIN_MAX,
  HAVES_STEP_MAX,
  MESSAGE_BYTES_MAX,
  NEGOTIATION_ROUNDS_MAX,
} from '../limits.ts';
import type { PktReader } from '../pkt-reader.ts';
import { malformed, payloadIn, Stop } from '../stop.ts';
import { AGENT, bytesOf } from '../upload-pack.ts';
import type { Haves } from './haves.ts';
import { line, type Session } from './session.ts';

export interface PackRequest {
  readonly wants: readonly ObjectId[];
  /** Where the history here ends. */
  readonly shallow: readonly ObjectId[];
  readonly deepening: Deepening | null;
  /** The pack may leave out bases that are here. */
  readonly thin: boolean;
  /** Tags that name what is fetched may come along. */
  readonly includeTag: boolean;
  /** Text that the server shows to people, in pieces. */
  readonly progress: ((text: string) => void) | null;
}

export interface FetchedPack {
  /** What changes about where history ends. */
  readonly shallow: readonly ObjectId[];
  readonly unshallow: readonly ObjectId[];
  /** The pack, which must be read; its pieces stay as they are. May throw Stop. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

export function fetchPack(
  session: Session,
  request: PackRequest,
  haves: Haves,
): Promise<FetchedPack> {
  const fetching = session.version === 2 ? FetchV2 : FetchV0;
  return new fetching(session, request, haves).run();
}

/** What the server answered to a round of haves. */
interface Round {
  readonly reader: PktReader;
  readonly isReady: boolean;
}

/** What both ways of asking have in common. */
abstract class Fetching {
  protected readonly session: Session;
  protected readonly request: PackRequest;
  /** What the server has, as it said: told again each time, as it has no memory. */
  protected readonly common = new Set<ObjectId>();
  protected readonly shallow: ObjectId[] = [];
  protected readonly unshallow: ObjectId[] = [];
  protected lines = 0;
  private readonly haves: Haves;
  private inVain = 0;

  constructor(session: Session, request: PackRequest, haves: Haves) {
    this.session = session;
    this.request = request;
    this.haves = haves;
  }

  async run(): Promise<FetchedPack> {
    const reader = await this.negotiate();
    const { shallow, unshallow } = this;
    return { shallow, unshallow, bytes: this.pack(reader) };
  }

  /** One question; null: the server wants to hear more. */
  protected abstract askRound(haves: readonly ObjectId[]): Promise<Round | null>;
  /** The last question: the answer is read up to its pack. */
  protected abstract askLast(haves: readonly ObjectId[]): Promise<PktReader>;
  protected abstract pack(reader: PktReader): AsyncIterable<Uint8Array>;

  private async negotiate(): Promise<PktReader> {
    // Versions 0 and 1 on one stream: there is one question.
    const isOnce = this.session.version !== 2 && !this.session.transport.isStateless;
    let step = isOnce ? HAVES_IN_VAIN_MAX : HAVES_FIRST;
    let haves = await this.haves.next(step);
    for (let round = 1; haves.length > 0 && round < NEGOTIATION_ROUNDS_MAX; round++) {
      if (this.common.size > 0 && this.inVain >= HAVES_IN_VAIN_MAX) break;
      this.inVain += haves.length;
      const answer = await this.askRound(haves);
      if (answer !== null) return answer.reader;
      step = Math.min(step * 2, HAVES_STEP_MAX);
      haves = await this.haves.next(step);
    }
    return this.askLast([]);
  }

  /** The server has this one. */
  protected async took(id: ObjectId): Promise<void> {
    this.inVain = 0;
    this.common.add(id);
    await this.haves.markCommon(id);
  }

  protected async line(reader: PktReader): Promise<Pkt> {
    if (++this.lines > ANSWER_LINES_MAX) throw malformed('too many lines');
    return line(reader);
  }

  /** "shallow X" or "unshallow X". */
  protected takeShallow(text: string): boolean {
    const [word, name = ''] = text.split(' ');
    const id = parseObjectId(name);
    if (id === null || (word !== 'shallow' && word !== 'unshallow')) return false;
    (word === 'shallow' ? this.shallow : this.unshallow).push(id);
    return true;
  }

  protected flags(): FetchFlag[] {
    const flags: FetchFlag[] = ['ofs-delta'];
    if (this.request.thin) flags.push('thin-pack');
    if (this.request.includeTag) flags.push('include-tag');
    if (this.request.progress === null) flags.push('no-progress');
    return flags;
  }
}

class FetchV2 extends Fetching {
  protected async askRound(haves: readonly ObjectId[]): Promise<Round | null> {
    const reader = await this.send(haves, this.flags());
    let isReady = false;
    for (;;) {
      const section = await this.section(reader, async (text) => {
        const [word, name = ''] = text.split(' ');
        if (word === 'ready') isReady = true;
        else if (word === 'ACK') await this.took(idIn(name));
        else if (word !== 'NAK') throw malformed('neither ACK nor NAK');
      });
      if (section === 'packfile') return { reader, isReady };
      if (section !== 'flush') continue;
      await reader.close();
      return null;
    }
  }

  protected async askLast(haves: readonly ObjectId[]): Promise<PktReader> {
    const reader = await this.send(haves, [...this.flags(), 'done']);
    for (;;) {
      const section = await this.section(reader, async () => {});
      if (section === 'packfile') return reader;
      if (section === 'flush') throw malformed('an answer without a pack');
    }
  }

  private send(haves: readonly ObjectId[], flags: readonly FetchFlag[]): Promise<PktReader> {
    const { wants, shallow, deepening } = this.request;
    const all = [...this.common, ...haves];
    const lines = fetchRequestLines({ wants, haves: all, shallow, deepening, flags });
    return this.session.ask(bytesOf(commandPkts('fetch', this.session.requestHead(), lines)));
  }

  /** Reads one section: what ended it, or "packfile" once its head is read. */
  private async section(
    reader: PktReader,
    acknowledgment: (text: string) => Promise<void>,
  ): Promise<'flush' | 'delim' | 'packfile'> {
    const head = lineOf(payloadIn(await this.line(reader)));
    if (head === 'packfile') return 'packfile';
    if (head !== 'acknowledgments' && head !== 'shallow-info') throw malformed(`section ${head}`);
    for (;;) {
      const read = await this.line(reader);
      if (read === 'flush' || read === 'delim') return read;
      const text = lineOf(payloadIn(read));
      if (head === 'acknowledgments') await acknowledgment(text);
      else if (!this.takeShallow(text)) throw malformed('a line of shallow-info');
    }
  }

  protected pack(reader: PktReader): AsyncIterable<Uint8Array> {
    return bandData(reader, this.request.progress);
  }
}

/** gitprotocol-http(5): each request is the whole conversation up to then. */
class FetchV0 extends Fetching {
  protected async askRound(haves: readonly ObjectId[]): Promise<Round | null> {
    // With one stream and no end to it, all is told at once: askLast.
    if (!this.session.transport.isStateless) {
      const reader = await this.askLast(haves);
      return { reader, isReady: true };
    }
    const reader = await this.send(haves, false);
    await this.readShallow(reader);
    let isReady = false;
    for (;;) {
      const text = lineOf(payloadIn(await this.line(reader)));
      if (text === 'NAK') {
        // no-done: what follows is an ACK, and the pack.
        if (isReady && this.session.can('no-done')) continue;
        break;
      }
      const [, name = '', status = ''] = wordsOf(text);
      if (!text.startsWith('ACK ')) throw malformed('neither ACK nor NAK');
      await this.took(idIn(name));
      if (status === 'ready') isReady = true;
      if (status === '' && isReady) return { reader, isReady };
      if (status === '') break;
    }
    await reader.close();
    return null;
  }

  protected async askLast(haves: readonly ObjectId[]): Promise<PktReader> {
    const reader = await this.send(haves, true);
    await this.readShallow(reader);
    for (;;) {
      const text = lineOf(payloadIn(await this.line(reader)));
      if (text === 'NAK' || /^ACK [0-9a-f]+$/.test(text)) return reader;
      if (!text.startsWith('ACK ')) throw malformed('neither ACK nor NAK');
    }
  }

  private send(haves: readonly ObjectId[], isLast: boolean): Promise<PktReader> {
    const { session, request } = this;
    const [first, ...others] = request.wants;
    const { deepening } = request;
    const head = [`want ${first}`, ...this.capabilities()].join(' ');
    const lines = [
      head,
      ...others.map((id) => `want ${id}`),
      ...request.shallow.map((id) => `shallow ${id}`),
      ...(deepening === null ? [] : deepeningLines({ ...deepening, isRelative: false })),
    ];
    this.shallow.length = 0;
    this.unshallow.length = 0;
    const told = [...this.common, ...haves].map((id) => `have ${id}`);
    const end = isLast ? pktLine('done') : markBytes('flush');
    return session.ask(joinBytes([pktLines(lines), markBytes('flush'), pktLines(told), end]));
  }

  private capabilities(): string[] {
    const { session, request } = this;
    const wanted: string[] = [...this.flags(), 'multi_ack_detailed', 'side-band-64k'];
    if (session.transport.isStateless) wanted.push('no-done');
    if (request.deepening?.isRelative === true) wanted.push('deepen-relative');
    const has = wanted.filter((name) => session.can(name));
    return session.can('agent') ? [...has, AGENT] : has;
  }

  /** Up to a flush, where depth was asked for. */
  private async readShallow(reader: PktReader): Promise<void> {
    if (this.request.deepening === null) return;
    for (;;) {
      const read = await this.line(reader);
      if (read === 'flush') return;
      if (!this.takeShallow(lineOf(payloadIn(read)))) throw malformed('a line of shallow');
    }
  }

  protected pack(reader: PktReader): AsyncIterable<Uint8Array> {
    return this.session.can('side-band-64k')
      ? bandData(reader, this.request.progress)
      : reader.rest();
  }
}

function idIn(text: string): ObjectId {
  const id = parseObjectId(text);
  if (id === null) throw malformed('an ACK without an id');
  return id;
}

/** The data band up to its flush. Throws Stop with the server's words when it gives up. */
export async function* bandData(
  reader: PktReader,
  progress: ((text: string) => void) | null,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    for (;;) {
      const read = await line(reader);
      if (read === 'flush') return;
      if (isMark(read)) throw malformed(`a ${read} within a pack`);
      const end = Math.min(read.length, 1 + MESSAGE_BYTES_MAX);
      const text = (): string => decodeText(read, 1, end);
      switch (read[0]) {
        case BAND_DATA:
          if (read.length > 1) yield read.subarray(1);
          break;
        case BAND_PROGRESS:
          progress?.(text());
          break;
        case BAND_ERROR:
          throw new Stop({ kind: 'remote', message: text().trim() });
        default:
          throw malformed('no side band');
      }
    }
  } finally {
    await reader.close();
  }
}
