/** A repository in memory for tests, with a clock that goes on a second a commit. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { type Result, type SeededRandom, wallTimeOfMillis } from '#core';
import type { Entropy } from '#device';
import { MemoryBackend, type ObjectBackend, objectHeader } from '#git';
import { nodeCrypto } from '#targets/node/crypto';
import type { RawShape } from './raw-schema.ts';
import { Repository } from './repository.ts';

export const START_SECONDS = 1_800_000_000;

/** What a result holds; throws what went wrong. */
export function value<T>(result: Result<T, unknown>): T {
  if (result.ok) return result.value;
  throw new Error(JSON.stringify(result.error));
}

/** The kind of what went wrong; 'ok' when nothing did. */
export const kindOf = (result: Result<unknown, { readonly kind: string }>): string =>
  result.ok ? 'ok' : result.error.kind;

export async function all<T>(items: AsyncIterable<Result<T, unknown>>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(value(item));
  return found;
}

/** Without `entropy`, the commits' bytes depend on what is done alone. */
export function testRepository(
  backend: ObjectBackend = new MemoryBackend(),
  entropy: Entropy | null = null,
): Repository<RawShape> {
  let seconds = START_SECONDS;
  return Repository.open({
    backend,
    crypto: nodeCrypto,
    clock: { wall: () => wallTimeOfMillis(seconds++ * 1_000) },
    author: { name: 'Ada', email: 'ada@example.org' },
    entropy,
  });
}

/** The same bytes for the same seed. */
export const entropyOf = (random: SeededRandom): Entropy => ({
  fill(out) {
    for (let i = 0; i < out.length; i++) out[i] = random.below(256);
  },
});

/** Everything of `backend` in Git's own files, in a bare repository that `git init` made. */
export async function exportLoose(backend: ObjectBackend, directory: string): Promise<void> {
  for (const id of await all(backend.objectIds!())) {
    const { kind, bytes } = value(await backend.readObject(id))!;
    const path = join(directory, 'objects', id.slice(0, 2), id.slice(2));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, deflateSync(Buffer.concat([objectHeader(kind, bytes.length), bytes])));
  }
  for (const { name, id } of value(await backend.listRefs(''))) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), `${id}\n`);
  }
}
