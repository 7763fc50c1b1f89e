/** Who may answer a published port's clients, and what stays of clients that go. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Ipv4Address } from '#net';
import { publishedUdpIdle } from './limits.ts';
import { addressOf, bytesOf, connect, type Machine, TestNetwork } from './test-network.ts';

const HOST = addressOf('192.0.2.1');
const GATEWAY = addressOf('10.77.0.1');

interface Heard {
  readonly from: Ipv4Address;
  readonly port: number;
  readonly text: string;
}

/** A UDP port of a machine's, and all that came to it. */
class Port {
  readonly heard: Heard[] = [];
  readonly send: (text: string, to: Ipv4Address, port: number) => void;

  constructor({ net }: Machine, port: number) {
    const opened = net.udp.open(port, {
      datagram: (bytes, from, port) => {
        const text = Buffer.from(bytes).toString('latin1');
        if (typeof from === 'number') this.heard.push({ from, port, text });
      },
    });
    assert(opened.ok);
    this.send = (text, to, port) => void opened.value.send(bytesOf(text), to, port);
  }
}

test('published UDP › others than the asked port of the asked guest › get no word to the client', async () => {
  const net = await TestNetwork.open();
  const [web, evil] = [await net.guest('web'), await net.guest('evil')];
  const asked = { protocol: 'udp', hostAddress: null, hostPort: 7_000 } as const;
  assert((await net.gateway.publish({ ...asked, guest: 'web', guestPort: 7 })).ok);
  const [service, otherPort, otherGuest] = [
    new Port(web, 7),
    new Port(web, 8),
    new Port(evil, 7),
  ] as const;
  const client = new Port(net.server, 0);
  client.send('question', HOST, 7_000);
  await net.until(() => service.heard.length === 1);
  const { from, port } = service.heard[0]!;
  assert.equal(from, GATEWAY);
  otherPort.send('of another port', from, port);
  otherGuest.send('of another guest', from, port);
  await net.wait(1);
  assert.deepEqual(client.heard, []);
  service.send('answer', from, port);
  await net.until(() => client.heard.length > 0);
  assert.deepEqual(client.heard, [{ from: HOST, port: 7_000, text: 'answer' }]);
});

test('published UDP › a client that is idle › is forgotten, and another one afterwards', async () => {
  const net = await TestNetwork.open();
  const web = await net.guest('web');
  const service = new Port(web, 7);
  const asked = { protocol: 'udp', hostAddress: null, hostPort: 7_000 } as const;
  assert((await net.gateway.publish({ ...asked, guest: 'web', guestPort: 7 })).ok);
  const client = new Port(net.server, 0);
  const ask = async (): Promise<number> => {
    const count = service.heard.length;
    client.send('x', HOST, 7_000);
    await net.until(() => service.heard.length > count);
    return net.counter('publishedUdpClients');
  };
  const idleSeconds = publishedUdpIdle / 1_000_000;
  assert.equal(await ask(), 1);
  await net.wait(idleSeconds / 2);
  assert.equal(await ask(), 1);
  await net.wait(idleSeconds * 2);
  const { port } = service.heard[0]!;
  service.send('late', GATEWAY, port);
  await net.wait(1);
  assert.deepEqual(client.heard, [], 'its port is closed');
  assert.equal(await ask(), 2);
});

test('published TCP › the client goes before the guest answers › nothing stays of it', async () => {
  const net = await TestNetwork.open();
  const web = await net.guest('web');
  const asked = { protocol: 'tcp', hostAddress: null, hostPort: 8_080 } as const;
  assert((await net.gateway.publish({ ...asked, guest: 'web', guestPort: 80 })).ok);
  net.world.network.unplug(web.host.device);
  const box = connect(net.server.tcp, '192.0.2.1', 8_080);
  await net.until(() => box.ending !== null && net.gateway.snapshot().connections.length === 1);
  box.ending!.flow.abort();
  await net.wait(0.5);
  assert.deepEqual([net.counter('relays'), net.gateway.snapshot().connections], [0, []]);
});
