import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instantOfMicros } from '#core';
import { NetStack, parseIpv4Address } from '#net';
import { SimWorld } from '#targets/sim/index';
import { TestDhcpServer } from './dhcp-server.ts';

const address = (text: string) => parseIpv4Address(text)!;

for (const repliesToAll of [true, false]) {
  test(`a host gets an address and talks UDP, replies to all: ${repliesToAll}`, () => {
    const world = new SimWorld(1);
    const [a, b] = ['a', 'b'].map((name) => {
      const host = world.addHost(name);
      const stack = new NetStack({
        device: host.device,
        timers: world.timers,
        entropy: host.entropy,
        logger: host.log.source('net'),
      });
      world.onCheck(() => stack.checkInvariants());
      return stack;
    }) as [NetStack, NetStack];
    new TestDhcpServer({
      stack: a,
      address: address('10.0.2.2'),
      prefixBits: 24,
      firstAddress: address('10.0.2.15'),
      leaseSeconds: 3600,
      repliesToAll,
    });
    b.startDhcp();
    world.runUntil(() => b.configuration !== null, instantOfMicros(100_000));
    assert.deepEqual(b.addresses(), ['10.0.2.15/24']);
    const heard: string[] = [];
    const server = a.udp.bind(7, {
      receive(bytes, from) {
        heard.push(from.address);
        if (server.ok) server.value.send(bytes, from);
      },
    });
    const client = b.udp.bind(0, {
      receive: (bytes, from) => heard.push(`${from.address}:${from.port} ${bytes.join()}`),
    });
    assert(client.ok && server.ok);
    assert(client.value.send(Uint8Array.of(1, 2, 3), { address: '10.0.2.2', port: 7 }));
    world.run(instantOfMicros(10_000_000));
    assert.deepEqual(heard, ['10.0.2.15', '10.0.2.2:7 1,2,3']);
  });
}
