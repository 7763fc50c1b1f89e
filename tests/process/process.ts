/** Images of target process, run as users run them. Every one ends with the test, or by itself. */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { formatBuildFault, linkImage } from '#targets/base/build';
import { leashed, output } from '../helpers/machine.ts';

const ROOT = path.join(import.meta.dirname, '../..');
export const BASE_ELF = path.join(ROOT, 'build/base/process.elf');
const LIFE_MILLIS_MAX = 60_000;

/** Why nothing can be run here; false when it can: the `skip` of node:test. */
export const cannotRun: string | false = existsSync(BASE_ELF)
  ? false
  : 'build/base/process.elf is missing: npm run setup';

function place(name: string): string {
  const folder = path.join(ROOT, 'build/tests');
  mkdirSync(folder, { recursive: true });
  return path.join(folder, `${name}-${process.pid}.elf`);
}

/** Links tests/process/images/NAME.ts; returns the image's path. */
export async function linkTestImage(name: string): Promise<string> {
  const output = place(name);
  const built = await linkImage({
    entry: { file: path.join(import.meta.dirname, `images/${name}.ts`) },
    contents: [],
    baseElf: BASE_ELF,
    bytecodeTool: path.join(ROOT, 'build/base/bytecode'),
    output,
  });
  if (!built.ok) throw new Error(formatBuildFault(built.error));
  return output;
}

/** Builds an application as users do; returns the image's path. */
export async function buildProcess(app: string): Promise<string> {
  const image = place(path.basename(app));
  const tool = path.join(ROOT, 'tools/cli/main.ts');
  const words = [tool, 'build', app, '--target=process', `--output=${image}`];
  await output(process.execPath, words);
  return image;
}

export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly console: string;
}

/** A running image. */
export class Running {
  readonly pid: number;
  readonly ended: Promise<End>;
  console = '';
  private readonly child: ChildProcess;
  private readonly watchers = new Set<() => void>();
  private over = false;

  /** `enter`: words before the command, to enter a namespace. */
  constructor(image: string, words: readonly string[], enter: readonly string[] = []) {
    const [command = '', ...rest] = [...enter, image, ...words];
    this.child = spawn(...leashed(command, rest), { stdio: ['ignore', 'pipe', 'pipe'] });
    this.pid = this.child.pid ?? 0;
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.console += text;
        for (const watcher of this.watchers) watcher();
      });
    }
    this.ended = new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.child.kill('SIGKILL'), LIFE_MILLIS_MAX);
      this.child.once('error', reject);
      this.child.once('close', (code, signal) => {
        clearTimeout(timer);
        this.over = true;
        for (const watcher of this.watchers) watcher();
        resolve({ code, signal, console: this.console });
      });
    });
  }

  /** Resolves when the console matches; rejects when it ends before. */
  wrote(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = pattern.exec(this.console);
        if (found === null && !this.over) return;
        this.watchers.delete(look);
        if (found !== null) resolve(found);
        else reject(new Error(`ended without ${pattern}:\n${this.console}`));
      };
      this.watchers.add(look);
      look();
    });
  }

  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<End> {
    this.child.kill(signal);
    return await this.ended;
  }
}
