/** Our own TCP/IP does what every Flow and Stack must, on two simulated hosts, by each family. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { after, seconds } from '#core';
import type { Flow, FlowHandler, Stack } from '#device';
import { flowCases, type StackNetwork, stackCases } from '#device/conformance';
import { type SimNetDeviceOptions, SimWorld } from '#targets/sim/index';
import { directStack, ipv6Options, Names, type NamesMaker, stackOptions } from './index.ts';

/** Virtual time that any condition of a case may take. */
const PATIENCE = seconds(300);
const SERVERS = { IPv4: '10.0.0.2', IPv6: '2001:db8::2' } as const;
type Family = keyof typeof SERVERS;
const makeNames: NamesMaker = (numeric) => new Names(numeric);

const kinds: Record<string, Partial<SimNetDeviceOptions>> = {
  'software sums': {},
  'large segments': { transmitChecksum: true, segmentBytesMax: 65_535 },
};

async function newNetwork(
  device: Partial<SimNetDeviceOptions>,
  family: Family,
): Promise<StackNetwork> {
  const world = new SimWorld(1);
  const stackOn = (name: string, number: number): Promise<Stack> => {
    const options = stackOptions(`10.0.0.${number}/24`, '', '');
    const ipv6 = ipv6Options(`2001:db8::${number}/64`, '', '');
    assert.ok(options.ok && ipv6.ok);
    const { device: nic, entropy, log } = world.addHost(name, { ...device, bitsPerSecond: 1e9 });
    const machine = { timers: world.timers, entropy };
    const given = { ...options.value, ipv6: ipv6.value, names: makeNames };
    return directStack(machine, nic, given, log.source('stack'));
  };
  return {
    client: await stackOn('client', 1),
    server: await stackOn('server', 2),
    serverAddress: SERVERS[family],
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
  network.client.connect(network.serverAddress, listening.value.port, (result) => {
    assert.ok(result.ok);
    result.value.attach(clientHandler);
    client = result.value;
  });
  await network.until(() => server !== null && client !== null);
  listening.value.close();
  return { client: client!, server: server! };
}

for (const family of ['IPv4', 'IPv6'] as const) {
  for (const [kind, device] of Object.entries(kinds)) {
    for (const { name, run } of flowCases) {
      test(`Flow over ${family}, ${kind} › ${name}`, async () => {
        const network = await newNetwork(device, family);
        const { until } = network;
        await run({ until, connect: (client, server) => open(network, client, server) });
      });
    }
    for (const { name, run } of stackCases) {
      test(`Stack over ${family}, ${kind} › ${name}`, async () =>
        run(await newNetwork(device, family)));
    }
  }
}
