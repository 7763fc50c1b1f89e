/**
 * Runs a virtual machine: finds QEMU and an accelerator, passes the console on, ends with the
 * image's code.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { release } from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { baseImage } from './base.ts';
import { heldStatus, holding } from './disks.ts';
import { EXIT_FAILED, Failure } from './failure.ts';
import type { Publish } from './flags.ts';
import { cacheDirectory } from './places.ts';
import { imageExitCode, type MachineOptions, qemuArguments } from './qemu.ts';

const QEMU = 'qemu-system-x86_64';
const PROBE_MS = 3_000;
/** A child that was asked to end is made to after so long. */
const TERM_MS_MAX = 2_000;
/** The code with which a base without a payload leaves: base_abi.h, BASE_EXIT_BAD_IMAGE. */
const EXIT_BAD_IMAGE = 126;

export function findQemu(): string {
  for (const directory of (process.env.PATH ?? '').split(path.delimiter)) {
    const file = path.join(directory, QEMU);
    if (directory !== '' && existsSync(file)) return file;
  }
  throw new Failure({
    what: `${QEMU} is not installed`,
    mend: 'run: sudo apt-get install --no-install-recommends qemu-system-x86',
  });
}

/**
 * 'kvm' where a machine really starts with it, else 'tcg'. A device file proves nothing (nested
 * virtualisation may be off), so the bare base is booted once; the answer is kept per kernel, QEMU
 * and device.
 */
export function chooseAccelerator(qemu: string): 'kvm' | 'tcg' {
  const device = statSync('/dev/kvm', { throwIfNoEntry: false });
  if (device === undefined) return 'tcg';
  const key = [release(), statSync(qemu).mtimeMs, device.ctimeMs, process.getuid?.()].join(' ');
  const file = path.join(cacheDirectory(), 'accelerator.json');
  const known = readKnown(file);
  if (known?.key === key) return known.accelerator;
  const accelerator = startsWithKvm(qemu) ? 'kvm' : 'tcg';
  writeFileSync(file, JSON.stringify({ key, accelerator }));
  return accelerator;
}

function readKnown(file: string): { key: string; accelerator: 'kvm' | 'tcg' } | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
}

function startsWithKvm(qemu: string): boolean {
  const image = baseImage('pvh');
  const options = { machine: 'microvm', accelerator: 'kvm', memoryMib: 16 } as const;
  const args = qemuArguments({ ...options, image, publish: [], bootArguments: [] });
  const probe = spawnSync(...leashed(qemu, args), {
    timeout: PROBE_MS,
    killSignal: 'SIGKILL',
    stdio: 'ignore',
  });
  return probe.status !== null && imageExitCode(probe.status) === EXIT_BAD_IMAGE;
}

/** Refuses a port that another process holds, before QEMU does so less clearly. */
export async function checkPorts(publish: readonly Publish[], other?: string): Promise<void> {
  for (const { hostAddress, hostPort, guestPort, protocol } of publish) {
    if (protocol !== 'tcp') continue;
    const code = await tryListen(hostAddress, hostPort);
    const free = hostPort === 8_081 ? 8_082 : 8_081;
    if (code !== null) throw portFailure(hostPort, code, other ?? `--publish=${free}:${guestPort}`);
  }
}

/** `other`: the flag that chooses another port. */
export function portFailure(port: number, code: string, other: string): Failure {
  if (code === 'EACCES') {
    return new Failure({
      what: `port ${port} needs privileges`,
      mend: `choose one above 1023: ${other}`,
    });
  }
  if (code === 'EADDRNOTAVAIL') {
    return new Failure({
      what: `port ${port} can't be opened: this machine has no such address`,
      mend: `choose another: ${other}`,
    });
  }
  return new Failure({
    what: `port ${port} of this machine is in use`,
    mend: `stop what holds it (ss -ltnp 'sport = ${port}'), or choose another: ${other}`,
  });
}

function tryListen(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'EIO'));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)));
  });
}

/**
 * Ends the child with its parent, also when the parent is killed, whatever the child is doing:
 * nobody is left who could wait for it. setpriv is in Debian's util-linux.
 */
export function leashed(command: string, args: readonly string[]): [string, string[]] {
  const setpriv = '/usr/bin/setpriv';
  if (!existsSync(setpriv)) return [command, [...args]];
  return [setpriv, ['--pdeathsig', 'SIGKILL', '--', command, ...args]];
}

/** Where a machine's console goes: to this process's stdout, or to whoever reads `Running`. */
export type Output = 'inherit' | 'pipe';

export interface Running {
  /** Resolves with the exit code for the shell. */
  readonly ended: Promise<number>;
  /** With Output 'pipe'; must be read. */
  readonly stdout: Readable | null;
  stop(): void;
}

/** Boots the image; the serial console goes to stdout. */
export function startMachine(
  qemu: string,
  options: MachineOptions,
  output: Output = 'inherit',
): Running {
  const { disks = [] } = options;
  const [command, args] = holding(disks, leashed(qemu, qemuArguments(options)));
  let complaint = '';
  const begin = (): ChildProcess => {
    const child = spawn(command, args, { stdio: ['ignore', output, 'pipe'] });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complaint += text;
    });
    return child;
  };
  return supervise(begin, (status) => {
    const code = imageExitCode(heldStatus(disks, status));
    if (code !== null) return code;
    const line = complaint.trim().split('\n')[0] ?? '';
    const failure = /host forwarding rule '[a-z]+:[^:]*:(\d+)/.exec(complaint);
    if (failure) throw portFailure(Number(failure[1]), 'EADDRINUSE', '--publish');
    throw new Failure({
      what: `QEMU failed: ${line || `status ${status}`}`,
      mend: 'see "morgana run --help" for the kinds of machine',
    });
  });
}

/**
 * Passes Ctrl-C and its kin on, and waits for the child in any case: nothing is left running. They
 * are listened for before `begin`: one that comes while the child is made would end us alone.
 */
export function supervise(begin: () => ChildProcess, codeOf: (status: number) => number): Running {
  const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
  let stopped: number | null = null;
  const stop = (code: number): void => {
    stopped = code;
    child.kill('SIGTERM');
    // One that is busy with itself doesn't hear it.
    setTimeout(() => child.kill('SIGKILL'), TERM_MS_MAX).unref();
  };
  const handlers = Object.entries(signals).map(([name, code]) => {
    const handler = (): void => stop(code);
    process.on(name, handler);
    return () => process.off(name, handler);
  });
  const child = begin();
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => {
      for (const remove of handlers) remove();
      try {
        resolve(stopped ?? (status === null ? EXIT_FAILED : codeOf(status)));
      } catch (error) {
        reject(error);
      }
    });
  });
  return { ended, stdout: child.stdout, stop: () => stop(0) };
}
