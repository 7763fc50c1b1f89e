/** QEMU's command line and exit status. Pure: see machine.ts for the process. */

import type { Publish } from './flags.ts';

export interface MachineOptions {
  readonly image: string;
  readonly machine: 'microvm' | 'q35';
  readonly accelerator: 'kvm' | 'tcg';
  readonly memoryMib: number;
  readonly publish: readonly Publish[];
  readonly bootArguments: readonly string[];
}

/** What the base writes to leave with an exit code: base/include/base_abi.h. */
const DEBUG_EXIT_PORT = '0x501';

export function qemuArguments(options: MachineOptions): string[] {
  const { machine, accelerator } = options;
  const isMicro = machine === 'microvm';
  const forwards = options.publish.map(
    (p) => `,hostfwd=${p.protocol}:${p.hostAddress}:${p.hostPort}-:${p.guestPort}`,
  );
  const net = isMicro ? 'virtio-net-device' : 'virtio-net-pci,disable-legacy=on,romfile=';
  const rng = isMicro ? 'virtio-rng-device' : 'virtio-rng-pci,disable-legacy=on';
  return [
    ...['-M', isMicro ? 'microvm,acpi=off,x-option-roms=off,rtc=on' : 'q35'],
    ...['-accel', accelerator],
    // The smallest model with what the base needs, so that emulation has little to emulate.
    ...['-cpu', accelerator === 'kvm' ? 'host' : 'Nehalem-v1,+rdrand'],
    ...['-m', String(options.memoryMib)],
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
    ...(isMicro ? [] : ['-vga', 'none']),
    ...['-serial', 'stdio'],
    ...['-device', `isa-debug-exit,iobase=${DEBUG_EXIT_PORT},iosize=0x04`],
    ...(isMicro ? ['-global', 'virtio-mmio.force-legacy=false'] : []),
    ...['-netdev', `user,id=n0${forwards.join('')}`],
    ...['-device', `${net},netdev=n0`],
    ...['-device', rng],
    ...['-kernel', options.image],
    ...['-append', commandLine(options.bootArguments)],
  ];
}

/** The kernel command line: boot-time arguments stand after "--", quoted where they need it. */
export function commandLine(bootArguments: readonly string[]): string {
  return ['--', ...bootArguments.map(quoted)].join(' ');
}

/**
 * As targets/pvh/cmdline.ts reads it back: QEMU's own words and a lone "--" must not be taken for
 * ours.
 */
function quoted(word: string): string {
  const isPlain = /^[^\s"\\]+$/.test(word) && word !== '--' && !word.startsWith('virtio_mmio.');
  return isPlain ? word : `"${word.replace(/["\\]/g, '\\$&')}"`;
}

/**
 * The image's exit code, or null when QEMU itself failed (status 1, or any that the base can't
 * cause).
 */
export function imageExitCode(status: number): number | null {
  if (status === 0) return 0;
  return status > 1 && status % 2 === 1 ? (status - 1) / 2 : null;
}
