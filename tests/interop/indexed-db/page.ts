/** What a tab does when the test asks; bundled as an app would be. */

import { IndexedDbBackend, tools } from 'morgana/browser';
import { Repository } from 'morgana/store';
import { nameObject } from '#git';
import { backendCases } from '#git/conformance';

const author = { name: 'A', email: 'a@example.org' };

async function openBackend(name: string): Promise<IndexedDbBackend> {
  const opened = await IndexedDbBackend.open({ name });
  if (!opened.ok) throw new Error(opened.error.kind);
  return opened.value;
}

/** Names of the cases that passed; throws at the first that doesn't. */
async function conformance(): Promise<string[]> {
  const passed: string[] = [];
  for (const [i, { name, run }] of backendCases.entries()) {
    const backend = await openBackend(`case ${i}`);
    try {
      await run({ backend, crypto: tools.crypto, settle: () => Promise.resolve() });
    } catch (error) {
      throw new Error(`${name}: ${String(error)}`);
    }
    await backend.close();
    passed.push(name);
  }
  return passed;
}

let shared: IndexedDbBackend | null = null;
let told = 0;

async function watch(): Promise<void> {
  shared = await openBackend('shared');
  shared.watchRefs(() => {
    told += 1;
  });
}

function openRepository(): Repository {
  return Repository.open({ ...tools, backend: shared!, author, entropy: null });
}

/** Adds one, `times` times; others do so at the same time. */
async function count(times: number): Promise<void> {
  const repository = openRepository();
  const store = repository.branch('main');
  const encode = (n: number) => new TextEncoder().encode(String(n));
  for (let i = 0; i < times; ) {
    const read = await store.find(['count']);
    if (!read.ok) throw new Error(read.error.kind);
    const before = read.value;
    const next = encode(1 + Number(new TextDecoder().decode(before ?? encode(0))));
    const done = await store.testAndSet(['count'], before, next);
    if (done.ok) i += 1;
    else if (done.error.kind !== 'test was' && done.error.kind !== 'too many retries') {
      throw new Error(done.error.kind);
    }
  }
}

async function read(): Promise<{ readonly count: string; readonly told: number }> {
  const repository = openRepository();
  const found = await repository.branch('main').find(['count']);
  if (!found.ok) throw new Error(found.error.kind);
  return { count: new TextDecoder().decode(found.value ?? new Uint8Array()), told };
}

/** What a database of a later version does to who opens it, and to who has it open. */
async function versions(): Promise<readonly string[]> {
  const seen: string[] = [];
  const open = await openBackend('versions');
  const later = indexedDB.open('morgana:versions', 2);
  await new Promise((resolve) => {
    later.onsuccess = resolve;
  });
  const read = await open.readRef('HEAD');
  seen.push(read.ok ? 'open' : read.error.kind);
  const again = await IndexedDbBackend.open({ name: 'versions' });
  seen.push(again.ok ? 'open' : again.error.kind);
  later.result.close();
  const other = await openBackend('hashes');
  await other.close();
  const wrong = await IndexedDbBackend.open({ name: 'hashes', hash: 'SHA-256' });
  seen.push(wrong.ok ? 'open' : wrong.error.kind);
  return seen;
}

/** What a browser without room says, and what is left then. */
async function full(): Promise<readonly string[]> {
  const { put } = IDBObjectStore.prototype;
  IDBObjectStore.prototype.put = () => {
    throw new DOMException('no room', 'QuotaExceededError');
  };
  const object = nameObject(tools.crypto, 'SHA-1', 'blob', new Uint8Array(10));
  const written = await shared!.writeObjects([object]);
  const moved = await shared!.updateRefs(
    [{ name: 'refs/heads/main', from: 'any', to: object.id }],
    '',
  );
  IDBObjectStore.prototype.put = put;
  const has = await shared!.hasObject(object.id);
  const kinds = [written, moved].map((outcome) => (outcome.ok ? 'done' : outcome.error.kind));
  return [...kinds, has.ok ? String(has.value) : has.error.kind, (await read()).count];
}

Object.assign(globalThis, { tab: { conformance, watch, count, read, versions, full } });
