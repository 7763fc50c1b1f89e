/**
 * A repository in a browser's database, which all tabs of an origin share. Objects are kept as they
 * are; a change of refs is one transaction, so two tabs can't both win a compare-and-set. Tabs tell
 * each other of changes by a BroadcastChannel. Required reading: packages/git/backend.ts, idb.ts.
 *
 * Not here: packs, a collection of garbage (a browser gives and takes back room by its own rules).
 */

import { err, ok, type Result } from '#core';
import {
  type BackendError,
  type GitObject,
  isRefName,
  type NamedObject,
  type ObjectBackend,
  type ObjectHash,
  type ObjectId,
  type RefConflict,
  type RefEntry,
  RefTable,
  type RefUpdate,
  type RefValue,
  RefWatchers,
  type ShallowUpdate,
} from '#git';
import { transact, value } from './idb.ts';

/** Of the database's schema: a later one is refused, an older one will be brought up to it. */
export const DATABASE_VERSION = 1;
const OBJECTS = 'objects';
const REFS = 'refs';
const META = 'meta';
/** Ids read at once when all of them are asked for. */
const IDS_READ = 4_096;
const PREFIX = 'morgana:';

export interface IndexedDbOptions {
  /** Of the repository, within the origin. */
  readonly name: string;
  /** Of a repository that is made; another one's is refused. SHA-1 unless given. */
  readonly hash?: ObjectHash;
  /** The browser's own unless given. */
  readonly indexedDB?: IDBFactory;
}

export type IndexedDbOpenError =
  /** Another tab has an older version open, and doesn't let go of it. */
  | { readonly kind: 'busy' }
  /** A later Morgana made it. */
  | { readonly kind: 'future' }
  /** It was made for the other hash. */
  | { readonly kind: 'hash'; readonly actual: ObjectHash }
  | { readonly kind: 'device'; readonly what: string };

/** One sentence's end, without a dot. */
export function formatIndexedDbOpenError(error: IndexedDbOpenError): string {
  switch (error.kind) {
    case 'busy':
      return 'another tab has an older version of it open: close that one';
    case 'future':
      return `it is of a later format than ${DATABASE_VERSION}: reload the page`;
    case 'hash':
      return `its objects are named by ${error.actual}`;
    case 'device':
      return error.what;
  }
}

const CLOSED = err<BackendError>({ kind: 'closed' });

/** A repository in a database of the browser, which all tabs of a site share. `open` gives one. */
export class IndexedDbBackend implements ObjectBackend {
  readonly hash: ObjectHash;
  readonly #database: IDBDatabase;
  readonly #channel: BroadcastChannel;
  readonly #watchers = new RefWatchers();
  #shallow: ReadonlySet<ObjectId> = new Set();
  #isClosed = false;

  private constructor(database: IDBDatabase, hash: ObjectHash) {
    this.#database = database;
    this.hash = hash;
    this.#channel = new BroadcastChannel(database.name);
    // Where histories end is known before anybody looks where they begin.
    this.#channel.onmessage = () => void this.listShallow().then(() => this.#watchers.changed());
    // A tab with a later version waits for us: it may have it.
    database.onversionchange = () => void this.close();
    database.onclose = () => void this.close();
  }

  /** Opens the repository, or makes it. */
  static async open(
    options: IndexedDbOptions,
  ): Promise<Result<IndexedDbBackend, IndexedDbOpenError>> {
    const { name, hash = 'SHA-1', indexedDB = globalThis.indexedDB } = options;
    const opened = await openDatabase(indexedDB, PREFIX + name);
    if (!opened.ok) return opened;
    const database = opened.value;
    const kept = await transact(database, [META], 'readwrite', async (transaction) => {
      const meta = transaction.objectStore(META);
      const found: unknown = await value(meta.get('hash'));
      if (found === undefined) await value(meta.put(hash, 'hash'));
      return ok(found === 'SHA-256' || found === 'SHA-1' ? found : hash);
    });
    if (kept.ok && kept.value === hash) {
      const backend = new IndexedDbBackend(database, hash);
      await backend.listShallow();
      return ok(backend);
    }
    database.close();
    if (kept.ok) return err({ kind: 'hash', actual: kept.value });
    return err({ kind: 'device', what: JSON.stringify(kept.error) });
  }

  async readObject(id: ObjectId): Promise<Result<GitObject | null, BackendError>> {
    return this.#do([OBJECTS], 'readonly', async (transaction) => {
      const found: unknown = await value(transaction.objectStore(OBJECTS).get(id));
      return ok((found as GitObject | undefined) ?? null);
    });
  }

  async hasObject(id: ObjectId): Promise<Result<boolean, BackendError>> {
    return this.#do([OBJECTS], 'readonly', async (transaction) =>
      ok((await value(transaction.objectStore(OBJECTS).count(id))) > 0),
    );
  }

  async writeObjects(objects: readonly NamedObject[]): Promise<Result<void, BackendError>> {
    if (this.#isClosed) return CLOSED;
    if (objects.length === 0) return ok(undefined);
    return this.#do([OBJECTS], 'readwrite', async (transaction) => {
      const store = transaction.objectStore(OBJECTS);
      // A view of a large buffer would take all of it along.
      await Promise.all(
        objects.map(({ id, kind, bytes }) => value(store.put({ kind, bytes: bytes.slice() }, id))),
      );
      return ok(undefined);
    });
  }

  async readRef(name: string): Promise<Result<RefValue | null, BackendError>> {
    return this.#do<RefValue | null>([REFS, META], 'readonly', async (transaction) => {
      if (name === 'HEAD') {
        const head: unknown = await value(transaction.objectStore(META).get('head'));
        return ok({ symbolic: typeof head === 'string' ? head : 'refs/heads/main' });
      }
      const id: unknown = await value(transaction.objectStore(REFS).get(name));
      return ok(typeof id === 'string' ? { id: id as ObjectId } : null);
    });
  }

  async listRefs(prefix: string): Promise<Result<readonly RefEntry[], BackendError>> {
    return this.#do([REFS], 'readonly', async (transaction) =>
      ok((await readRefs(transaction)).list(prefix)),
    );
  }

  async updateRefs(
    updates: readonly RefUpdate[],
    _reason: string,
  ): Promise<Result<void, RefConflict | BackendError>> {
    const done = await this.#do<void, RefConflict | BackendError>(
      [REFS],
      'readwrite',
      async (transaction) => {
        const refused = (await readRefs(transaction)).check(updates);
        if (refused !== null) return err(refused);
        const store = transaction.objectStore(REFS);
        await Promise.all(
          updates.map(
            ({ name, to }): Promise<unknown> =>
              to === null ? value(store.delete(name)) : value(store.put(to, name)),
          ),
        );
        return ok(undefined);
      },
    );
    if (done.ok && updates.length > 0) this.#changed();
    return done;
  }

  async setHead(name: string): Promise<Result<void, BackendError>> {
    if (this.#isClosed) return CLOSED;
    if (!isRefName(name)) return err({ kind: 'bad name', name });
    const done = await this.#do<void>([META], 'readwrite', async (transaction) => {
      await value(transaction.objectStore(META).put(name, 'head'));
      return ok(undefined);
    });
    if (done.ok) this.#changed();
    return done;
  }

  watchRefs(changed: () => void): () => void {
    return this.#watchers.add(changed);
  }

  /** As of the last change that was made here, or that another tab told of. */
  isShallow(commit: ObjectId): boolean {
    return this.#shallow.has(commit);
  }

  async listShallow(): Promise<Result<ReadonlySet<ObjectId>, BackendError>> {
    const read = await this.#do([META], 'readonly', async (transaction) =>
      ok(await readShallow(transaction)),
    );
    if (read.ok) this.#shallow = read.value;
    return read;
  }

  async updateShallow({ add, remove }: ShallowUpdate): Promise<Result<void, BackendError>> {
    const done = await this.#do([META], 'readwrite', async (transaction) => {
      const ids = await readShallow(transaction);
      for (const id of remove) ids.delete(id);
      for (const id of add) ids.add(id);
      await value(transaction.objectStore(META).put([...ids], 'shallow'));
      return ok(ids);
    });
    if (!done.ok) return done;
    this.#shallow = done.value;
    if (!this.#isClosed) this.#channel.postMessage('shallow');
    return ok(undefined);
  }

  async *objectIds(): AsyncIterable<Result<ObjectId, BackendError>> {
    let last = '';
    for (;;) {
      const ids = await this.#do([OBJECTS], 'readonly', async (transaction) => {
        const behind = last === '' ? null : IDBKeyRange.lowerBound(last, true);
        return ok(await value(transaction.objectStore(OBJECTS).getAllKeys(behind, IDS_READ)));
      });
      if (!ids.ok) yield ids;
      if (!ids.ok || ids.value.length === 0) return;
      for (const id of ids.value) yield ok(id as ObjectId);
      last = ids.value.at(-1) as string;
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#watchers.clear();
    this.#channel.close();
    // Ends once the transactions under way have.
    this.#database.close();
  }

  #changed(): void {
    this.#watchers.changed();
    if (!this.#isClosed) this.#channel.postMessage('refs');
  }

  async #do<T, E = BackendError>(
    names: readonly string[],
    mode: IDBTransactionMode,
    work: (transaction: IDBTransaction) => Promise<Result<T, E>>,
  ): Promise<Result<T, E | BackendError>> {
    return this.#isClosed ? CLOSED : transact(this.#database, names, mode, work);
  }
}

async function readShallow(transaction: IDBTransaction): Promise<Set<ObjectId>> {
  const found: unknown = await value(transaction.objectStore(META).get('shallow'));
  return new Set(Array.isArray(found) ? (found as ObjectId[]) : []);
}

async function readRefs(transaction: IDBTransaction): Promise<RefTable> {
  const store = transaction.objectStore(REFS);
  const [names, ids] = await Promise.all([value(store.getAllKeys()), value(store.getAll())]);
  return new RefTable(names.map((name, i) => ({ name: String(name), id: ids[i] as ObjectId })));
}

function openDatabase(
  factory: IDBFactory,
  name: string,
): Promise<Result<IDBDatabase, IndexedDbOpenError>> {
  return new Promise((resolve) => {
    const request = factory.open(name, DATABASE_VERSION);
    let isOver = false;
    request.onupgradeneeded = () => {
      for (const store of [OBJECTS, REFS, META]) {
        if (!request.result.objectStoreNames.contains(store)) {
          request.result.createObjectStore(store);
        }
      }
    };
    request.onblocked = () => {
      isOver = true;
      resolve(err({ kind: 'busy' }));
    };
    request.onsuccess = () => {
      // It came to be after somebody was told that it won't.
      if (isOver) request.result.close();
      else resolve(ok(request.result));
    };
    request.onerror = () => {
      const kind = request.error?.name ?? '';
      if (kind === 'VersionError') resolve(err({ kind: 'future' }));
      else resolve(err({ kind: 'device', what: `IndexedDB: ${kind}` }));
    };
  });
}
