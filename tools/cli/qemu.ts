/** QEMU's command line and exit status. Pure: see machine.ts for the process. */

import type { MachineDisk } from './disks.ts';
import type { Publish } from './flags.ts';

/** What a network card of the machine is plugged into, in place of QEMU's user networking. */
export interface MachineLink {
  readonly kind: 'unix' | 'unix-listen' | 'tap';
  /** A socket's path, or a tap device's name. */
  readonly place: string;
  /** As "52:54:00:00:00:01". QEMU gives all its machines the same ones. */
  readonly mac: string;
}

export interface MachineOptions {
  readonly image: string;
  readonly machine: 'microvm' | 'q35';
  readonly accelerator: 'kvm' | 'tcg';
  readonly memoryMib: number;
  /** Ports that user networking forwards; nothing with links. */
  readonly publish: readonly Publish[];
  /** A card each, in order; without any there is one, on user networking. */
  readonly links?: readonly MachineLink[];
  readonly disks?: readonly MachineDisk[];
  /** Path of the socket to which the control channel connects. */
  readonly control?: string | null;
  readonly bootArguments: readonly string[];
}

/** What the base writes to leave with an exit code: base/include/base_abi.h. */
const DEBUG_EXIT_PORT = '0x501';

export function qemuArguments(options: MachineOptions): string[] {
  const { machine, accelerator } = options;
  const isMicro = machine === 'microvm';
  const net = isMicro ? 'virtio-net-device' : 'virtio-net-pci,disable-legacy=on,romfile=';
  const rng = isMicro ? 'virtio-rng-device' : 'virtio-rng-pci,disable-legacy=on';
  return [
    ...['-M', isMicro ? 'microvm,acpi=off,x-option-roms=off,rtc=on' : 'q35'],
    ...['-accel', accelerator],
    // The smallest model with what the base needs, so that emulation has little to emulate; and
    // AES-GCM takes half as long where QEMU does its instructions.
    ...['-cpu', accelerator === 'kvm' ? 'host' : 'Nehalem-v1,+rdrand,+aes,+pclmulqdq'],
    ...['-m', String(options.memoryMib)],
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
    ...(isMicro ? [] : ['-vga', 'none']),
    ...['-serial', 'stdio'],
    ...['-device', `isa-debug-exit,iobase=${DEBUG_EXIT_PORT},iosize=0x04`],
    ...(isMicro ? ['-global', 'virtio-mmio.force-legacy=false'] : []),
    ...netdevs(options).flatMap(({ backend, mac }, index) => [
      ...['-netdev', backend],
      ...['-device', `${net},netdev=n${index}${mac}`],
    ]),
    ...['-device', rng],
    ...drives(options),
    ...controlPort(options),
    ...['-kernel', options.image],
    ...['-append', commandLine(options.bootArguments)],
  ];
}

/** A port of a console device: targets/pvh/virtio/control-port.ts. */
function controlPort({ machine, control = null }: MachineOptions): string[] {
  if (control === null) return [];
  const bus =
    machine === 'microvm' ? 'virtio-serial-device' : 'virtio-serial-pci,disable-legacy=on';
  return [
    ...['-chardev', `socket,id=control,path=${control.replaceAll(',', ',,')}`],
    ...['-device', `${bus},max_ports=2`],
    ...['-device', 'virtserialport,chardev=control,name=morgana.control'],
  ];
}

/** The serial number is the disk's name: targets/pvh/virtio/block.ts. */
function drives({ machine, disks = [] }: MachineOptions): string[] {
  const bus = machine === 'microvm' ? 'virtio-blk-device' : 'virtio-blk-pci,disable-legacy=on';
  return disks.flatMap(({ name, file, readOnly }, index) => [
    ...[
      '-drive',
      `if=none,id=d${index},format=raw,discard=unmap${readOnly ? ',readonly=on' : ''},file=${file.replaceAll(',', ',,')}`,
    ],
    ...['-device', `${bus},drive=d${index},serial=${name}`],
  ]);
}

function netdevs(options: MachineOptions): { backend: string; mac: string }[] {
  const { publish, links = [] } = options;
  const forwards = publish.map(
    (p) => `,hostfwd=${p.protocol}:${p.hostAddress}:${p.hostPort}-:${p.guestPort}`,
  );
  if (links.length === 0) return [{ backend: `user,id=n0${forwards.join('')}`, mac: '' }];
  return links.map((link, index) => ({
    backend: backendOf(link, `n${index}`),
    mac: `,mac=${link.mac}`,
  }));
}

function backendOf({ kind, place }: MachineLink, id: string): string {
  // A comma ends a value, but for a double one.
  const value = place.replaceAll(',', ',,');
  if (kind === 'tap') return `tap,id=${id},ifname=${value},script=no,downscript=no`;
  const server = kind === 'unix-listen' ? 'on' : 'off';
  return `stream,id=${id},server=${server},addr.type=unix,addr.path=${value}`;
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
