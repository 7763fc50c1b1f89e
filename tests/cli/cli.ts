/** Runs the command-line tool as a user would, with its own cache. */

import { type ChildProcess, spawn } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
/** The longest wait for words of the tool: a build on a busy machine. */
const WROTE_MS_MAX = 60_000;
const MAIN = path.join(root, 'tools/cli/main.ts');
const KNOWN_TYPES = path.join(root, '.cache/types');

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A temporary directory with the given files; removed by `remove`. */
export class Workspace {
  readonly directory = mkdtempSync(path.join(tmpdir(), 'morgana-test-'));

  constructor(files: Readonly<Record<string, string>> = {}) {
    for (const [name, text] of Object.entries(files)) this.write(name, text);
    // What the compiler knows of our sources is the same for all.
    mkdirSync(this.path('.cache'));
    mkdirSync(KNOWN_TYPES, { recursive: true });
    symlinkSync(KNOWN_TYPES, this.path('.cache/types'));
  }

  path(name: string): string {
    return path.join(this.directory, name);
  }

  write(name: string, text: string): void {
    mkdirSync(path.dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), text);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true });
  }

  /** Starts the tool here. */
  start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Tool {
    const places = {
      MORGANA_CACHE: path.join(this.directory, '.cache'),
      MORGANA_RUNTIME_DIR: path.join(this.directory, '.run'),
      MORGANA_CA_DIR: path.join(this.directory, '.ca'),
    };
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: this.directory,
      env: { ...process.env, ...places, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return new Tool(child);
  }

  run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
    return this.start(args, env).ended;
  }
}

/** A running tool and what it has written. */
export class Tool {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';
  private readonly waiters = new Set<() => void>();
  private over = false;

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.wake();
    });
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      this.wake();
    });
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => {
        this.over = true;
        this.wake();
        resolve({ code, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  private wake(): void {
    for (const waiter of this.waiters) waiter();
  }

  /**
   * Resolves when what was written, both streams, matches; rejects when the tool ends before, or
   * after a minute.
   */
  wrote(pattern: RegExp): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.waiters.delete(look);
        reject(new Error(`never wrote ${pattern}:\n${this.stdout}${this.stderr}`));
      }, WROTE_MS_MAX);
      const look = (): void => {
        if (!pattern.test(this.stdout + this.stderr) && !this.over) return;
        this.waiters.delete(look);
        clearTimeout(late);
        if (pattern.test(this.stdout + this.stderr)) resolve();
        else reject(new Error(`ended without ${pattern}:\n${this.stdout}${this.stderr}`));
      };
      this.waiters.add(look);
      look();
    });
  }
}

/** A TCP port of this machine that nothing holds at the moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** Processes whose command line has `text` in it, by /proc. */
export function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(text);
      } catch {
        return false; // It ended meanwhile.
      }
    })
    .map(Number);
}

export const HELLO_SITE = { 'htdocs/index.html': '<!doctype html><title>t</title>hello\n' };
