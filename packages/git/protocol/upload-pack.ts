/**
 * The server that gives packs: what `git fetch` and `git clone` talk to. Transport-free: bytes in,
 * bytes out, so that HTTP, git:// and tests carry it. Read first: gitprotocol-v2(5),
 * gitprotocol-pack(5); transport.ts. Not here: versions 0 and 1 (upload-pack-v0.ts), what goes into
 * a pack (../pack/).
 */

import type { CryptoPrimitives, Zlib } from '#device';
import type { ObjectBackend } from '../backend.ts';
import {
  type AdvertisedRef,
  advertisementPkts,
  formatOfHash,
  listedRefLine,
} from '../wire/advertisement.ts';
import { FetchArguments } from '../wire/fetch-request.ts';
import { isMark, markBytes, type Pkt, pktOf } from '../wire/pkt-line.ts';
import { capabilitiesOf, lineOf, pktLine, pktLines } from '../wire/pkt-text.ts';
import { joinBytes } from '../wire/text.ts';
import { fetchV2 } from './fetch-v2.ts';
import { CAPABILITIES_MAX, REF_PREFIXES_MAX } from './limits.ts';
import { isPktEnd, type PktRead, PktReader } from './pkt-reader.ts';
import { ALL_REFS, type RefQuestion, servedRefs, servedShallow } from './served-refs.ts';
import { formatStop, malformed, payloadIn, reasonOf, refused } from './stop.ts';
import { uploadV0 } from './upload-pack-v0.ts';

export interface UploadPackOptions {
  readonly backend: ObjectBackend;
  readonly crypto: CryptoPrimitives;
  readonly zlib: Zlib;
  /**
   * What clients may ask for: commits and tags that refs name or, as refs move between two
   * requests, reach; or any object that is here ('any'): only then there are partial clones, which
   * ask for what they left out by its id. 'reachable' unless given.
   */
  readonly allow?: 'tips' | 'reachable' | 'any';
  /**
   * 'quick': what isn't stored compressed is sent as it is, where an interpreter would take longer
   * to compress it than most networks to carry it. 'small' unless given.
   */
  readonly packing?: 'small' | 'quick';
  /**
   * Resolves in a later turn of the event loop. Asked for between two steps of much work, such as
   * finding out what goes into a pack: without it others wait until that is done.
   */
  readonly turn?: () => Promise<void>;
}

/** How a conversation goes. */
export interface ServeMode {
  readonly version: 0 | 1 | 2;
  /** One request, one answer (HTTP). */
  readonly isStateless: boolean;
}

export const AGENT = 'agent=morgana';

const V0_CAPABILITIES = [
  'multi_ack',
  'multi_ack_detailed',
  'no-done',
  'thin-pack',
  'side-band',
  'side-band-64k',
  'ofs-delta',
  'shallow',
  'deepen-since',
  'deepen-not',
  'deepen-relative',
  'no-progress',
  'include-tag',
];

/** Of a server that gives any object. */
const PARTIAL_CAPABILITIES = ['filter', 'allow-tip-sha1-in-want', 'allow-reachable-sha1-in-want'];

/** Holds nothing between conversations: one for all of a repository's clients. */
export class UploadPack {
  readonly options: UploadPackOptions;

  constructor(options: UploadPackOptions) {
    this.options = options;
  }

  /** Whoever leaves objects out must be able to ask for them later, by their ids. */
  get #isPartial(): boolean {
    return this.options.allow === 'any';
  }

  /** What is said first. Never throws. */
  async advertise(version: 0 | 1 | 2): Promise<Uint8Array> {
    const { backend } = this.options;
    const format = `object-format=${formatOfHash(backend.hash)}`;
    if (version === 2) {
      const fetch = `fetch=shallow wait-for-done${this.#isPartial ? ' filter' : ''}`;
      const capabilities = [AGENT, 'ls-refs=unborn', fetch, format];
      return bytesOf(advertisementPkts({ version, capabilities }, backend.hash));
    }
    try {
      const refs = (await servedRefs(backend, ALL_REFS)) as readonly AdvertisedRef[];
      const symbols = refs
        .filter(({ symbolic }) => symbolic !== null)
        .map(({ name, symbolic }) => `symref=${name}:${symbolic}`);
      const partial = this.#isPartial ? PARTIAL_CAPABILITIES : [];
      const capabilities = [...V0_CAPABILITIES, ...partial, ...symbols, format, AGENT];
      const shallow = await servedShallow(backend);
      const advertised = { version, capabilities, refs, have: [], shallow };
      return bytesOf(advertisementPkts(advertised, backend.hash));
    } catch (error) {
      return errorLine(formatStop(reasonOf(error)));
    }
  }

  /**
   * The answer to what comes in `request`. Faults of the client become a line for it, and the end;
   * throws only what isn't a matter of the protocol.
   */
  async *serve(
    request: AsyncIterable<Uint8Array>,
    mode: ServeMode,
  ): AsyncGenerator<Uint8Array, void, void> {
    const reader = new PktReader(request);
    try {
      if (mode.version === 2) yield* this.#commands(reader, mode.isStateless);
      else yield* uploadV0(this.options, reader, mode.isStateless);
    } catch (error) {
      const reason = reasonOf(error);
      if (reason.kind !== 'broken') yield errorLine(formatStop(reason));
    } finally {
      await reader.close();
    }
  }

  /** Commands of version 2, one after the other. */
  async *#commands(
    reader: PktReader,
    isStateless: boolean,
  ): AsyncGenerator<Uint8Array, void, void> {
    for (;;) {
      const first = await reader.next();
      if (first === 'flush' || (isPktEnd(first) && first.kind === 'end')) return;
      const head = [lineOf(payloadIn(first))];
      const mark = await collect(reader, head);
      const [command] = capabilitiesOf(head, 'command');
      this.#checkFormat(head);
      if (command === 'ls-refs') yield* this.#listRefs(reader, mark);
      else if (command === 'fetch') {
        const taken = await fetchArguments(reader, mark);
        yield* fetchV2(this.options, taken);
      } else throw refused(`unknown command ${command ?? ''}`);
      if (isStateless) return;
    }
  }

  #checkFormat(head: readonly string[]): void {
    const ours = formatOfHash(this.options.backend.hash);
    const [theirs = 'sha1'] = capabilitiesOf(head, 'object-format');
    if (theirs !== ours) {
      throw refused(`mismatched object format: server ${ours}; client ${theirs}`);
    }
  }

  async *#listRefs(
    reader: PktReader,
    mark: 'flush' | 'delim',
  ): AsyncGenerator<Uint8Array, void, void> {
    const flags = new Set<string>();
    let prefixes: string[] = [];
    let isEveryRef = false;
    for (
      let read = await argument(reader, mark);
      read !== null;
      read = await argument(reader, mark)
    ) {
      if (!read.startsWith('ref-prefix ')) flags.add(read);
      else if (prefixes.length === REF_PREFIXES_MAX) isEveryRef = true;
      else prefixes.push(read.slice(11));
      if (flags.size > CAPABILITIES_MAX) throw refused('too many arguments');
    }
    if (isEveryRef) prefixes = [];
    const question: RefQuestion = {
      prefixes,
      peel: flags.has('peel'),
      symbols: flags.has('symrefs'),
      unborn: flags.has('unborn'),
    };
    const refs = await servedRefs(this.options.backend, question);
    for (let at = 0; at < refs.length; at += REFS_AT_ONCE) {
      yield pktLines(refs.slice(at, at + REFS_AT_ONCE).map(listedRefLine));
    }
    yield markBytes('flush');
  }
}

const REFS_AT_ONCE = 256;

/** Lines up to a mark; which one it was. */
async function collect(reader: PktReader, lines: string[]): Promise<'flush' | 'delim'> {
  for (;;) {
    const read = await reader.next();
    if (read === 'flush' || read === 'delim') return read;
    if (lines.length === CAPABILITIES_MAX) throw refused('too many capabilities');
    lines.push(lineOf(payloadIn(read)));
  }
}

/** The next argument of a command; null at its end. */
async function argument(reader: PktReader, mark: 'flush' | 'delim'): Promise<string | null> {
  if (mark === 'flush') return null;
  const read: PktRead = reader.take() ?? (await reader.next());
  return read === 'flush' ? null : lineOf(payloadIn(read));
}

async function fetchArguments(reader: PktReader, mark: 'flush' | 'delim'): Promise<FetchArguments> {
  const taken = new FetchArguments();
  for (
    let line = await argument(reader, mark);
    line !== null;
    line = await argument(reader, mark)
  ) {
    takeArgument(taken, line);
  }
  return taken;
}

/** Throws Stop for what `line` shouldn't be. */
export function takeArgument(taken: FetchArguments, line: string): void {
  switch (taken.take(line)) {
    case null:
      return;
    case 'malformed':
      throw malformed(`"${line.slice(0, 80)}"`);
    case 'too many':
      throw refused(`too many lines as "${line.split(' ')[0]}"`);
    case 'unknown filter':
      throw refused(`${line.slice(0, 80)} is not known here: blob:none, blob:limit=N or tree:0`);
    case 'not offered':
      throw refused(`unexpected line: "${line.slice(0, 80)}"`);
  }
}

/** What a server says before it gives up: git shows it as "remote error". */
export const errorLine = (message: string): Uint8Array => pktLine(`ERR ${message.slice(0, 1_000)}`);

export const bytesOf = (pkts: readonly Pkt[]): Uint8Array =>
  joinBytes(pkts.map((pkt) => (isMark(pkt) ? markBytes(pkt) : pktOf(pkt))));
