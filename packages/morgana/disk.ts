/**
 * 'disk': a block device of the machine, found by the name that it was attached under
 * (`morgana run --disk=NAME=FILE`); 'disk.optional': null without one. Both are the same on every
 * machine.
 */

import type { BlockDevice } from '#device';
import type { Connector, ConnectRequest } from './run.ts';

/** A virtual machine learns the name as a serial number, which has no more. */
export const DISK_NAME_CHARACTERS_MAX = 20;
/** Of a name: fit for a command line and QEMU's. */
export const DISK_NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,19}$/;

/** Bytes as a person says them, in the largest unit without a fraction: "64 MiB". */
export function formatDiskBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (unit < units.length - 1 && value >= 1_024 && value % 1_024 === 0) {
    value /= 1_024;
    unit++;
  }
  return `${value} ${units[unit]}`;
}

export const diskConnector: Connector<'disk'> = {
  args: {},
  async connect(request) {
    const { name } = request.node;
    const found = attached(request);
    return found ?? { lacks: `no disk of this name is attached: --disk=${name}=FILE` };
  },
};

export const optionalDiskConnector: Connector<'disk.optional'> = {
  args: {},
  async connect(request) {
    return attached(request);
  },
};

function attached({
  machine,
  node: { name, options },
  inspection,
}: ConnectRequest): BlockDevice | { readonly lacks: string } | null {
  const found = machine.blocks.find((block) => block.name === name);
  if (found === undefined) return null;
  const bytes = found.blockBytes * found.blockCount;
  if (bytes < Number(options.bytesMin)) {
    const min = formatDiskBytes(Number(options.bytesMin));
    return { lacks: `it has ${formatDiskBytes(bytes)}, and the program needs ${min}` };
  }
  if (found.isReadOnly && options.readOnly !== true) {
    return { lacks: 'it is attached read-only, and the program writes' };
  }
  if (found.counters !== undefined) {
    inspection?.commands.inspector.section(`disk ${name}`, () => found.counters!());
  }
  return found;
}
