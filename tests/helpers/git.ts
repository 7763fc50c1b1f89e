/**
 * Stock Git for tests: with a home of its own, no configuration of the host's, fixed people and
 * dates. Everything is below one temporary directory that ends with the test.
 */

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { NamedObject, ObjectBackend, ObjectId } from '#git';
import { isObjectKind } from '#git';
import { leashed } from './machine.ts';

export interface GitResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const COMMAND_MILLIS_MAX = 60_000;

export class StockGit {
  readonly home = mkdtempSync(path.join(tmpdir(), 'morgana-git-'));

  remove(): void {
    rmSync(this.home, { recursive: true, force: true });
  }

  path(...names: string[]): string {
    return path.join(this.home, ...names);
  }

  env(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    return {
      PATH: process.env.PATH,
      HOME: this.home,
      LC_ALL: 'C',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_TERMINAL_PROMPT: '0',
      GIT_AUTHOR_NAME: 'Ada',
      GIT_AUTHOR_EMAIL: 'ada@example.org',
      GIT_COMMITTER_NAME: 'Ada',
      GIT_COMMITTER_EMAIL: 'ada@example.org',
      GIT_AUTHOR_DATE: '1700000000 +0000',
      GIT_COMMITTER_DATE: '1700000000 +0000',
      ...extra,
    };
  }

  /** What a command did, whatever its status. `input` goes to its standard input. */
  try(args: readonly string[], options: GitOptions = {}): Promise<GitResult> {
    return new Promise((resolve, reject) => {
      const fixed = [
        '-c',
        'init.defaultBranch=main',
        '-c',
        'gc.auto=0',
        '-c',
        'maintenance.auto=false',
      ];
      const child = spawn(...leashed('git', [...fixed, ...args]), {
        cwd: options.cwd ?? this.home,
        env: this.env(options.env),
      });
      const timer = setTimeout(
        () => child.kill('SIGKILL'),
        options.millisMax ?? COMMAND_MILLIS_MAX,
      );
      const out: Buffer[] = [];
      let stderr = '';
      child.stdout.on('data', (bytes: Buffer) => out.push(bytes));
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        stderr += text;
      });
      child.once('error', reject);
      child.once('close', (status) => {
        clearTimeout(timer);
        resolve({ status, stdout: Buffer.concat(out).toString('latin1'), stderr });
      });
      child.stdin.on('error', () => {});
      child.stdin.end(options.input ?? '');
    });
  }

  /** The output of a command that must not fail, one char code a byte, without its last LF. */
  async run(args: readonly string[], options: GitOptions = {}): Promise<string> {
    const { status, stdout, stderr } = await this.try(args, options);
    if (status !== 0) throw new Error(`git ${args.join(' ')}: status ${status}\n${stderr}`);
    return stdout.replace(/\n$/, '');
  }
}

export interface GitOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string | Uint8Array;
  /** It is killed then; COMMAND_MILLIS_MAX unless given. */
  readonly millisMax?: number;
}

/** All objects and refs of a repository on disk, into `backend`; HEAD too. */
export async function loadRepository(
  git: StockGit,
  folder: string,
  backend: ObjectBackend,
): Promise<void> {
  const list = ['cat-file', '--batch', '--batch-all-objects'];
  const bytes = Buffer.from(await git.run(list, { cwd: folder }), 'latin1');
  const objects: NamedObject[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(10, at);
    const [id = '', kind = '', size] = bytes.toString('latin1', at, end).split(' ');
    const next = end + 1 + Number(size);
    if (!isObjectKind(kind)) throw new Error(`${id}: ${kind}`);
    objects.push({
      id: id as ObjectId,
      kind,
      bytes: new Uint8Array(bytes.subarray(end + 1, next)),
    });
    at = next + 1;
  }
  await backend.writeObjects(objects);
  const refs = (
    await git.run(['for-each-ref', '--format=%(objectname) %(refname)'], { cwd: folder })
  )
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(' ') as [ObjectId, string]);
  const updates = refs.map(([to, name]) => ({ name, from: null, to }));
  const moved = await backend.updateRefs(updates, 'load');
  if (!moved.ok) throw new Error(moved.error.kind);
  await backend.setHead(await git.run(['symbolic-ref', 'HEAD'], { cwd: folder }));
}

/**
 * For fast-import: a line of commits on main, each with one file of 21, the branch "early" at the
 * tenth, a tag of each kind.
 */
export function linearHistory(commits: number): string {
  const lines: string[] = [];
  for (let i = 1; i <= commits; i++) {
    const text = `line ${i}\n`.repeat(30 + (i % 50));
    const when = 1_600_000_000 + i * 1_000;
    lines.push('commit refs/heads/main', `mark :${i}`, `committer A <a@b> ${when} +0000`);
    lines.push('data 1', 'm');
    lines.push(`M 100644 inline dir${i % 3}/file${i % 7}`, `data ${text.length}`, text);
  }
  lines.push('reset refs/heads/early', 'from :10');
  lines.push('tag v1', 'from :20', 'tagger A <a@b> 1600000000 +0000', 'data 3', 'one');
  lines.push('reset refs/tags/light', 'from :5');
  return `${lines.join('\n')}\n`;
}
