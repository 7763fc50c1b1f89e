/**
 * The machines of the bench, each a command line: ours and the two rivals. Virtual machines all run
 * in the same QEMU, machine type, accelerator and CPU model, with one virtual CPU; native ones
 * (`native`) are processes of the host.
 */
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CACHE, type LinuxImage } from './linux-vm.ts';
import type { Link } from './network.ts';
import { keep } from './process.ts';

export type MachineName = 'morgana' | 'nginx' | 'node' | 'kernel';

export interface Machine {
  name: MachineName;
  /** What it gets when memory isn't what is measured: ours its target, the rivals plenty. */
  memoryMiB: number;
  /** No less than this is tried, and no more, in the search for the smallest memory. */
  memoryMiBRange: readonly [number, number];
  bootMsMax: number;
  /** The form of this machine that needs the least memory, where it isn't this one. */
  frugal: Machine | null;
  /** Program and arguments that start it on this link. */
  command(link: Link, memoryMiB: number): readonly [string, ...string[]];
}

export interface Running {
  machine: Machine;
  link: Link;
  child: ChildProcess;
  /** performance.now() just before it was spawned. */
  spawnedAt: number;
  console: string;
}

export function morganaMachine(image: string): Machine {
  return {
    name: 'morgana',
    memoryMiB: 8,
    memoryMiBRange: [2, 64],
    bootMsMax: 10_000,
    frugal: null,
    command: qemu([
      ...['-M', 'microvm,acpi=off,x-option-roms=off,rtc=on'],
      ...['-device', 'isa-debug-exit,iobase=0x501,iosize=0x04'],
      ...['-device', 'virtio-rng-device', '-kernel', image],
      // Boot-time arguments of the image stand after this: none.
      ...['-append', '--'],
    ]),
  };
}

/**
 * `tscKhz` is the host's: the emulated counter runs at that rate, and a kernel that is told so
 * doesn't spend 100 ms on measuring it. ACPI stays on because Debian's kernel finds virtio-mmio
 * devices in no other way.
 */
export function linuxMachine(name: 'nginx' | 'node', image: LinuxImage, tscKhz: number): Machine {
  const kernelArguments = [
    'quiet loglevel=0 console=ttyS0 mitigations=off panic=-1 reboot=t no_timer_check tsc=reliable',
    `tsc_early_khz=${tscKhz} random.trust_cpu=on ipv6.disable=1 audit=0`,
    'noreplace-smp lsm=none init_on_alloc=0 rcupdate.rcu_expedited=1 cryptomgr.notests',
    'transparent_hugepage=never',
    `-- ${image.initArguments}`,
  ].join(' ');
  const disk = ['-drive', `file=${image.disk},format=raw,if=none,id=d0,read-only=on,cache=unsafe`];
  return {
    name,
    memoryMiB: 256,
    memoryMiBRange: [48, 256],
    bootMsMax: 20_000,
    frugal: null,
    command: qemu([
      ...['-M', 'microvm,x-option-roms=off,rtc=on,pit=off,pic=off'],
      ...['-kernel', image.kernel, '-initrd', image.initramfs, '-append', kernelArguments],
      ...(image.disk === null ? [] : [...disk, '-device', 'virtio-blk-device,drive=d0']),
    ]),
  };
}

/** QEMU with `own`, the part of the command line that is one machine's. */
function qemu(own: readonly string[]): Machine['command'] {
  return (link, memoryMiB) => [
    'qemu-system-x86_64',
    ...[
      '-accel',
      'tcg',
      '-cpu',
      'Nehalem-v1,+rdrand,+aes,+pclmulqdq',
      '-smp',
      '1',
      '-m',
      `${memoryMiB}`,
    ],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-serial', 'stdio'],
    ...['-global', 'virtio-mmio.force-legacy=false', '-netdev', link.netdev],
    ...['-device', `virtio-net-device,netdev=n0,mac=${link.mac}`],
    ...own,
  ];
}

/** Ours as a process of the host: an image for target process, with memory as in the issue. */
export function morganaProcess(image: string, port: number | null = null): Machine {
  return {
    name: 'morgana',
    memoryMiB: 32,
    memoryMiBRange: [2, 64],
    bootMsMax: 10_000,
    frugal: null,
    command: (link, memoryMiB) => [
      image,
      ...[`--mem=${memoryMiB}`, `--link=tap:${link.device}`, '--'],
      ...[`--ipv4=${link.host}/24`, `--port=${port ?? link.port}`],
    ],
  };
}

/** The virtual machine's server on the host's own sockets: node:http, or node:https with `tls`. */
export function nodeProcess(
  node: string,
  siteDirectory: string,
  tls: { readonly certificate: string; readonly key: string } | null = null,
): Machine {
  const server = join(import.meta.dirname, 'rival/server.mjs');
  return {
    name: 'node',
    memoryMiB: 0,
    memoryMiBRange: [0, 0],
    bootMsMax: 10_000,
    frugal: null,
    command: (link) => [
      ...([node, server, siteDirectory, `${link.port}`] as const),
      ...(tls === null ? [] : [tls.certificate, tls.key]),
    ],
  };
}

/** Starts a machine; its console goes to a file in .cache/bench. */
export async function start(
  machine: Machine,
  link: Link,
  memoryMiB: number = machine.memoryMiB,
): Promise<Running> {
  await mkdir(CACHE, { recursive: true });
  const consoleFile = join(CACHE, `console-${machine.name}-${link.kind}.log`);
  const output = openSync(consoleFile, 'w');
  const [program, ...args] = machine.command(link, memoryMiB);
  const spawnedAt = performance.now();
  const child = keep(program, args, { stdio: ['ignore', output, output] });
  closeSync(output);
  return { machine, link, child, spawnedAt, console: consoleFile };
}

/** The last lines of a machine's console, for an error. */
export async function lastWords(running: Running): Promise<string> {
  const lines = (await readFile(running.console, 'utf8')).trim().split('\n');
  return lines.slice(-8).join('\n') || '(its console is empty)';
}

export function ended(running: Running): boolean {
  return running.child.exitCode !== null || running.child.signalCode !== null;
}
