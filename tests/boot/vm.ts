/**
 * Images for the boot tests, and QEMU around them. Every machine ends by itself or after
 * BOOT_MILLIS_MAX.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, formatBuildFault, linkImage } from '#targets/base/build';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BASE_ELF = `${ROOT}/build/base/base.elf`;
const QEMU = 'qemu-system-x86_64';
const BOOT_MILLIS_MAX = 60_000;
const ONCE_MILLIS_MAX = 60_000;

/** Why boot tests can't run here; false when they can: the `skip` of node:test. */
export const cannotBoot: string | false = existsSync(BASE_ELF)
  ? false
  : 'build/base/base.elf is missing: npm run setup';

export type MachineKind = 'microvm' | 'q35';
export const MACHINES: readonly MachineKind[] = ['microvm', 'q35'];

const MACHINE_ARGUMENTS: Record<MachineKind, readonly string[]> = {
  microvm: ['-M', 'microvm,acpi=off', '-global', 'virtio-mmio.force-legacy=false'],
  q35: ['-M', 'q35'],
};

/** The `-device` of a virtio device on a machine; `rest` as in ",netdev=n". */
export const virtioDevice = (machine: MachineKind, kind: string, rest = ''): string[] =>
  machine === 'microvm'
    ? ['-device', `virtio-${kind}-device${rest}`]
    : ['-device', `virtio-${kind}-pci,disable-legacy=on${rest}`];

/** Builds tests/boot/images/NAME.ts; returns the image's path. */
export async function buildImage(
  name: string,
  contents: BuildOptions['contents'] = [],
): Promise<string> {
  return link(name, { entry: { file: `${ROOT}/tests/boot/images/${name}.ts` }, contents });
}

type Linked = Omit<BuildOptions, 'baseElf' | 'bytecodeTool' | 'output'>;

async function link(name: string, options: Linked): Promise<string> {
  const folder = `${ROOT}/build/tests`;
  mkdirSync(folder, { recursive: true });
  const output = `${folder}/${name}-${process.pid}.img`;
  const built = await linkImage({
    ...options,
    baseElf: BASE_ELF,
    bytecodeTool: `${ROOT}/build/base/bytecode`,
    output,
  });
  if (!built.ok) throw new Error(formatBuildFault(built.error));
  return output;
}

/** Builds an image of these options, boots it without devices on microvm, and removes it. */
export async function bootOnce(name: string, options: Linked, memoryMib: number): Promise<VmEnd> {
  const image = await link(name, options);
  try {
    return await boot({ image, machine: 'microvm', memoryMib, lifeMillisMax: ONCE_MILLIS_MAX });
  } finally {
    rmSync(image);
  }
}

export interface VmOptions {
  readonly image: string;
  readonly machine: MachineKind;
  /** After `--` on the command line, ready for use. */
  readonly bootArguments?: string;
  readonly memoryMib?: number;
  readonly cpu?: string;
  /** Kills it after this; BOOT_MILLIS_MAX when absent. */
  readonly lifeMillisMax?: number;
  /** More of QEMU's command line. */
  readonly qemu?: readonly string[];
}

export interface VmEnd {
  /** The image's exit code; null when QEMU was killed or failed. */
  readonly code: number | null;
  readonly console: string;
  readonly errors: string;
}

export class Vm {
  console = '';
  readonly ended: Promise<VmEnd>;
  private readonly child: ChildProcess;
  private readonly watchers: (() => void)[] = [];

  constructor(options: VmOptions) {
    const argv = [
      ...MACHINE_ARGUMENTS[options.machine],
      ...['-m', String(options.memoryMib ?? 8), '-cpu', options.cpu ?? 'max'],
      ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
      ...['-serial', 'stdio', '-device', 'isa-debug-exit,iobase=0x501,iosize=4'],
      ...['-kernel', options.image, '-append', `-- ${options.bootArguments ?? ''}`],
      ...(options.qemu ?? []),
    ];
    this.child = spawn(QEMU, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
    let errors = '';
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      // The serial console ends lines as terminals want them.
      this.console += text.replaceAll('\r', '');
      for (const watcher of this.watchers) watcher();
    });
    this.ended = new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.kill(), options.lifeMillisMax ?? BOOT_MILLIS_MAX);
      this.child.on('error', reject);
      this.child.on('close', (status) => {
        clearTimeout(timer);
        for (const watcher of this.watchers) watcher();
        resolve({ code: imageCode(status), console: this.console, errors });
      });
    });
  }

  /** Resolves when the console has `text`; rejects when the machine ends first. */
  async waitFor(text: string): Promise<void> {
    const seen = new Promise<void>((resolve) => {
      const look = (): void => {
        if (this.console.includes(text)) resolve();
      };
      this.watchers.push(look);
      look();
    });
    const end = this.ended.then(({ code, console, errors }) => {
      if (!console.includes(text)) throw new Error(`ended with ${code}: ${console}${errors}`);
    });
    await Promise.race([seen, end]);
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}

/** QEMU's exit status as the image's code: base/include/base_abi.h. */
function imageCode(status: number | null): number | null {
  if (status === null || status === 1) return null;
  return status % 2 === 1 ? (status - 1) / 2 : status;
}

/** Boots and waits for the end. */
export const boot = (options: VmOptions): Promise<VmEnd> => new Vm(options).ended;
