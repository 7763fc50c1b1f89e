/**
 * What a server says first: its capabilities, and in versions 0 and 1 all of its refs. Read first:
 * gitprotocol-pack(5), "Reference Discovery"; gitprotocol-v2(5), "Initial Client Request";
 * gitprotocol-http(5), "Smart Server Response". Offsets of faults count pkt-lines.
 */

import { err, ok, type Result, type WireFault } from '#core';
import { type ObjectHash, type ObjectId, parseObjectId } from '../object-id.ts';
import { isRefName } from '../ref-name.ts';
import { isMark, type Pkt } from './pkt-line.ts';
import {
  type Capabilities,
  capabilityOf,
  lineFault,
  lineOf,
  payloadOf,
  wordsOf,
} from './pkt-text.ts';

/** A ref as its server tells of it. */
export interface AdvertisedRef {
  /** HEAD, or a full name. */
  readonly name: string;
  readonly id: ObjectId;
  /** What a tag finally points at, where the server says so. */
  readonly peeled: ObjectId | null;
  /** The ref that this one is a name for, where the server says so. */
  readonly symbolic: string | null;
}

export type Advertisement =
  | {
      readonly version: 0 | 1;
      readonly capabilities: Capabilities;
      readonly refs: readonly AdvertisedRef[];
      /** Objects that a server of pushes has besides, without a name for us (".have"). */
      readonly have: readonly ObjectId[];
      readonly shallow: readonly ObjectId[];
    }
  | { readonly version: 2; readonly capabilities: Capabilities };

const NO_REFS = 'capabilities^{}';
const PEELED = '^{}';
const HAVE = '.have';

/** The ids that a server uses: SHA-1 unless it says otherwise; null for a hash unknown here. */
export function hashOfCapabilities(capabilities: Capabilities): ObjectHash | null {
  switch (capabilityOf(capabilities, 'object-format')) {
    case null:
    case 'sha1':
      return 'SHA-1';
    case 'sha256':
      return 'SHA-256';
    default:
      return null;
  }
}

export const formatOfHash = (hash: ObjectHash): string => (hash === 'SHA-1' ? 'sha1' : 'sha256');

/** The id of no object: what a ref has that isn't there. */
export const noId = (hash: ObjectHash): ObjectId =>
  '0'.repeat(hash === 'SHA-1' ? 40 : 64) as ObjectId;

/** Whether a ref's name may come over the wire. */
const isWireRef = (name: string): boolean => name === 'HEAD' || isRefName(name);

/** All pkt-lines of an advertisement, its flush (the last one) included. */
export function parseAdvertisement(pkts: readonly Pkt[]): Result<Advertisement, WireFault> {
  const first = pkts[0];
  if (first === undefined || pkts.at(-1) !== 'flush') return err(lineFault(pkts.length, undefined));
  const lines: string[] = [];
  for (let i = 0; i < pkts.length - 1; i++) {
    const pkt = pkts[i]!;
    if (isMark(pkt)) return err(lineFault(i, pkt));
    lines.push(lineOf(pkt));
  }
  if (lines[0] === 'version 2') return ok({ version: 2, capabilities: lines.slice(1) });
  return new RefLines(lines, lines[0] === 'version 1' ? 1 : 0).parse();
}

/** The lines of versions 0 and 1. */
class RefLines {
  private readonly lines: readonly string[];
  private readonly version: 0 | 1;
  private capabilities: Capabilities = [];
  private readonly refs: AdvertisedRef[] = [];
  private readonly have: ObjectId[] = [];
  private readonly shallow: ObjectId[] = [];

  constructor(lines: readonly string[], version: 0 | 1) {
    this.lines = lines;
    this.version = version;
  }

  parse(): Result<Advertisement, WireFault> {
    for (let i = this.version; i < this.lines.length; i++) {
      if (!this.line(this.lines[i]!, i === this.version)) return err(lineFault(i, undefined));
    }
    const { version, capabilities, have, shallow } = this;
    return ok({ version, capabilities, refs: this.withSymbols(), have, shallow });
  }

  private line(line: string, isFirst: boolean): boolean {
    if (line.startsWith('shallow ')) {
      const id = parseObjectId(line.slice(8));
      if (id !== null) this.shallow.push(id);
      return id !== null;
    }
    const space = line.indexOf(' ');
    const nul = isFirst ? line.indexOf('\0') : -1;
    const name = line.slice(space + 1, nul < 0 ? undefined : nul);
    if (nul >= 0) this.capabilities = wordsOf(line.slice(nul + 1));
    const id = space < 0 ? null : parseObjectId(line.slice(0, space));
    return id !== null && this.ref(name, id);
  }

  private ref(name: string, id: ObjectId): boolean {
    if (name === NO_REFS) return this.refs.length === 0;
    if (name === HAVE) {
      this.have.push(id);
      return true;
    }
    if (!name.endsWith(PEELED)) {
      this.refs.push({ name, id, peeled: null, symbolic: null });
      return isWireRef(name);
    }
    const last = this.refs.pop();
    if (last === undefined || `${last.name}${PEELED}` !== name) return false;
    this.refs.push({ ...last, peeled: id });
    return true;
  }

  /** With what "symref=HEAD:refs/heads/main" tells. */
  private withSymbols(): readonly AdvertisedRef[] {
    const targets = new Map<string, string>();
    for (const text of this.capabilities) {
      const [from, to] = text.startsWith('symref=') ? text.slice(7).split(':') : [];
      if (from !== undefined && to !== undefined && isRefName(to)) targets.set(from, to);
    }
    if (targets.size === 0) return this.refs;
    return this.refs.map((ref) => ({ ...ref, symbolic: targets.get(ref.name) ?? null }));
  }
}

/** The payloads of an advertisement, its flush included. `symref` belongs into its capabilities. */
export function advertisementPkts(advertisement: Advertisement, hash: ObjectHash): Pkt[] {
  const { version, capabilities } = advertisement;
  if (version === 2) return [payloadOf('version 2'), ...capabilities.map(payloadOf), 'flush'];
  const lines: string[] = [];
  for (const { name, id, peeled } of advertisement.refs) {
    lines.push(`${id} ${name}`);
    if (peeled !== null) lines.push(`${peeled} ${name}${PEELED}`);
  }
  for (const id of advertisement.have) lines.push(`${id} ${HAVE}`);
  if (lines.length === 0) lines.push(`${noId(hash)} ${NO_REFS}`);
  lines[0] = `${lines[0]}\0${capabilities.join(' ')}`;
  for (const id of advertisement.shallow) lines.push(`shallow ${id}`);
  if (version === 1) lines.unshift('version 1');
  return [...lines.map(payloadOf), 'flush'];
}

/** A line of the answer to ls-refs; an unborn HEAD has no id. */
export type ListedRef =
  | AdvertisedRef
  | { readonly id: null; readonly name: string; readonly symbolic: string };

/** gitprotocol-v2(5), "ls-refs". Null: malformed. Attributes that aren't known are passed over. */
export function parseListedRef(line: string): ListedRef | null {
  const [first = '', name = '', ...attributes] = line.split(' ');
  let peeled: ObjectId | null = null;
  let symbolic: string | null = null;
  for (const attribute of attributes) {
    if (attribute.startsWith('symref-target:')) symbolic = attribute.slice(14);
    else if (attribute.startsWith('peeled:')) {
      peeled = parseObjectId(attribute.slice(7));
      if (peeled === null) return null;
    }
  }
  if (!isWireRef(name) || (symbolic !== null && !isRefName(symbolic))) return null;
  if (first === 'unborn') return symbolic === null ? null : { id: null, name, symbolic };
  const id = parseObjectId(first);
  return id === null ? null : { name, id, peeled, symbolic };
}

export function listedRefLine(ref: ListedRef): string {
  if (ref.id === null) return `unborn ${ref.name} symref-target:${ref.symbolic}`;
  const symbolic = ref.symbolic === null ? '' : ` symref-target:${ref.symbolic}`;
  const peeled = ref.peeled === null ? '' : ` peeled:${ref.peeled}`;
  return `${ref.id} ${ref.name}${symbolic}${peeled}`;
}
