/**
 * Child processes of the bench: run to the end within a bounded time, or kept and stopped by pid.
 * Whatever the bench started is killed when it exits, also on Ctrl-C.
 */
import { type ChildProcess, execFile, type SpawnOptions, spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

/** What the user must mend or know: printed as one sentence, without a stack. */
export class BenchError extends Error {
  override name = 'BenchError';
}

/** A command line that the bench doesn't understand. */
export class UsageError extends BenchError {
  override name = 'UsageError';
}

const kept = new Set<ChildProcess>();

/** Starts a process that lives until `stop`, or until the bench ends. */
export function keep(
  command: string,
  args: readonly string[],
  options: SpawnOptions = {},
): ChildProcess {
  const child = spawn(command, args, options);
  kept.add(child);
  child.on('exit', () => kept.delete(child));
  child.on('error', () => kept.delete(child));
  return child;
}

/** Ends a kept process and waits until it is gone. */
export async function stop(child: ChildProcess): Promise<void> {
  while (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
    child.kill('SIGKILL');
    await delay(5);
  }
}

export function killKept(): void {
  for (const child of kept) child.kill('SIGKILL');
}

/** Runs a command to its end; gives its standard output, or throws with its last words. */
export function run(
  command: string,
  args: readonly string[],
  options: { cwd?: string; timeoutMs?: number; env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const limits = { timeout: options.timeoutMs ?? 60_000, maxBuffer: 1 << 26, ...options };
    execFile(command, args, limits, (error, stdout, stderr) => {
      if (error === null) {
        resolve(stdout);
        return;
      }
      const words = `${stderr}${stdout}`.trim().split('\n').slice(-5).join('\n');
      reject(new BenchError(`${command} ${args.join(' ')} failed: ${words || error.message}`));
    });
  });
}

/** The commands that a run needs, each with the Debian package that has it. */
const PACKAGES: Readonly<Record<string, string>> = {
  'qemu-system-x86_64': 'qemu-system-x86',
  wrk: 'wrk',
  iperf3: 'iperf3',
  'musl-gcc': 'musl-tools',
  readelf: 'binutils',
  mke2fs: 'e2fsprogs',
  gzip: 'gzip',
  xz: 'xz-utils',
  dnsmasq: 'dnsmasq-base',
  ip: 'iproute2',
  unshare: 'util-linux',
};

/** Throws one sentence with the command that mends it when any of these commands is missing. */
export async function require(commands: readonly string[]): Promise<void> {
  const missing: string[] = [];
  for (const command of commands) {
    const found = await run('sh', ['-c', `command -v ${command}`]).then(
      () => true,
      () => false,
    );
    if (!found) missing.push(command);
  }
  if (missing.length === 0) return;
  const packages = missing.map((command) => PACKAGES[command] ?? command);
  throw new BenchError(
    `the bench needs ${missing.join(', ')}; install with: apt-get install ${packages.join(' ')}`,
  );
}

export function progress(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}
