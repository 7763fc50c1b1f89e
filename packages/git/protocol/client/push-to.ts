/**
 * A push: commands, a pack of what the server lacks, its report. What would lose history there is
 * refused here already, as `git push` does. Read first: remote.ts, ../receive-pack.ts.
 */

import type { ObjectBackend, RefValue } from '../../backend.ts';
import type { ObjectId } from '../../object-id.ts';
import { HEADS, REMOTES, TAGS } from '../../ref-name.ts';
import { noId } from '../../wire/advertisement.ts';
import type { FetchFlag } from '../../wire/fetch-request.ts';
import { markBytes, type Pkt } from '../../wire/pkt-line.ts';
import { pktLines } from '../../wire/pkt-text.ts';
import { type PushReport, parsePushReport, pushRequestPkts } from '../../wire/push-request.ts';
import { CommitGraph } from '../commit-graph.ts';
import { areReachable } from '../common.ts';
import { ANSWER_LINES_MAX } from '../limits.ts';
import { packFor } from '../pack-for.ts';
import { PktReader } from '../pkt-reader.ts';
import { mapRef, matchesRef, parseRefspec, type Refspec } from '../refspec.ts';
import { got, malformed } from '../stop.ts';
import { AGENT, bytesOf } from '../upload-pack.ts';
import { Failed, noSuchRef } from './failed.ts';
import type { FetchContext } from './fetch-from.ts';
import { bandData } from './fetch-pack.ts';
import { line, type Session } from './session.ts';

export interface PushOptions {
  /** "main", "main:refs/heads/other", "+main", ":gone", "refs/heads/*:refs/heads/*". */
  readonly refspecs: readonly string[];
  /** As a "+" at each refspec. */
  readonly force?: boolean;
  /** All refs move, or none. */
  readonly atomic?: boolean;
  /** For the server's policy (git push -o). */
  readonly options?: readonly string[];
}

export interface PushedRefFate {
  readonly name: string;
  readonly from: ObjectId | null;
  readonly to: ObjectId | null;
  readonly outcome: 'new' | 'fast-forward' | 'forced' | 'deleted' | 'up to date' | 'refused';
  /**
   * Why it was refused: by us ("non-fast-forward", "fetch first", "already exists"), or by them.
   */
  readonly refusal: string | null;
}

export interface PushedRefs {
  readonly refs: readonly PushedRefFate[];
  /** Why the server didn't take the pack; null: it did, or needed none. */
  readonly unpack: string | null;
  /** Nothing was refused. */
  readonly isWhole: boolean;
}

export async function pushTo(
  session: Session,
  context: FetchContext,
  remoteName: string,
  options: PushOptions,
): Promise<PushedRefs> {
  return new PushOut(session, context, remoteName, options).run();
}

class PushOut {
  private readonly session: Session;
  private readonly context: FetchContext;
  private readonly remoteName: string;
  private readonly options: PushOptions;
  private readonly graph: CommitGraph;

  constructor(session: Session, context: FetchContext, remoteName: string, options: PushOptions) {
    this.session = session;
    this.context = context;
    this.remoteName = remoteName;
    this.options = options;
    this.graph = new CommitGraph(context.backend);
  }

  async run(): Promise<PushedRefs> {
    const { refs } = await this.session.refs([]);
    const there = new Map(refs.map(({ name, id }) => [name, id]));
    const planned = await this.plan(there);
    const { atomic = false } = this.options;
    const isStopped = atomic && planned.some(({ outcome }) => outcome === 'refused');
    const sent = isStopped ? [] : planned.filter(({ outcome }) => SENT.has(outcome));
    const report = sent.length === 0 ? null : await this.send(sent, [...there.values()]);
    const refusals = new Map(report?.refs.map(({ name, refusal }) => [name, refusal]));
    const fates = planned.map((fate): PushedRefFate => {
      if (!SENT.has(fate.outcome)) return fate;
      const refusal = isStopped ? 'atomic push failure' : refusalOf(report, refusals, fate.name);
      return refusal === null ? fate : { ...fate, outcome: 'refused', refusal };
    });
    await this.track(fates);
    const isWhole = fates.every(({ outcome }) => outcome !== 'refused');
    return { refs: fates, unpack: report?.unpack ?? null, isWhole };
  }

  private async plan(there: ReadonlyMap<string, ObjectId>): Promise<PushedRefFate[]> {
    const { backend } = this.context;
    const local = got(await backend.listRefs('refs/'));
    const fates: PushedRefFate[] = [];
    for (const text of this.options.refspecs) {
      const spec = parseRefspec(text);
      if (!spec.ok) throw new Failed(spec.error);
      const { from, to } = spec.value;
      if (from === '') {
        fates.push(await this.fate(to!, there, null, spec.value));
      } else if (from === 'HEAD') {
        const id = await headId(backend);
        if (id === null) throw new Failed(noSuchRef('HEAD', local, 'no such local ref'));
        const name = to ?? (got(await backend.readRef('HEAD'))?.symbolic as string);
        fates.push(await this.fate(name, there, id, spec.value));
      } else {
        const found = local.filter(({ name }) => matchesRef(spec.value, name));
        if (found.length === 0 && !from.includes('*')) {
          throw new Failed(noSuchRef(from, local, 'no such local ref'));
        }
        for (const { name, id } of found) {
          const target = to === null ? name : mapRef(spec.value, name)!;
          fates.push(await this.fate(target, there, id, spec.value));
        }
      }
    }
    return fates;
  }

  private async fate(
    name: string,
    there: ReadonlyMap<string, ObjectId>,
    to: ObjectId | null,
    spec: Refspec,
  ): Promise<PushedRefFate> {
    const from = there.get(name) ?? null;
    const fate = (outcome: PushedRefFate['outcome'], refusal: string | null = null) => ({
      name,
      from,
      to,
      outcome,
      refusal,
    });
    if (from === to) return to === null ? fate('refused', 'it is not there') : fate('up to date');
    if (to === null) return fate('deleted');
    if (from === null) return fate('new');
    const isForced = spec.force || this.options.force === true;
    if (name.startsWith(TAGS)) return isForced ? fate('forced') : fate('refused', 'already exists');
    if (!got(await this.context.backend.hasObject(from))) {
      return isForced ? fate('forced') : fate('refused', 'fetch first');
    }
    if (await areReachable(this.graph, [to], new Set([from]))) return fate('fast-forward');
    return isForced ? fate('forced') : fate('refused', 'non-fast-forward');
  }

  private async send(
    fates: readonly PushedRefFate[],
    theirs: readonly ObjectId[],
  ): Promise<PushReport | null> {
    const reader = await this.session.ask(this.body(fates, theirs));
    if (!this.session.can('report-status')) {
      await reader.close();
      return null;
    }
    const { progress = null } = this.context;
    const isBanded = this.session.can('side-band-64k');
    const inner = isBanded ? new PktReader(bandData(reader, progress)) : reader;
    const pkts: Pkt[] = [];
    while (pkts.at(-1) !== 'flush') {
      pkts.push(await line(inner));
      if (pkts.length > ANSWER_LINES_MAX) throw malformed('too many lines');
    }
    const report = parsePushReport(pkts);
    await inner.close();
    if (!report.ok) throw malformed('no report of a push');
    return report.value;
  }

  private async *body(
    fates: readonly PushedRefFate[],
    theirs: readonly ObjectId[],
  ): AsyncGenerator<Uint8Array, void, void> {
    const { backend } = this.context;
    const { options = [] } = this.options;
    const commands = fates.map(({ name, from, to }) => ({ name, from, to }));
    const shallow = [...(await this.graph.shallow())];
    const request = { commands, capabilities: this.capabilities(), shallow };
    yield bytesOf(pushRequestPkts(request, noId(backend.hash)));
    if (options.length > 0) {
      yield pktLines(options);
      yield markBytes('flush');
    }
    const wants = fates.flatMap(({ to }) => (to === null ? [] : [to]));
    if (wants.length === 0) return;
    const haves: ObjectId[] = [];
    for (const id of new Set(theirs)) if (got(await backend.hasObject(id))) haves.push(id);
    const flags: readonly FetchFlag[] = this.session.can('ofs-delta')
      ? ['thin-pack', 'ofs-delta']
      : ['thin-pack'];
    const asked = { wants, haves, shallow: [], deepening: null, flags };
    const pack = await packFor(this.context, this.graph, asked, haves, null);
    yield* pack.bytes;
  }

  private capabilities(): string[] {
    const { atomic = false, options = [] } = this.options;
    const need = (name: string, isNeeded: boolean, what: string): string[] => {
      if (!isNeeded) return [];
      if (!this.session.can(name)) throw new Failed({ kind: 'not supported', what });
      return [name];
    };
    const wish = ['report-status', 'side-band-64k', 'object-format'].filter((name) =>
      this.session.can(name),
    );
    const format = wish.includes('object-format') ? this.session.requestHead() : [AGENT];
    return [
      ...wish.filter((name) => name !== 'object-format'),
      ...need('atomic', atomic, 'move several refs as one'),
      ...need('push-options', options.length > 0, 'take options of a push'),
      ...format,
    ];
  }

  /** The server's branches as we know them now. */
  private async track(fates: readonly PushedRefFate[]): Promise<void> {
    const updates = fates
      .filter(({ name, outcome }) => outcome !== 'refused' && name.startsWith(HEADS))
      .map(({ name, to }) => {
        const tracking = `${REMOTES}${this.remoteName}/${name.slice(HEADS.length)}`;
        return { name: tracking, from: 'any' as const, to };
      });
    if (updates.length > 0) await this.context.backend.updateRefs(updates, 'update by push');
  }
}

const SENT: ReadonlySet<PushedRefFate['outcome']> = new Set([
  'new',
  'fast-forward',
  'forced',
  'deleted',
]);

function refusalOf(
  report: PushReport | null,
  refusals: ReadonlyMap<string, string | null>,
  name: string,
): string | null {
  // Without a report nobody says that anything went wrong.
  if (report === null) return null;
  const refusal = refusals.get(name);
  if (refusal !== undefined) return refusal;
  return report.unpack ?? 'the server reported nothing';
}

async function headId(backend: ObjectBackend): Promise<ObjectId | null> {
  const head: RefValue | null = got(await backend.readRef('HEAD'));
  if (head === null) return null;
  if (head.symbolic === undefined) return head.id;
  return got(await backend.readRef(head.symbolic))?.id ?? null;
}
