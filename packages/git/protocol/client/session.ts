/**
 * A client's conversation with one server: what the server is, its refs, and each answer as
 * pkt-lines. Read first: ../transport.ts, ../../wire/advertisement.ts. Throws Stop and Unreached,
 * for remote.ts to make values of.
 */

import type { ObjectHash, ObjectId } from '../../object-id.ts';
import {
  type AdvertisedRef,
  type Advertisement,
  formatOfHash,
  hashOfCapabilities,
  parseAdvertisement,
  parseListedRef,
} from '../../wire/advertisement.ts';
import { commandPkts } from '../../wire/fetch-request.ts';
import type { Pkt } from '../../wire/pkt-line.ts';
import {
  type Capabilities,
  capabilityOf,
  hasCapability,
  lineOf,
  wordsOf,
} from '../../wire/pkt-text.ts';
import { ADVERTISED_REFS_MAX, REF_PREFIXES_ASKED_MAX } from '../limits.ts';
import { PktReader } from '../pkt-reader.ts';
import { malformed, payloadIn, Stop } from '../stop.ts';
import type { GitService, GitTransport, TransportError } from '../transport.ts';
import { AGENT, bytesOf } from '../upload-pack.ts';

/** A transport's error on its way out. */
export class Unreached extends Error {
  override readonly name = 'Unreached';
  readonly error: TransportError;

  constructor(error: TransportError) {
    super(error.kind);
    this.error = error;
  }
}

export interface RemoteRefs {
  readonly refs: readonly AdvertisedRef[];
  /** The branch that HEAD is, also when it has no commit yet; null: unknown, or none. */
  readonly head: string | null;
}

export class Session {
  readonly transport: GitTransport;
  readonly service: GitService;
  readonly version: 0 | 1 | 2;
  readonly capabilities: Capabilities;
  readonly hash: ObjectHash | null;
  /** Where the server's history ends, as versions 0 and 1 tell at once. */
  readonly shallow: readonly ObjectId[];
  readonly #advertised: readonly AdvertisedRef[];

  private constructor(transport: GitTransport, service: GitService, advertisement: Advertisement) {
    const { version, capabilities } = advertisement;
    this.transport = transport;
    this.service = service;
    this.version = version;
    this.capabilities = capabilities;
    this.hash = hashOfCapabilities(capabilities);
    this.shallow = advertisement.version === 2 ? [] : advertisement.shallow;
    this.#advertised = advertisement.version === 2 ? [] : advertisement.refs;
  }

  /** `version` is the newest that is asked for; the server chooses. */
  static async open(
    transport: GitTransport,
    service: GitService,
    version: 0 | 1 | 2,
  ): Promise<Session> {
    const answer = await transport.discover(service, version);
    if (!answer.ok) throw new Unreached(answer.error);
    const reader = new PktReader(answer.value);
    const pkts: Pkt[] = [];
    for (let read = await line(reader); ; read = await line(reader)) {
      pkts.push(read);
      if (read === 'flush') break;
      // Peeled tags take a line of their own.
      if (pkts.length > 2 * ADVERTISED_REFS_MAX) throw malformed('too many refs');
    }
    const advertisement = parseAdvertisement(pkts);
    if (!advertisement.ok) throw malformed(`line ${advertisement.error} of the advertisement`);
    return new Session(transport, service, advertisement.value);
  }

  /** Whether the server of version 2 has `feature` of `command` ("fetch=shallow filter"). */
  hasFeature(command: string, feature: string): boolean {
    return wordsOf(capabilityOf(this.capabilities, command) ?? '').includes(feature);
  }

  can(capability: string): boolean {
    return hasCapability(this.capabilities, capability);
  }

  /** Refs whose names begin with one of `prefixes` at least; there may be others among them. */
  async refs(prefixes: readonly string[]): Promise<RemoteRefs> {
    if (this.version !== 2) {
      const head = this.#advertised.find(({ name }) => name === 'HEAD')?.symbolic ?? null;
      return { refs: this.#advertised, head };
    }
    const unborn = this.hasFeature('ls-refs', 'unborn') ? ['unborn'] : [];
    const asked = prefixes.length > REF_PREFIXES_ASKED_MAX ? [] : prefixes;
    const lines = ['peel', 'symrefs', ...unborn, ...asked.map((prefix) => `ref-prefix ${prefix}`)];
    const reader = await this.ask(bytesOf(commandPkts('ls-refs', this.requestHead(), lines)));
    const refs: AdvertisedRef[] = [];
    let head: string | null = null;
    for (let read = await line(reader); read !== 'flush'; read = await line(reader)) {
      const ref = parseListedRef(lineOf(payloadIn(read)));
      if (ref === null) throw malformed('a line of ls-refs');
      if (ref.name === 'HEAD') head = ref.symbolic;
      if (ref.id !== null) refs.push(ref);
      if (refs.length > ADVERTISED_REFS_MAX) throw malformed('too many refs');
    }
    await reader.close();
    return { refs, head };
  }

  /** The capabilities that go with each command of version 2. */
  requestHead(): string[] {
    const format = this.can('object-format') ? [`object-format=${formatOfHash(this.hash!)}`] : [];
    return [...(this.can('agent') ? [AGENT] : []), ...format];
  }

  /** Sends a request and gives its answer. */
  ask(body: Uint8Array | AsyncIterable<Uint8Array>): Promise<PktReader> {
    return this.askWith(body instanceof Uint8Array ? once(body) : body);
  }

  private async askWith(body: AsyncIterable<Uint8Array>): Promise<PktReader> {
    const answer = await this.transport.call(this.service, this.version, body);
    if (!answer.ok) throw new Unreached(answer.error);
    return new PktReader(answer.value);
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield bytes;
}

/** The next pkt-line; throws Stop for an end, and for what a server says before it gives up. */
export async function line(reader: PktReader): Promise<Pkt> {
  const read = reader.take() ?? (await reader.next());
  if (typeof read === 'string') return read;
  const payload = payloadIn(read);
  if (isError(payload)) {
    throw new Stop({ kind: 'remote', message: lineOf(payload).slice(4) });
  }
  return payload;
}

/** "ERR ", gitprotocol-pack(5). */
const isError = (b: Uint8Array): boolean =>
  b.length >= 4 && b[0] === 0x45 && b[1] === 0x52 && b[2] === 0x52 && b[3] === 0x20;
