/**
 * The server that takes packs: what `git push` talks to. Transport-free, as upload-pack.ts. A push
 * is read into a quarantine, looked at, and only then becomes objects and refs. Read first:
 * gitprotocol-pack(5), "Pushing Data To a Server"; quarantine.ts, connectivity.ts. Not here: who
 * may push (whoever joins it to a transport), which branch may go where (`accept`, the
 * application's).
 */

import { assert } from '#core';
import type { CryptoPrimitives, Zlib } from '#device';
import {
  formatBackendError,
  formatRefConflict,
  isRefConflict,
  type ObjectBackend,
} from '../backend.ts';
import { ID_BYTES, type ObjectId } from '../object-id.ts';
import { HEADS } from '../ref-name.ts';
import { type AdvertisedRef, advertisementPkts, formatOfHash } from '../wire/advertisement.ts';
import { markBytes } from '../wire/pkt-line.ts';
import { lineOf } from '../wire/pkt-text.ts';
import { PushArguments, pushReportPkts, type RefCommand } from '../wire/push-request.ts';
import { BAND_BYTES_MAX, BandPacker } from '../wire/side-band.ts';
import { joinBytes } from '../wire/text.ts';
import { CommitGraph } from './commit-graph.ts';
import { findReachable } from './common.ts';
import { followPush } from './connectivity.ts';
import {
  PUSH_BROKEN_TIPS_MAX,
  PUSH_OBJECT_BYTES_MAX,
  PUSH_OPTIONS_MAX,
  PUSH_PACK_BYTES_MAX,
  PUSH_WALK_COMMITS_MAX,
} from './limits.ts';
import { isPktEnd, PktReader } from './pkt-reader.ts';
import { Quarantine } from './quarantine.ts';
import { formatStop, malformed, payloadIn, reasonOf, refused } from './stop.ts';
import { takePush } from './unpack.ts';
import { AGENT, bytesOf, errorLine } from './upload-pack.ts';

/** One ref of a push, as an application's policy sees it. */
export interface PushedRef extends RefCommand {
  /**
   * False where history is rewritten, or may be (PUSH_WALK_COMMITS_MAX); true for new and deleted
   * refs, and for tags.
   */
  readonly isFastForward: boolean;
  readonly options: readonly string[];
}

export interface ReceivePackOptions<Pusher> {
  readonly backend: ObjectBackend;
  readonly crypto: CryptoPrimitives;
  readonly zlib: Zlib;
  /** As UploadPackOptions.turn. */
  readonly turn?: () => Promise<void>;
  /** Of the pack as it comes; PUSH_PACK_BYTES_MAX unless given. */
  readonly packBytesMax?: number;
  /** Of a push's objects, which wait in memory; PUSH_OBJECT_BYTES_MAX unless given. */
  readonly objectBytesMax?: number;
  /** Commits looked at to see what is a fast-forward; PUSH_WALK_COMMITS_MAX unless given. */
  readonly walkCommitsMax?: number;
  /** Branches may lose commits; false unless given. */
  readonly allowRewrite?: boolean;
  /**
   * The application's say on each ref, after all else was found right: null, or why not, in a few
   * words for the pusher. A rejection is "the server failed".
   */
  readonly accept?: (update: PushedRef, pusher: Pusher) => Promise<string | null> | string | null;
}

/** Why a branch stays that may well be a fast-forward. */
const TOO_FAR = 'too much history to tell a fast-forward: push fewer branches, or in steps';

const CAPABILITIES = [
  'report-status',
  'delete-refs',
  'ofs-delta',
  'side-band-64k',
  'atomic',
  'quiet',
  'push-options',
];

/** Counts of what came of pushes, over the server's life. */
export interface PushCounters {
  pushes: number;
  refsMoved: number;
  refsRefused: number;
  packsRefused: number;
}

export class ReceivePack<Pusher = undefined> {
  readonly options: ReceivePackOptions<Pusher>;
  readonly counters: PushCounters = { pushes: 0, refsMoved: 0, refsRefused: 0, packsRefused: 0 };

  constructor(options: ReceivePackOptions<Pusher>) {
    this.options = options;
  }

  /** What is said first; there is no version 2 of pushing. Never throws. */
  async advertise(version: 0 | 1): Promise<Uint8Array> {
    const { backend } = this.options;
    const branches = await backend.listRefs('refs/');
    if (!branches.ok) return errorLine(formatBackendError(branches.error));
    const refs: AdvertisedRef[] = branches.value.map(({ name, id }) => ({
      name,
      id,
      peeled: null,
      symbolic: null,
    }));
    const capabilities = [...CAPABILITIES, `object-format=${formatOfHash(backend.hash)}`, AGENT];
    const listed = await backend.listShallow?.();
    if (listed?.ok === false) return errorLine(formatBackendError(listed.error));
    const shallow = [...(listed?.value ?? [])];
    const advertised = { version, capabilities, refs, have: [], shallow };
    return bytesOf(advertisementPkts(advertised, backend.hash));
  }

  /** The answer to a push. Throws only what isn't a matter of the protocol. */
  async *serve(
    request: AsyncIterable<Uint8Array>,
    pusher: Pusher,
  ): AsyncGenerator<Uint8Array, void, void> {
    const reader = new PktReader(request);
    try {
      const push = await readPush(reader);
      if (push === null) return;
      this.counters.pushes++;
      const report = await new Push(this, push, pusher).run(reader);
      if (report !== null) yield report;
    } catch (error) {
      const reason = reasonOf(error);
      if (reason.kind !== 'broken') yield errorLine(formatStop(reason));
    } finally {
      await reader.close();
    }
  }
}

interface ReadPush {
  readonly taken: PushArguments;
  readonly options: readonly string[];
}

/** Null when nothing is asked for. */
async function readPush(reader: PktReader): Promise<ReadPush | null> {
  const taken = new PushArguments();
  for (;;) {
    const read = reader.take() ?? (await reader.next());
    if (read === 'flush') break;
    if (isPktEnd(read) && read.kind === 'end' && taken.commands.length === 0) return null;
    const line = lineOf(payloadIn(read));
    const wrong = taken.take(line);
    if (wrong === 'too many') throw refused('too many refs in one push');
    if (wrong !== null) throw malformed(`"${line.slice(0, 120)}"`);
  }
  if (taken.commands.length === 0) return null;
  const options: string[] = [];
  if (taken.capabilities.includes('push-options')) {
    for (let read = await reader.next(); read !== 'flush'; read = await reader.next()) {
      if (options.length === PUSH_OPTIONS_MAX) throw refused('too many push options');
      options.push(lineOf(payloadIn(read)));
    }
  }
  return { taken, options };
}

/** What becomes of one ref; null: moved, or about to be. */
interface Fate {
  readonly command: RefCommand;
  refusal: string | null;
}

/** One push from its commands on. */
class Push<Pusher> {
  private readonly server: ReceivePack<Pusher>;
  private readonly push: ReadPush;
  private readonly pusher: Pusher;
  private readonly quarantine: Quarantine;
  private readonly graph: CommitGraph;
  private readonly fates: readonly Fate[];
  /** What came and leads to nothing that is missing. */
  private readonly whole = new Set<ObjectId>();
  private brokenTips = 0;

  constructor(server: ReceivePack<Pusher>, push: ReadPush, pusher: Pusher) {
    const { backend, objectBytesMax = PUSH_OBJECT_BYTES_MAX } = server.options;
    const { walkCommitsMax = PUSH_WALK_COMMITS_MAX } = server.options;
    this.server = server;
    this.push = push;
    this.pusher = pusher;
    const shallow = new Set(push.taken.shallow);
    this.quarantine = new Quarantine(backend, objectBytesMax, shallow);
    this.graph = new CommitGraph(this.quarantine, walkCommitsMax);
    this.fates = push.taken.commands.map((command) => ({ command, refusal: null }));
  }

  private get isAtomic(): boolean {
    return this.push.taken.capabilities.includes('atomic');
  }

  /** The report, or null for a client that wants none. */
  async run(reader: PktReader): Promise<Uint8Array | null> {
    let unpack: string | null;
    try {
      unpack = await this.unpack(reader);
      if (unpack === null) await this.decide();
      else this.refuseAll('unpacker error');
    } finally {
      this.quarantine.drop();
    }
    const { counters } = this.server;
    for (const { refusal } of this.fates) {
      if (refusal === null) counters.refsMoved++;
      else counters.refsRefused++;
    }
    return this.report(unpack);
  }

  /** Null, or why the pack was refused. */
  private async unpack(reader: PktReader): Promise<string | null> {
    if (this.push.taken.commands.every(({ to }) => to === null)) return null;
    const { packBytesMax = PUSH_PACK_BYTES_MAX } = this.server.options;
    const pack = reader.rest();
    const unpacked = await takePush(this.quarantine, pack, this.server.options, packBytesMax);
    if (unpacked.ok) return null;
    this.server.counters.packsRefused++;
    return unpacked.why;
  }

  private async decide(): Promise<void> {
    const seen = new Set<string>();
    for (const fate of this.fates) {
      const { name } = fate.command;
      fate.refusal = seen.has(name) ? 'multiple updates for ref' : await this.judge(fate.command);
      seen.add(name);
    }
    if (this.isAtomic && this.fates.some(({ refusal }) => refusal !== null)) {
      this.refuseAll('atomic push failure');
      return;
    }
    const accepted = this.fates.filter(({ refusal }) => refusal === null);
    if (accepted.length === 0) return;
    try {
      await this.quarantine.release(await this.neededBy(accepted));
    } catch (error) {
      this.refuseAll(formatStop(reasonOf(error)));
      return;
    }
    if (this.isAtomic) await this.move(accepted);
    else for (const fate of accepted) await this.move([fate]);
  }

  /** What these refs lead to of what came, all of which is whole: one walk for all of them. */
  private async neededBy(accepted: readonly Fate[]): Promise<ReadonlySet<ObjectId>> {
    const needed = new Set<ObjectId>();
    for (const { command } of accepted) {
      if (command.to === null) continue;
      const found = await followPush(this.quarantine, command.to, needed, this.server.options.turn);
      assert(found.ok, 'what was accepted is whole');
      for (const id of found.ids) needed.add(id);
    }
    return needed;
  }

  /** Null, or why this ref can't move. */
  private async judge(command: RefCommand): Promise<string | null> {
    try {
      return await this.judgeOrStop(command);
    } catch (error) {
      return formatStop(reasonOf(error));
    }
  }

  private async judgeOrStop(command: RefCommand): Promise<string | null> {
    const { backend, allowRewrite = false, accept } = this.server.options;
    const { name, from, to } = command;
    if (to !== null && to.length !== 2 * ID_BYTES[backend.hash]) return 'an id of another hash';
    if (to === null && (await this.isHead(name))) {
      return 'deletion of the current branch prohibited';
    }
    if (to !== null) {
      const broken = await this.brokenAt(to);
      if (broken !== null) return broken;
      const isBranch = name.startsWith(HEADS);
      if (isBranch && (await this.graph.commit(to)) === null) return 'a branch must be a commit';
    }
    const isForward = await this.isFastForward(command);
    if (isForward === null && !allowRewrite) return TOO_FAR;
    if (isForward === false && !allowRewrite) return 'non-fast-forward';
    return this.askPolicy(accept, { name, from, to, isFastForward: isForward === true });
  }

  /** Null: all that `tip` leads to came, or is here. Else what is wrong. */
  private async brokenAt(tip: ObjectId): Promise<string | null> {
    if (this.brokenTips === PUSH_BROKEN_TIPS_MAX) return 'missing necessary objects';
    const found = await followPush(this.quarantine, tip, this.whole, this.server.options.turn);
    if (found.ok) for (const id of found.ids) this.whole.add(id);
    else this.brokenTips++;
    return found.ok ? null : found.reason;
  }

  private async askPolicy(
    accept: ReceivePackOptions<Pusher>['accept'],
    update: Omit<PushedRef, 'options'>,
  ): Promise<string | null> {
    if (accept === undefined) return null;
    try {
      return await accept({ ...update, options: this.push.options }, this.pusher);
    } catch {
      return 'the server failed to decide';
    }
  }

  /**
   * Null: that would take too long to find out. A branch that the client saw elsewhere is judged by
   * what it saw: it will not move anyway.
   */
  private async isFastForward({ name, from, to }: RefCommand): Promise<boolean | null> {
    if (from === null || to === null || from === to || !name.startsWith(HEADS)) return true;
    // Nothing leads to what isn't here: to look for it would be to read all of a history.
    if ((await this.graph.commit(from)) === null) return false;
    return findReachable(this.graph, [to], new Set([from]));
  }

  private async isHead(name: string): Promise<boolean> {
    const head = await this.server.options.backend.readRef('HEAD');
    return head.ok && head.value?.symbolic === name;
  }

  /** Moves these refs, all or none. */
  private async move(fates: readonly Fate[]): Promise<void> {
    const updates = fates.map(({ command }) => command);
    const moved = await this.server.options.backend.updateRefs(updates, 'push');
    if (moved.ok) return;
    const { error } = moved;
    for (const fate of fates) {
      if (!isRefConflict(error)) fate.refusal = formatBackendError(error);
      else if (error.name !== fate.command.name) fate.refusal = 'atomic push failure';
      else if (error.kind === 'moved') fate.refusal = 'it moved meanwhile (fetch first)';
      else fate.refusal = formatRefConflict(error);
    }
  }

  private refuseAll(why: string): void {
    for (const fate of this.fates) fate.refusal ??= why;
  }

  private report(unpack: string | null): Uint8Array | null {
    const { capabilities } = this.push.taken;
    if (!capabilities.includes('report-status')) return null;
    const refs = this.fates.map(({ command, refusal }) => ({
      name: command.name,
      refusal: refusal === null ? null : oneLine(refusal),
    }));
    const unpackLine = unpack === null ? null : oneLine(unpack);
    const report = bytesOf(pushReportPkts({ unpack: unpackLine, refs }));
    if (!capabilities.includes('side-band-64k')) return report;
    const packer = new BandPacker(BAND_BYTES_MAX);
    const pkts = [...packer.push(report)];
    const last = packer.end();
    if (last !== null) pkts.push(last);
    return joinBytes([...pkts, markBytes('flush')]);
  }
}

const oneLine = (text: string): string => text.replaceAll(/[\r\n\0]+/g, ' ').slice(0, 500);
