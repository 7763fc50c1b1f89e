/** Our own TCP/IP does what every Flow and Stack must, on two hosts of the simulator. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { after, seconds } from '#core';
import type { Flow, FlowHandler, Stack } from '#device';
import { flowCases, type StackNetwork, stackCases } from '#device/conformance';
import { type SimNetDeviceOptions, SimWorld } from '#targets/sim/index';
import { directStack, Names, type NamesMaker, stackOptions } from './index.ts';

/** Virtual time that any condition of a case may take. */
const PATIENCE = seconds(300);
const SERVER = '10.0.0.2';
const makeNames: NamesMaker = (numeric) => new Names(numeric);

const kinds: Record<string, Partial<SimNetDeviceOptions>> = {
  'software sums': {},
  'large segments': { transmitChecksum: true, segmentBytesMax: 65_535 },
};

async function newNetwork(device: Partial<SimNetDeviceOptions>): Promise<StackNetwork> {
  const world = new SimWorld(1);
  const stackOn = (name: string, cidr: string): Promise<Stack> => {
    const options = stackOptions(cidr, '', '');
    assert.ok(options.ok);
    const { device: nic, entropy, log } = world.addHost(name, { ...device, bitsPerSecond: 1e9 });
    const machine = { timers: world.timers, entropy };
    const given = { ...options.value, names: makeNames };
    return directStack(machine, nic, given, log.source('stack'));
  };
  return {
    client: await stackOn('client', '10.0.0.1/24'),
    server: await stackOn('server', `${SERVER}/24`),
    serverAddress: SERVER,
    until: (condition) =>
      world.runAsync(condition, after(world.timers.now, PATIENCE), () => setImmediate()),
  };
}

async function open(network: StackNetwork, clientHandler: FlowHandler, serverHandler: FlowHandler) {
  let server: Flow | null = null;
  let client: Flow | null = null;
  const listening = await network.server.listen(0, (flow) => {
    flow.attach(serverHandler);
    server = flow;
  });
  assert.ok(listening.ok);
  network.client.connect(SERVER, listening.value.port, (result) => {
    assert.ok(result.ok);
    result.value.attach(clientHandler);
    client = result.value;
  });
  await network.until(() => server !== null && client !== null);
  listening.value.close();
  return { client: client!, server: server! };
}

for (const [kind, device] of Object.entries(kinds)) {
  for (const { name, run } of flowCases) {
    test(`Flow over ${kind} › ${name}`, async () => {
      const network = await newNetwork(device);
      const { until } = network;
      await run({ until, connect: (client, server) => open(network, client, server) });
    });
  }
  for (const { name, run } of stackCases) {
    test(`Stack over ${kind} › ${name}`, async () => run(await newNetwork(device)));
  }
}
