/** Runs an image of target process: it is a program of this machine. */

import { spawn } from 'node:child_process';
import type { MachineDisk } from './disks.ts';
import { leashed, type Output, type Running, supervise } from './machine.ts';

export interface ProcessOptions {
  /** Of the image's own command line: base/plat/process/main.c. */
  readonly links: readonly string[];
  readonly disks: readonly MachineDisk[];
  readonly memoryMib: number;
  /** Path of the socket for its control channel, or null. */
  readonly control: string | null;
  readonly bootArguments: readonly string[];
}

export function processArguments(options: ProcessOptions): string[] {
  return [
    `--mem=${options.memoryMib}`,
    ...options.links.map((link) => `--link=${link}`),
    ...(options.control === null ? [] : [`--control=unix:${options.control}`]),
    ...options.disks.map(
      ({ name, file, readOnly }) => `--disk=${name}=${file}${readOnly ? ',readonly' : ''}`,
    ),
    '--',
    ...options.bootArguments,
  ];
}

/** Its console is stdout, and what it says before its sandbox closes stderr. */
export function startProcess(
  image: string,
  options: ProcessOptions,
  output: Output = 'inherit',
): Running {
  const [command, args] = leashed(image, processArguments(options));
  const begin = () => spawn(command, args, { stdio: ['ignore', output, 'inherit'] });
  return supervise(begin, (status) => status);
}
