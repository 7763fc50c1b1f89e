/**
 * Applications booted as users boot them: built and started with the tool's own command lines.
 * Every machine ends with the test, or after LIFE_MILLIS_MAX.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { imageExitCode, qemuArguments } from '../../tools/cli/qemu.ts';
import { freePort } from '../cli/cli.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const LIFE_MILLIS_MAX = 180_000;

/** Why nothing can be booted here; false when it can: the `skip` of node:test. */
export const cannotBoot: string | false = existsSync(path.join(ROOT, 'build/base/base.elf'))
  ? false
  : 'build/base/base.elf is missing: npm run setup';

/**
 * A command that is killed when this process dies, however it dies: setpriv is in Debian's
 * util-linux, which no Debian lacks.
 */
export const leashed = (command: string, args: readonly string[]): [string, string[]] => [
  'setpriv',
  ['--pdeathsig', 'KILL', '--', command, ...args],
];

/** The output of a command; rejects with its complaint when it fails. */
export function output(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(...leashed(command, args), { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let complaint = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint += text;
    });
    child.once('error', reject);
    child.once('close', (status) => {
      if (status === 0) resolve(out);
      else reject(new Error(`${command} ${args.join(' ')}: status ${status}\n${out}${complaint}`));
    });
  });
}

/**
 * Builds an application (absolute or below the repository); returns the image's path. `flags` are
 * of `morgana build`. An image of the repository's own files is built once for all tests, and stays
 * until these files change; any other goes with this process.
 */
export async function buildImage(app: string, ...flags: string[]): Promise<string> {
  const folder = path.join(ROOT, 'build/tests');
  mkdirSync(folder, { recursive: true });
  const from = path.resolve(ROOT, app);
  const kind = flags.map((flag) => flag.replace(/^--\w+=/, '-').replaceAll('/', '_')).join('');
  const suffix = flags.includes('--target=node') ? 'mjs' : 'img';
  const isShared = isRepeatable(from, flags);
  const name = isShared
    ? path.relative(ROOT, from).replaceAll('/', '_')
    : `${path.basename(from)}-${process.pid}`;
  const image = path.join(folder, `${name}${kind}.${suffix}`);
  const tool = path.join(ROOT, 'tools/cli/main.ts');
  const words = (file: string) => [tool, 'build', from, `--output=${file}`, ...flags];
  if (!isShared) {
    process.once('exit', () => rmSync(image, { force: true }));
    await output(process.execPath, words(image));
    return image;
  }
  const built = [process.execPath, ...words(`${image}.part`)];
  await output('flock', [`${image}.lock`, 'sh', '-c', ONCE, image, stateOf(), ...built]);
  return image;
}

/**
 * Of image $0 and state $1: makes the image by the command that follows, unless it is of that
 * state. Whoever comes second waits for the first, and finds it there.
 */
const ONCE = `state=$1; shift
[ -e "$0" ] && [ "$(cat "$0.state" 2>/dev/null)" = "$state" ] && exit
rm -f "$0.state" && "$@" && mv "$0.part" "$0" && echo "$state" >"$0.state"`;

/** Whether an image depends on files of the repository alone. */
const isRepeatable = (app: string, flags: readonly string[]): boolean =>
  app.startsWith(ROOT + path.sep) &&
  flags.every((flag) => /^--(target|net|inspect)=\w+$/.test(flag));

/** Of what an image can be made from: names, sizes and times of all files, as a hash. */
function stateOf(): string {
  const hash = createHash('sha256');
  const rooms = ['{packages,targets,tools,tests,examples,build/base}/**/*', 'package*.json'];
  for (const name of globSync(rooms, { cwd: ROOT }).sort()) {
    const stat = statSync(path.join(ROOT, name), { throwIfNoEntry: false });
    if (stat?.isFile()) hash.update(`${name} ${stat.size} ${stat.mtimeMs}\n`);
  }
  return hash.digest('hex').slice(0, 16);
}

export interface MachineOptions {
  readonly image: string;
  readonly machine?: 'microvm' | 'q35';
  readonly memoryMib?: number;
  readonly bootArguments?: readonly string[];
  /** QEMU's -netdev with id n0 instead of user networking; what is added to the net device. */
  readonly link?: { readonly netdev: string; readonly device: string };
  /** Wraps QEMU's command line, to enter a namespace. */
  readonly enter?: readonly string[];
}

/** What a machine that ended left behind. */
export interface MachineEnd {
  /** The image's exit code; null when QEMU was killed or failed. */
  readonly code: number | null;
  readonly console: string;
}

/** A running machine. */
export class Machine {
  readonly url: string;
  readonly pid: number;
  readonly ended: Promise<MachineEnd>;
  console = '';
  private readonly child: ChildProcess;
  private readonly watchers = new Set<() => void>();
  private over = false;

  /** Starts a command; `codeOf` says which code of the image its exit status stands for. */
  constructor(
    words: readonly string[],
    url: string,
    codeOf: (status: number) => number | null,
    env: NodeJS.ProcessEnv = process.env,
  ) {
    this.url = url;
    const [command = '', ...rest] = words;
    this.child = spawn(...leashed(command, rest), { stdio: ['ignore', 'pipe', 'pipe'], env });
    this.pid = this.child.pid ?? 0;
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.console += text.replaceAll('\r', '');
        for (const watcher of this.watchers) watcher();
      });
    }
    this.ended = new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.child.kill('SIGKILL'), LIFE_MILLIS_MAX);
      this.child.once('error', reject);
      this.child.once('close', (status) => {
        clearTimeout(timer);
        this.over = true;
        for (const watcher of this.watchers) watcher();
        const code = status === null ? null : codeOf(status);
        resolve({ code, console: this.console });
      });
    });
  }

  /** Resolves when the console matches; rejects when the machine ends before. */
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

  async stop(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }
}

function commandLine(options: MachineOptions, port: number): string[] {
  const words = qemuArguments({
    image: options.image,
    machine: options.machine ?? 'microvm',
    accelerator: 'tcg',
    memoryMib: options.memoryMib ?? 8,
    publish: [{ hostAddress: '127.0.0.1', hostPort: port, guestPort: 80, protocol: 'tcp' }],
    bootArguments: options.bootArguments ?? [],
  });
  const { link } = options;
  if (link === undefined) return words;
  return words.map((word) => {
    if (word.startsWith('user,id=n0')) return link.netdev;
    return word.includes('netdev=n0') ? word + link.device : word;
  });
}

/** Starts QEMU; guest port 80 is a port of the host with user networking. */
export async function startMachine(options: MachineOptions): Promise<Machine> {
  const port = options.link === undefined ? await freePort() : 80;
  const words = [...(options.enter ?? []), 'qemu-system-x86_64', ...commandLine(options, port)];
  return new Machine(words, `http://127.0.0.1:${port}`, imageExitCode);
}

/** Targets whose interfaces are given as links. */
export type LinkedTarget = 'process' | 'node';

/** `morgana build` makes its image with these. */
export const LINKED_FLAGS: Record<LinkedTarget, readonly string[]> = {
  process: ['--target=process'],
  node: ['--target=node', '--net=direct'],
};

export interface LinkedOptions {
  readonly image: string;
  readonly target: LinkedTarget;
  /** As "tap:tap0,mac=52:54:00:00:00:01". */
  readonly links: readonly string[];
  readonly bootArguments?: readonly string[];
  readonly memoryMib?: number;
  /** Directories by device, which the node target doesn't have in its image. */
  readonly content?: Readonly<Record<string, string>>;
  readonly enter?: readonly string[];
}

/** Starts a process with links. */
export function startLinked(options: LinkedOptions): Machine {
  const { image, target, links, bootArguments = [], memoryMib = 32, enter = [] } = options;
  const own = target === 'node' ? [process.execPath, image] : [image, `--mem=${memoryMib}`];
  const words = [...enter, ...own, ...links.map((link) => `--link=${link}`), '--'];
  const env = {
    ...process.env,
    MORGANA_TAP_LINK: path.join(ROOT, 'build/base/tap-link'),
    MORGANA_CONTENT: JSON.stringify(options.content ?? {}),
  };
  return new Machine([...words, ...bootArguments], '', (status) => status, env);
}

/** Starts an image that serves, and waits until it does. */
export async function serving(options: MachineOptions): Promise<Machine> {
  const machine = await startMachine(options);
  await machine.wrote(/info \S+: listening on/);
  return machine;
}
