/**
 * The machine that a Linux process is: `launch` takes the links and disks that the base opened
 * before its sandbox closed, runs the program and its event loop. Required reading: base.ts,
 * targets/base/launch.ts.
 */

import type { Machine, NetDevice, Program } from '#device';
import { baseEntropy, baseMachine, drain, EXIT, start } from '../base/launch.ts';
import type { LoopDevice } from '../base/loop.ts';
import type { ProcessBase } from './base.ts';
import { ControlLink } from './control-link.ts';
import { FileBlock } from './file-block.ts';
import { formatStreamFault, StreamDevice } from './stream-device.ts';
import { TapDevice } from './tap-device.ts';

export { EXIT };

type LinkDevice = NetDevice & LoopDevice & { hasSentAll(): boolean };

/** Runs `program` in the process that the base describes; the global `__base` unless given. */
export function launch(program: Program, base: ProcessBase = ambientBase()): void {
  const console = { writeLine: (line: string) => base.consoleWrite(`${line}\n`) };
  const fail = (message: string, code: number): never => {
    console.writeLine(`error: ${message}`);
    return base.exit(code);
  };
  const links: LinkDevice[] = [];
  let control: ControlLink | null = null;
  for (const [index, { name, isTap, isControl }] of base.links.entries()) {
    const lost = (why: string) => fail(`the link ${name} ${why}`, EXIT.deviceFailed);
    if (isControl) control = new ControlLink(base, index);
    else if (isTap) links.push(new TapDevice(base, index, () => lost('was taken away')));
    else links.push(new StreamDevice(base, index, (fault) => lost(formatStreamFault(fault))));
  }
  const machine: Omit<Machine, 'vitals'> = {
    ...baseMachine(base, console),
    target: 'process',
    entropy: baseEntropy(base, console) ?? fail('the host has no random bytes', EXIT.noEntropy),
    bootArguments: base.bootArguments,
    interfaces: links,
    blocks: base.disks.map((_, index) => new FileBlock(base, index)),
    control,
    evaluate: null,
    exit(code) {
      drain(base, links);
      return base.exit(code);
    },
  };
  start(base, machine, program, links, control, false);
}

const ambientBase = (): ProcessBase =>
  (globalThis as unknown as { readonly __base: ProcessBase }).__base;
