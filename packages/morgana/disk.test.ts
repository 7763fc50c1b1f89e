import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Log } from '#core';
import type { BlockDevice, Machine } from '#device';
import { SimBlockDevice, SimRandom } from '#targets/sim/index';
import type { DeviceNode } from './devices.ts';
import { diskConnector, formatDiskBytes } from './disk.ts';
import type { ConnectRequest, Inspection } from './run.ts';

const simulated = (name: string, isReadOnly = false): BlockDevice =>
  new SimBlockDevice({ name, blockBytes: 512, blockCount: 8, isReadOnly }, null, new SimRandom(1));

async function connect(
  blocks: readonly BlockDevice[],
  options: Readonly<Record<string, number | boolean>> = {},
  inspection: Inspection | null = null,
): Promise<BlockDevice | string> {
  const node: DeviceNode = {
    name: 'data',
    kind: 'disk',
    options: { bytesMin: 0, readOnly: false, ...options },
    needs: [],
    declaredAt: null,
    named: true,
  };
  const machine = { blocks } as unknown as Machine;
  const log = new Log(() => {}, 'info');
  const request: ConnectRequest = {
    ...{ machine, node, needs: [], args: {}, log, name: 'app', inspection, secure: null },
  };
  const connected = await diskConnector.connect(request);
  return 'lacks' in connected ? connected.lacks : connected;
}

test('disks › the one of its name, whatever the order', async () => {
  const [tls, data] = [simulated('tls'), simulated('data')];
  assert.equal(await connect([tls, data]), data);
  assert.equal(await connect([data, tls], { bytesMin: 4_096 }), data);
  const frozen = simulated('data', true);
  assert.equal(await connect([frozen], { readOnly: true }), frozen);
  assert.equal(await connect([data], { readOnly: true }), data);
});

test('no disk, a small one, one that can’t be written › one sentence', async () => {
  const none = 'no disk of this name is attached: --disk=data=FILE';
  assert.equal(await connect([]), none);
  assert.equal(await connect([simulated('Data')]), none);
  const small = 'it has 4 KiB, and the program needs 4097 bytes';
  assert.equal(await connect([simulated('data')], { bytesMin: 4_097 }), small);
  const frozen = 'it is attached read-only, and the program writes';
  assert.equal(await connect([simulated('data', true)]), frozen);
});

test('a disk that counts › can be looked at', async () => {
  const sections = new Map<string, () => unknown>();
  const commands = { inspector: { section: sections.set.bind(sections) } };
  const inspection = { commands, connected() {} } as unknown as Inspection;
  const disk = Object.assign(simulated('data'), { counters: () => ({ reads: 3 }) });
  await connect([disk], {}, inspection);
  assert.deepEqual(sections.get('disk data')?.(), { reads: 3 });
});

test('sizes › in the largest unit without a fraction', () => {
  const texts = [0, 1, 1_023, 1_024, 1_536, 64 * 2 ** 20, 2 ** 44, 3 * 2 ** 50].map(
    formatDiskBytes,
  );
  assert.deepEqual(texts, [
    ...['0 bytes', '1 bytes', '1023 bytes', '1 KiB', '1536 bytes', '64 MiB', '16 TiB'],
    '3072 TiB',
  ]);
});
