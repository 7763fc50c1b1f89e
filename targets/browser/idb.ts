/**
 * IndexedDB's requests as promises that don't reject. A transaction ends by itself once a job has
 * asked for nothing more: between two requests of one nothing else may be awaited.
 */

import { err, ok, type Result } from '#core';
import type { BackendError } from '#git';

/** The value of a request. Rejects with a DOMException, which `run` makes an error of. */
export function value<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = (event) => {
      // The transaction is aborted by whoever catches it, not by an unhandled error.
      event.preventDefault();
      reject(request.error);
    };
  });
}

export function backendError(error: unknown): BackendError {
  const name = error instanceof DOMException ? error.name : '';
  switch (name) {
    case 'QuotaExceededError':
      return { kind: 'full' };
    case 'InvalidStateError':
      return { kind: 'closed' };
    default:
      return { kind: 'device', what: `IndexedDB: ${name} ${String(error)}` };
  }
}

/**
 * What `work` gives, once its transaction is on the disk; an error of `work`, or of the
 * transaction, leaves everything as it was.
 */
export async function transact<T, E>(
  database: IDBDatabase,
  names: readonly string[],
  mode: IDBTransactionMode,
  work: (transaction: IDBTransaction) => Promise<Result<T, E>>,
): Promise<Result<T, E | BackendError>> {
  try {
    // Strict: what is done when it ends survives a loss of power, with all that was done before.
    const durability = mode === 'readwrite' ? 'strict' : 'default';
    const transaction = database.transaction([...names], mode, { durability });
    const ended = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new DOMException('', 'AbortError'));
    });
    // Whoever is interested awaits it below; else it has no one to tell.
    ended.catch(() => {});
    const done = await work(transaction).catch((error: unknown) => {
      abort(transaction);
      return err(backendError(error));
    });
    if (!done.ok) {
      abort(transaction);
      return done;
    }
    if (mode === 'readwrite') await ended;
    return ok(done.value);
  } catch (error) {
    return err(backendError(error));
  }
}

function abort(transaction: IDBTransaction): void {
  try {
    transaction.abort();
  } catch {
    // It has ended already.
  }
}
