/** A fetch: refs by refspecs, their objects, tags that belong to them. Read first: remote.ts. */

import type { CryptoPrimitives, Zlib } from '#device';
import type { ObjectBackend, RefUpdate } from '../../backend.ts';
import { isRefConflict } from '../../backend.ts';
import type { ObjectId } from '../../object-id.ts';
import { TAGS } from '../../ref-name.ts';
import type { AdvertisedRef } from '../../wire/advertisement.ts';
import type { Deepening } from '../../wire/fetch-request.ts';
import { CommitGraph } from '../commit-graph.ts';
import { areReachable } from '../common.ts';
import { mapRef, matchesRef, parseRefspec, type Refspec, unmapRef } from '../refspec.ts';
import { got } from '../stop.ts';
import { errorOfRefs, Failed, noSuchRef } from './failed.ts';
import { fetchPack } from './fetch-pack.ts';
import { Haves } from './haves.ts';
import { HistoryEnds } from './history-ends.ts';
import type { RemoteRefs, Session } from './session.ts';
import { storePack } from './store-pack.ts';

export interface FetchOptions {
  readonly refspecs?: readonly string[];
  /** Tags that name what is here or comes ('follow', unless given), all of them, or none. */
  readonly tags?: 'follow' | 'all' | 'none';
  /** Refs here that the refspecs make of none there are removed. */
  readonly prune?: boolean;
  /** How much of the history; all unless given. */
  readonly deepening?: Deepening;
}

export interface FetchContext {
  readonly backend: ObjectBackend;
  readonly crypto: CryptoPrimitives;
  readonly zlib: Zlib;
  readonly turn?: () => Promise<void>;
  readonly packing?: 'small' | 'quick';
  readonly progress?: (text: string) => void;
}

export interface FetchedRef {
  /** Its name there; null when it is gone there. */
  readonly remote: string | null;
  /** Its name here. */
  readonly local: string;
  readonly from: ObjectId | null;
  readonly to: ObjectId | null;
  readonly outcome:
    | 'new'
    | 'fast-forward'
    | 'forced'
    | 'up to date'
    | 'pruned'
    /** It would lose history, or move a tag, and wasn't forced. */
    | 'rejected'
    /** Somebody else moved it meanwhile. */
    | 'moved';
}

export interface FetchReport {
  readonly refs: readonly FetchedRef[];
  /** All that the server told of, whether meant by a refspec or not. */
  readonly remoteRefs: readonly AdvertisedRef[];
  /** The branch that is the server's HEAD; null: unknown. */
  readonly head: string | null;
  /** Objects that came. */
  readonly objects: number;
  /** Where the history here ends now. */
  readonly shallow: readonly ObjectId[];
}

export async function fetchFrom(
  session: Session,
  context: FetchContext,
  options: FetchOptions & { readonly refspecs: readonly string[] },
): Promise<FetchReport> {
  const specs = options.refspecs.map((text) => {
    const spec = parseRefspec(text);
    if (!spec.ok) throw new Failed(spec.error);
    return spec.value;
  });
  return new Fetch(session, context, options, specs).run();
}

/** A ref there, and what it becomes here; null: only its objects are wanted. */
interface Target {
  readonly ref: AdvertisedRef;
  readonly local: string | null;
  readonly force: boolean;
}

class Fetch {
  private readonly session: Session;
  private readonly context: FetchContext;
  private readonly options: FetchOptions;
  private readonly specs: readonly Refspec[];
  private graph: CommitGraph;
  private ends: HistoryEnds | null = null;
  /** What refs here name, and what was brought. */
  private readonly whole = new Set<ObjectId>();
  private objects = 0;

  constructor(
    session: Session,
    context: FetchContext,
    options: FetchOptions,
    specs: readonly Refspec[],
  ) {
    this.session = session;
    this.context = context;
    this.options = options;
    this.specs = specs;
    this.graph = new CommitGraph(context.backend);
  }

  async run(): Promise<FetchReport> {
    const { backend } = this.context;
    const isDeepening = this.options.deepening !== undefined;
    this.ends = await HistoryEnds.open(backend, isDeepening);
    const there = await this.session.refs(this.prefixes());
    const targets = await this.targets(there);
    const local = new Map<string, ObjectId>();
    for (const { name, id } of got(await backend.listRefs('refs/'))) local.set(name, id);
    for (const id of local.values()) this.whole.add(id);
    await this.bring(await this.missing(targets), there.refs, local);
    const tags = await this.tags(there.refs, targets, local);
    await this.bring(await this.missing(tags), there.refs, local);
    const refs = await this.move([...targets, ...tags], there.refs, local);
    const shallow = [...this.ends.ids];
    return { refs, remoteRefs: there.refs, head: there.head, objects: this.objects, shallow };
  }

  private prefixes(): string[] {
    const prefixes = this.specs.map(({ from }) => from.split('*')[0]!);
    if ((this.options.tags ?? 'follow') !== 'none') prefixes.push(TAGS);
    return ['HEAD', ...prefixes];
  }

  private async targets(there: RemoteRefs): Promise<Target[]> {
    const targets: Target[] = [];
    for (const spec of this.specs) {
      const found = there.refs.filter(({ name }) => matchesRef(spec, name));
      if (found.length === 0 && !spec.from.includes('*')) {
        throw new Failed(noSuchRef(spec.from, (await this.session.refs([])).refs));
      }
      for (const ref of found) {
        targets.push({ ref, local: mapRef(spec, ref.name), force: spec.force });
      }
    }
    return targets;
  }

  /** What must be asked for: with a depth, all. */
  private async missing(targets: readonly Target[]): Promise<ObjectId[]> {
    const ids = new Set(targets.map(({ ref }) => ref.id));
    const here = this.options.deepening === undefined ? await this.wholeOf(ids) : [];
    for (const id of here) ids.delete(id);
    return [...ids];
  }

  /**
   * Those that are here with all that they lead to: refs lead to them. Of others only a part may be
   * here, as a fetch that broke leaves it.
   */
  private async wholeOf(ids: Iterable<ObjectId>): Promise<ObjectId[]> {
    const whole: ObjectId[] = [];
    const others = new Set<ObjectId>();
    const peeled = new Set<ObjectId>();
    for (const id of ids) {
      if (this.whole.has(id)) whole.push(id);
      else if (got(await this.context.backend.hasObject(id))) {
        others.add(id);
        peeled.add((await this.graph.peel(id))?.id ?? id);
      }
    }
    if (others.size === 0) return whole;
    const isWhole = await areReachable(this.graph, [...this.whole], peeled);
    return isWhole ? [...whole, ...others] : whole;
  }

  private async bring(
    wants: readonly ObjectId[],
    refs: readonly AdvertisedRef[],
    local: ReadonlyMap<string, ObjectId>,
  ): Promise<void> {
    if (wants.length === 0) return;
    const { backend, progress = null } = this.context;
    const ends = this.ends!;
    if (this.options.deepening !== undefined && !this.canDeepen()) {
      throw new Failed({ kind: 'not supported', what: 'give a part of its history' });
    }
    const haves = new Haves(this.graph);
    for (const id of new Set(local.values())) await haves.add(id);
    for (const id of await this.wholeOf(refs.map((ref) => ref.id))) await haves.addAdvertised(id);
    const isFirst = local.size === 0;
    const fetched = await fetchPack(
      this.session,
      {
        wants,
        shallow: [...ends.ids],
        deepening: this.options.deepening ?? null,
        thin: !isFirst,
        includeTag: (this.options.tags ?? 'follow') === 'follow',
        progress,
      },
      haves,
    );
    const told = this.options.deepening === undefined ? this.session.shallow : [];
    await ends.expect([...told, ...fetched.shallow]);
    this.objects += await this.store(fetched.bytes, isFirst, ends);
    await ends.settle(fetched.unshallow);
    // What it knew of commits may be another now.
    this.graph = new CommitGraph(backend);
    for (const id of wants) {
      if (!got(await backend.hasObject(id))) {
        throw new Failed({ kind: 'bad pack', what: `the server sent no ${id}` });
      }
      this.whole.add(id);
    }
  }

  private async store(
    pack: AsyncIterable<Uint8Array>,
    isFirst: boolean,
    ends: HistoryEnds,
  ): Promise<number> {
    try {
      return (await storePack(this.context, pack, { isFirst, shallow: ends.ids })).objects;
    } catch (error) {
      await ends.undo();
      throw error;
    }
  }

  private canDeepen(): boolean {
    return this.session.version === 2
      ? this.session.hasFeature('fetch', 'shallow')
      : this.session.can('shallow');
  }

  /** Tags that no refspec means, and that aren't here. */
  private async tags(
    refs: readonly AdvertisedRef[],
    targets: readonly Target[],
    local: ReadonlyMap<string, ObjectId>,
  ): Promise<Target[]> {
    const { tags = 'follow' } = this.options;
    if (tags === 'none') return [];
    const meant = new Set(targets.map(({ local: name }) => name));
    const found: Target[] = [];
    for (const ref of refs) {
      if (!ref.name.startsWith(TAGS) || local.has(ref.name) || meant.has(ref.name)) continue;
      const named = ref.peeled ?? ref.id;
      if (tags === 'follow' && !got(await this.context.backend.hasObject(named))) continue;
      found.push({ ref, local: ref.name, force: false });
    }
    return found;
  }

  private async move(
    targets: readonly Target[],
    refs: readonly AdvertisedRef[],
    local: ReadonlyMap<string, ObjectId>,
  ): Promise<FetchedRef[]> {
    const fates = new Map<string, FetchedRef>();
    for (const { ref, local: name, force } of targets) {
      if (name === null || fates.has(name)) continue;
      const from = local.get(name) ?? null;
      const outcome = await this.outcomeOf(name, from, ref.id, force);
      fates.set(name, { remote: ref.name, local: name, from, to: ref.id, outcome });
    }
    if (this.options.prune === true) this.prune(refs, local, fates);
    const moving = [...fates.values()].filter(({ outcome }) => MOVES.has(outcome));
    await this.update(moving, fates);
    return [...fates.values()];
  }

  private async outcomeOf(
    name: string,
    from: ObjectId | null,
    to: ObjectId,
    force: boolean,
  ): Promise<FetchedRef['outcome']> {
    if (from === null) return 'new';
    if (from === to) return 'up to date';
    const isAhead =
      !name.startsWith(TAGS) && (await areReachable(this.graph, [to], new Set([from])));
    if (isAhead) return 'fast-forward';
    return force ? 'forced' : 'rejected';
  }

  private prune(
    refs: readonly AdvertisedRef[],
    local: ReadonlyMap<string, ObjectId>,
    fates: Map<string, FetchedRef>,
  ): void {
    const there = new Set(refs.map(({ name }) => name));
    for (const [name, from] of local) {
      if (fates.has(name)) continue;
      const origins = this.specs.map((spec) => unmapRef(spec, name)).filter((one) => one !== null);
      if (origins.length === 0 || origins.some((origin) => there.has(origin))) continue;
      fates.set(name, { remote: null, local: name, from, to: null, outcome: 'pruned' });
    }
  }

  /** All at once; where one of them was moved meanwhile, one by one. */
  private async update(
    moving: readonly FetchedRef[],
    fates: Map<string, FetchedRef>,
  ): Promise<void> {
    if (moving.length === 0) return;
    const { backend } = this.context;
    const all = await backend.updateRefs(moving.map(updateOf), 'fetch');
    if (all.ok) return;
    if (!isRefConflict(all.error)) throw new Failed(errorOfRefs(all.error));
    for (const fate of moving) {
      const one = await backend.updateRefs([updateOf(fate)], 'fetch');
      if (one.ok) continue;
      if (!isRefConflict(one.error)) throw new Failed(errorOfRefs(one.error));
      if (one.error.kind !== 'moved') throw new Failed(errorOfRefs(one.error));
      fates.set(fate.local, { ...fate, outcome: 'moved' });
    }
  }
}

const MOVES: ReadonlySet<FetchedRef['outcome']> = new Set([
  'new',
  'fast-forward',
  'forced',
  'pruned',
]);

const updateOf = ({ local, from, to }: FetchedRef): RefUpdate => ({ name: local, from, to });
