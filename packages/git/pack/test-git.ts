/** Git itself, for tests: repositories in a temporary directory, packs made and judged by it. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SeededRandom } from '#core';
import { nodeCrypto } from '#targets/node/crypto';
import { zlib } from '#targets/node/zlib';
import type { ObjectBackend } from '../backend.ts';
import type { ObjectHash, ObjectId } from '../object-id.ts';
import { must } from '../test-must.ts';

const DATE = '1800000000 +0000';

export const tools = { crypto: nodeCrypto, zlib } as const;

export interface GitEnd {
  readonly status: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Removed in the end. */
export class TestGit {
  readonly path = mkdtempSync(join(tmpdir(), 'morgana-packs-'));
  private count = 0;

  /** A new bare repository; its path. */
  repository(hash: ObjectHash = 'SHA-1'): string {
    const path = join(this.path, String(this.count++));
    mkdirSync(path);
    const format = hash === 'SHA-1' ? 'sha1' : 'sha256';
    this.git(path, ['init', '-q', '--bare', '-b', 'main', `--object-format=${format}`]);
    return path;
  }

  run(cwd: string, args: readonly string[], input: Uint8Array | string = ''): GitEnd {
    const ended = spawnSync('git', args, {
      cwd,
      input,
      maxBuffer: 1 << 30,
      env: {
        PATH: process.env.PATH,
        HOME: this.path,
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_AUTHOR_NAME: 'A',
        GIT_AUTHOR_EMAIL: 'a@example.org',
        GIT_AUTHOR_DATE: DATE,
        GIT_COMMITTER_NAME: 'A',
        GIT_COMMITTER_EMAIL: 'a@example.org',
        GIT_COMMITTER_DATE: DATE,
      },
    });
    return { status: ended.status ?? -1, stdout: ended.stdout, stderr: String(ended.stderr) };
  }

  /** Its output; throws when git says no. */
  git(cwd: string, args: readonly string[], input: Uint8Array | string = ''): Buffer {
    const { status, stdout, stderr } = this.run(cwd, args, input);
    if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  lines(cwd: string, args: readonly string[], input: Uint8Array | string = ''): string[] {
    const text = this.git(cwd, args, input).toString('latin1').trim();
    return text === '' ? [] : text.split('\n');
  }

  /** Ids of all objects, in order. */
  allIds(cwd: string): ObjectId[] {
    const args = ['cat-file', '--batch-all-objects', '--batch-check=%(objectname)'];
    return this.lines(cwd, args).sort() as ObjectId[];
  }

  /** A repository with a history by chance: texts that change a little, branches, merges. */
  history(options: HistoryOptions): string {
    const path = this.repository(options.hash);
    this.git(path, 'fast-import --quiet'.split(' '), historyStream(options));
    return path;
  }

  close(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export interface HistoryOptions {
  readonly seed: number;
  readonly commits: number;
  readonly files: number;
  readonly hash?: ObjectHash;
  /** Of a file, about. */
  readonly lines?: number;
}

/** For `git fast-import`. */
function historyStream({ seed, commits, files, lines = 30 }: HistoryOptions): string {
  const random = new SeededRandom(seed);
  const line = () => `line ${random.below(1_000_000)} of ${random.below(50)}\n`;
  const texts = Array.from({ length: files }, () => Array.from({ length: lines }, line));
  const parts: string[] = [];
  const pathOf = (file: number) => `d${file % 7}/e${file % 3}/file-${file}.txt`;
  const blob = (file: number) => {
    const text = texts[file]!.join('');
    return `M 100644 inline ${pathOf(file)}\ndata ${text.length}\n${text}\n`;
  };
  for (let i = 1; i <= commits; i++) {
    const branch = i === 1 || random.below(4) > 0 ? 'main' : `side-${i}`;
    parts.push(`commit refs/heads/${branch}\nmark :${i}\n`);
    parts.push(
      `committer A <a@example.org> ${1_700_000_000 + i * 60} +0000\ndata 8\ncommit ${i % 10}`,
    );
    if (branch !== 'main') parts.push(`\nfrom :${1 + random.below(i - 1)}\n`);
    else if (i > 3 && random.below(8) === 0) parts.push(`\nmerge :${1 + random.below(i - 2)}\n`);
    else parts.push('\n');
    const changed = new Set(i === 1 ? texts.keys() : []);
    for (let change = random.below(4); change >= 0; change--) {
      const file = random.below(files);
      const text = texts[file]!;
      text[random.below(text.length)] = line();
      if (random.below(5) === 0) text.push(line());
      changed.add(file);
    }
    for (const file of changed) parts.push(blob(file));
  }
  parts.push(`tag v1\nfrom :1\ntagger A <a@example.org> 1700000000 +0000\ndata 4\none\n\n`);
  return parts.join('');
}

/** `bytes` in pieces of at most so many. */
export async function* piecesOf(bytes: Uint8Array, count: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += count) yield bytes.subarray(at, at + count);
}

/** Without printing thousands of ids when they differ. */
export function sameIds(actual: readonly ObjectId[], expected: readonly ObjectId[]): void {
  const [a, b] = [new Set(actual), new Set(expected)];
  const extra = [...a].filter((id) => !b.has(id));
  const missing = [...b].filter((id) => !a.has(id));
  if (extra.length + missing.length === 0) return;
  throw new Error(
    `${extra.length} too many (${extra[0]}), ${missing.length} missing (${missing[0]})`,
  );
}

/** Every object of a backend that lists them. */
export async function idsOf(backend: ObjectBackend): Promise<ObjectId[]> {
  const ids: ObjectId[] = [];
  for await (const id of backend.objectIds!()) ids.push(must(id));
  return ids;
}
