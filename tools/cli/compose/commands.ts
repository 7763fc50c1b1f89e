/** How one unikernel of a project is started: its target's command, and what its exit means. */

import type { ComposedUnikernel } from '../../../packages/morgana/compose.ts';
import type { App } from '../app.ts';
import { diskProgram } from '../describe-app.ts';
import { attachDisks, type DiskWish, holding } from '../disks.ts';
import { EXIT_FAILED } from '../failure.ts';
import type { Publish } from '../flags.ts';
import { processArguments } from '../linux-process.ts';
import { chooseAccelerator, findQemu } from '../machine.ts';
import { parseMachineLinks } from '../machine-links.ts';
import type { Command } from '../node-process.ts';
import { directNodeCommand, nodeCommand } from '../node-process.ts';
import { imageExitCode, qemuArguments } from '../qemu.ts';
import type { Platform } from '../verbs.ts';

export interface Built {
  readonly app: App;
  readonly platform: Platform;
  /** What was built, as a file of its own. */
  readonly file: string;
  readonly bootArguments: readonly string[];
}

/** What the project found out for it before its first start. */
export interface Attached {
  /** As --link takes them, one for each network. */
  readonly links: readonly string[];
  /** Ports of this machine that its own process holds: target node on host sockets. */
  readonly publish: readonly Publish[];
  /** As --disk takes them. */
  readonly disks: readonly DiskWish[];
}

export const platformOfUnikernel = (spec: ComposedUnikernel): Platform =>
  spec.target === 'node' && spec.networks.length > 0 ? 'node-direct' : spec.target;

/** `channel`: path of the socket for its control channel, or null. */
export function commandOf(
  spec: ComposedUnikernel,
  built: Built,
  attached: Attached,
  channel: string | null,
): Command {
  const { app, file, bootArguments } = built;
  const { links, publish } = attached;
  const program = diskProgram(app, built.platform);
  const disks = attachDisks(attached.disks, program, bootArguments);
  const node = { content: app.content, disks, bootArguments, control: channel };
  switch (built.platform) {
    case 'node':
      return nodeCommand(file, node, publish);
    case 'node-direct':
      return directNodeCommand(file, node, links);
    case 'process': {
      const options = { links, disks, memoryMib: spec.memoryMib, control: channel, bootArguments };
      return { file, args: processArguments(options) };
    }
    case 'pvh': {
      const qemu = findQemu();
      const args = qemuArguments({
        image: file,
        machine: 'microvm',
        accelerator: chooseAccelerator(qemu),
        memoryMib: spec.memoryMib,
        publish,
        links: parseMachineLinks(links),
        disks,
        control: channel,
        bootArguments,
      });
      const [command, words] = holding(disks, [qemu, args]);
      return { file: command, args: words };
    }
  }
}

/** The unikernel's own exit code, out of its process's. */
export const exitCodeOf = (platform: Platform, status: number): number =>
  platform === 'pvh' ? (imageExitCode(status) ?? EXIT_FAILED) : status;

/** A line that isn't the unikernel's, and that everybody expects: QEMU tells who ended it. */
export const isNoise = (platform: Platform, text: string): boolean =>
  platform === 'pvh' && /^qemu-system-\S+: terminating on signal 15 /.test(text);
