import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Log, wallTimeOfMillis } from '#core';
import type { KvReadOnly, KvReadWrite, Machine } from '#device';
import { MemoryBackend } from '#git';
import { Repository } from '#store';
import { nodeCrypto } from '#targets/node/crypto';
import { kv, store } from './config.ts';
import { deviceOrder } from './devices.ts';
import { commitConnector, storeKvConnector } from './kv-connectors.ts';
import type { Connector, ConnectRequest } from './run.ts';

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const backend = new MemoryBackend();
const repository = Repository.open({
  backend,
  crypto: nodeCrypto,
  clock: { wall: () => wallTimeOfMillis(0) },
  author: { name: 'app', email: 'app@localhost' },
  entropy: null,
});

async function connect<T>(
  kind: 'kv.commit' | 'kv.store',
  connector: Connector<'kv.commit'> | Connector<'kv.store'>,
  branch: string,
  lines: string[] = [],
  memoryBytes = 1 << 20,
): Promise<T> {
  const device = kind === 'kv.commit' ? kv.commit : kv.store;
  const node = deviceOrder({ it: device(store.memory(), { branch }) }).at(-1)!;
  const request: ConnectRequest = {
    ...{ node, needs: [repository], args: {}, name: 'app', inspection: null, secure: null },
    machine: { memoryBytes } as Machine,
    log: new Log((line) => lines.push(line), 'info'),
  };
  return (await connector.connect(request)) as T;
}

test('kv.store, kv.commit › what one writes the other has at the next boot', async () => {
  const written = await connect<KvReadWrite>('kv.store', storeKvConnector, 'site');
  assert.ok((await written.set('index.html', bytesOf('hello'))).ok);
  const read = await connect<KvReadOnly>('kv.commit', commitConnector, 'site');
  assert.deepEqual(read.paths(), ['index.html']);
  assert.ok((await written.set('index.html', bytesOf('other'))).ok);
  assert.deepEqual(read.get('index.html')?.bytes, bytesOf('hello'), 'as it was at boot');
});

test('kv.commit › a branch that is not there › nothing, and said so', async () => {
  const lines: string[] = [];
  const read = await connect<KvReadOnly>('kv.commit', commitConnector, 'none', lines);
  assert.deepEqual([read.paths(), read.get('a')], [[], null]);
  assert.match(lines[0]!, /device 'it': there is no branch 'none'/);
});

test('kv.commit › more than a quarter of the memory › one sentence', async () => {
  const lack = await connect<object>('kv.commit', commitConnector, 'site', [], 16);
  assert.deepEqual(lack, { lacks: 'its files take more than 4 bytes' });
});
