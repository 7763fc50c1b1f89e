/**
 * 'store.block' and 'store.memory': a repository on a disk of the machine, or in its memory;
 * 'store.optional': null without a disk. A blank disk is formatted; one with other data is refused,
 * unless the configuration says that it may go.
 * Read first: packages/store/README.md, docs/internals/block-store-format.md.
 */

import { nextTurn } from '#core';
import { primitives } from '#crypto/platform';
import type { BlockDevice, Machine } from '#device';
import { MemoryBackend, type ObjectBackend, type ObjectHash } from '#git';
import { zlib } from '#git/zlib/platform';
import { Repository } from '#store';
import { BlockBackend, formatOpenError, type StoreParts } from '#store/block';
import type { DeviceNode } from './devices.ts';
import type { Connector, ConnectRequest } from './run.ts';

const STORE_ID_BYTES = 16;

function repositoryOn(backend: ObjectBackend, { machine, node, name }: ConnectRequest): Repository {
  const { author, email } = node.options;
  const person = {
    name: author === undefined ? name : String(author),
    email: email === undefined ? `${name}@localhost` : String(email),
  };
  const { clock, entropy } = machine;
  return Repository.open({ backend, crypto: primitives, clock, author: person, entropy });
}

const hashOf = ({ options }: DeviceNode): ObjectHash =>
  options.hash === 'SHA-256' ? 'SHA-256' : 'SHA-1';

export const memoryStoreConnector: Connector<'store.memory'> = {
  args: {},
  async connect(request) {
    return repositoryOn(new MemoryBackend({ hash: hashOf(request.node) }), request);
  },
};

export const blockStoreConnector: Connector<'store.block'> = {
  args: {},
  connect: (request) => connectBlock(request, request.needs[0] as BlockDevice),
};

export const optionalStoreConnector: Connector<'store.optional'> = {
  args: {},
  async connect(request) {
    const [device] = request.needs as [BlockDevice | null];
    return device === null ? null : connectBlock(request, device);
  },
};

async function connectBlock(
  request: ConnectRequest,
  device: BlockDevice,
): Promise<Repository | { readonly lacks: string }> {
  const { machine, node, log } = request;
  const parts = partsOf(machine, device);
  // The timers' time stands still where a disk answers at once.
  const begin = machine.clock.wall();
  const storeId = new Uint8Array(STORE_ID_BYTES);
  machine.entropy.fill(storeId);
  const overwrite = node.options.overwrite === true;
  const opened = await BlockBackend.openOrFormat(parts, {
    hash: hashOf(node),
    storeId,
    overwrite,
  });
  if (!opened.ok) return { lacks: `disk '${device.name}': ${formatOpenError(opened.error)}` };
  const { objects, scannedObjects, droppedBytes } = opened.value.stats();
  const millis = machine.clock.wall() - begin;
  const what = `${objects} objects, ${scannedObjects} since the last checkpoint`;
  log.source('store').info(`${device.name}: ${what}; opened in ${millis} ms`);
  if (droppedBytes > 0) {
    const when = 'written when the power went, or damaged since';
    log.source('store').warn(`${device.name}: its last ${droppedBytes} bytes are lost: ${when}`);
  }
  request.inspection?.commands.inspector.section(`store ${device.name}`, () => {
    const { counters, ...stats } = opened.value.stats();
    return { ...stats, ...counters };
  });
  return repositoryOn(opened.value, request);
}

const partsOf = ({ timers }: Machine, device: BlockDevice): StoreParts => ({
  device,
  crypto: primitives,
  zlib,
  pause: () => nextTurn(timers),
});
