/**
 * Reads per second by path, warm, from 10,000 values: a Store on a Git repository on disk (target
 * node) beside a key-value table of SQLite (node:sqlite) on the same disk, taking turns: `node
 * bench/store-reads.ts`. Every read sees what any process has written before it, on both sides.
 * SQLite twice: as it comes, and with its write-ahead log, which makes reads cheaper.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseArgs } from 'node:util';
import { millisOf, openDisk, seedRepository } from './store-disk.ts';

const { values } = parseArgs({
  options: {
    reads: { type: 'string', default: '50000' },
    rounds: { type: 'string', default: '5' },
    directory: { type: 'string', default: tmpdir() },
  },
});
const READS = Number(values.reads);
const VALUES = 10_000;
const home = mkdtempSync(join(values.directory, 'morgana-bench-'));

/** The path of the read number `k`: all of them, in an order that helps nobody. */
const pathOf = (k: number): [string, string] => {
  const at = (k * 7_919) % VALUES;
  return [`d${Math.floor(at / 100)}`, `f${at % 100}`];
};

interface Reader {
  readonly name: string;
  /** Bytes that were read. */
  run(count: number): Promise<number>;
}

function ours(): Reader {
  const path = join(home, 'store');
  seedRepository(path, 100, 100);
  const store = openDisk(path, true).repository.branch('main');
  return {
    name: 'Store',
    async run(count) {
      let bytes = 0;
      for (let k = 0; k < count; k++) {
        const found = await store.find(pathOf(k));
        if (!found.ok || found.value === undefined) throw new Error(`read ${k}`);
        bytes += (found.value as Uint8Array).length;
      }
      return bytes;
    },
  };
}

function sqlite(journal: 'delete' | 'wal'): Reader {
  const database = new DatabaseSync(join(home, `${journal}.db`));
  database.exec(`pragma journal_mode=${journal}`);
  database.exec('create table kv (k text primary key, v blob) without rowid');
  const insert = database.prepare('insert into kv values (?, ?)');
  database.exec('begin');
  for (let k = 0; k < VALUES; k++) {
    const path = pathOf(k);
    insert.run(path.join('/'), Buffer.from(`first ${path[0].slice(1)} ${path[1].slice(1)}\n`));
  }
  database.exec('commit');
  const select = database.prepare('select v from kv where k = ?');
  return {
    name: journal === 'wal' ? 'SQLite, write-ahead log' : 'SQLite',
    async run(count) {
      let bytes = 0;
      for (let k = 0; k < count; k++) {
        bytes += (select.get(pathOf(k).join('/')) as { v: Uint8Array }).v.length;
      }
      return bytes;
    },
  };
}

try {
  const readers = [ours(), sqlite('delete'), sqlite('wal')];
  const best = new Map<Reader, number>();
  const sizes = new Set<number>();
  for (const reader of readers) sizes.add(await reader.run(VALUES));
  if (sizes.size !== 1) throw new Error(`they read different bytes: ${[...sizes]}`);
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const reader of readers) {
      const start = performance.now();
      await reader.run(READS);
      best.set(reader, Math.min(best.get(reader) ?? Infinity, millisOf(start)));
    }
  }
  const own = best.get(readers[0]!)!;
  for (const reader of readers) {
    const millis = best.get(reader)!;
    const share = reader === readers[0] ? '' : `  ours is ${(millis / own).toFixed(2)} of it`;
    const rate = ((1_000 * READS) / millis).toFixed(0);
    process.stdout.write(`${reader.name.padEnd(26)}${rate.padStart(8)}/s${share}\n`);
  }
} finally {
  rmSync(home, { recursive: true });
}
