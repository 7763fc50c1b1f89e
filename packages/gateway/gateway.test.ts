import assert from 'node:assert/strict';
import { test } from 'node:test';
import { udpMappingsMax, udpMappingsPerGuestMax } from './limits.ts';
import {
  addressOf,
  addressOfGuest,
  bytesOf,
  connect,
  Ending,
  NOWHERE,
  SERVER,
  TestNetwork,
} from './test-network.ts';

/** A server that collects connections. */
function serve(net: TestNetwork, port: number): Ending[] {
  const accepted: Ending[] = [];
  const listening = net.server.tcp.listen(port, (flow) => accepted.push(new Ending(flow)));
  assert(listening.ok);
  return accepted;
}

test('a guest › gets address, router, DNS and domain, and is known by its name', async () => {
  const net = await TestNetwork.open();
  const guest = await net.guest('web');
  const { configuration } = guest.net;
  assert.equal(addressOfGuest(guest), '10.77.0.16');
  assert.equal(configuration?.gateway, addressOf('10.77.0.1'));
  assert.deepEqual(configuration?.dnsServers, [addressOf('10.77.0.1')]);
  assert.equal(configuration?.domain, 'internal');
  assert.equal(net.gateway.addressOf('web'), addressOf('10.77.0.16'));
  assert.equal(net.gateway.leases()[0]?.hostName, 'web');
});

test('TCP › a guest connects to the world: both ways, half-closed, then closed', async () => {
  const net = await TestNetwork.open();
  const guest = await net.guest('a');
  const accepted = serve(net, 80);
  const { ending } = await opened(net, guest, SERVER, 80);
  assert.equal(ending.flow.remote.address, SERVER);
  ending.flow.write(bytesOf('question'));
  ending.flow.shutdown();
  await net.until(() => accepted[0]?.isEnded === true);
  assert.equal(accepted[0]!.text, 'question');
  assert.equal(accepted[0]!.flow.remote.address, '192.0.2.1', 'the host asks');
  accepted[0]!.flow.write(bytesOf('answer'));
  accepted[0]!.flow.shutdown();
  await net.until(() => ending.how !== null && accepted[0]!.how !== null);
  assert.deepEqual([ending.text, ending.how, accepted[0]!.how], ['answer', 'closed', 'closed']);
  await net.wait(15);
  assert.deepEqual([net.counter('relays'), net.counter('relaysEnded')], [0, 1]);
});

async function opened(
  net: TestNetwork,
  guest: Awaited<ReturnType<TestNetwork['guest']>>,
  to: string,
  port: number,
): Promise<{ ending: Ending }> {
  const box = connect(guest.tcp, to, port);
  await net.until(() => box.ending !== null || box.error !== null);
  assert.equal(box.error, null);
  return { ending: box.ending! };
}

test('TCP › the server speaks first, and ends at once › the guest gets it all', async () => {
  const net = await TestNetwork.open();
  const guest = await net.guest('a');
  net.server.tcp.listen(25, (flow) => {
    const ending = new Ending(flow);
    ending.flow.write(bytesOf('220 hello'));
    ending.flow.shutdown();
  });
  const { ending } = await opened(net, guest, SERVER, 25);
  await net.until(() => ending.isEnded);
  assert.equal(ending.text, '220 hello');
  ending.flow.shutdown();
  await net.until(() => ending.how === 'closed' && net.counter('relays') === 0);
});

test('TCP › nobody listens › refused; nobody is there › unreachable, not before that is known', async () => {
  const net = await TestNetwork.open();
  const guest = await net.guest('a');
  const refused = connect(guest.tcp, SERVER, 81);
  await net.until(() => refused.error !== null);
  assert.equal(refused.error, 'refused');
  const lost = connect(guest.tcp, NOWHERE, 80);
  await net.wait(1);
  assert.deepEqual([lost.ending, lost.error], [null, null]);
  await net.until(() => lost.error !== null);
  assert.equal(lost.error, 'unreachable');
  assert.deepEqual([net.counter('tcpNatRefused'), net.counter('tcpNatUnreachable')], [1, 1]);
  assert(net.counter('foreignSynsRepeated') > 0);
  // A SYN may have been on its way when the last one's end was told.
  assert(net.counter('foreignSyns') <= 3);
});

test('TCP › either side breaks off › the other hears of it', async () => {
  const net = await TestNetwork.open();
  const guest = await net.guest('a');
  const accepted = serve(net, 80);
  const first = await opened(net, guest, SERVER, 80);
  await net.until(() => accepted.length === 1);
  accepted[0]!.flow.abort();
  await net.until(() => first.ending.how !== null);
  assert.equal(first.ending.how, 'reset');
  const second = await opened(net, guest, SERVER, 80);
  await net.until(() => accepted.length === 2);
  second.ending.flow.abort();
  await net.until(() => accepted[1]!.how !== null);
  assert.equal(accepted[1]!.how, 'reset');
  assert.deepEqual([net.counter('relays'), net.counter('relaysBroken')], [0, 2]);
});

test('TCP › a side that doesn’t read › stops the other one, within bounds; all arrives', async () => {
  const net = await TestNetwork.open();
  const guest = await net.guest('a');
  const total = 3_000_000;
  let sent = 0;
  net.server.tcp.listen(80, (flow) => {
    const more = (): void => {
      while (sent < total && flow.queuedBytes < 100_000) {
        flow.write(new Uint8Array(50_000));
        sent += 50_000;
      }
    };
    flow.attach({ data() {}, drained: more, end() {}, closed() {} });
    more();
  });
  const { ending } = await opened(net, guest, SERVER, 80);
  ending.flow.pause();
  await net.wait(20);
  assert(sent < 2_500_000, `${sent} sent to a reader that reads nothing`);
  const before = ending.bytes;
  ending.flow.resume();
  await net.until(() => ending.bytes === total);
  assert(before < total && net.counter('relayPauses') > 0);
});

test('loopback of the host › by host.internal’s address only, and only when allowed', async () => {
  const net = await TestNetwork.open();
  const guest = await net.guest('a');
  const accepted = serve(net, 80);
  await opened(net, guest, '10.77.0.2', 80);
  await net.until(() => accepted.length === 1);
  const strict = await TestNetwork.open({ allowsHost: false });
  serve(strict, 80);
  const other = await strict.guest('b');
  for (const to of ['10.77.0.2', '169.254.169.254']) {
    const box = connect(other.tcp, to, 80);
    await strict.until(() => box.error !== null);
    assert.equal(box.error, 'unreachable', to);
  }
  assert.equal(strict.counter('tcpNatProhibited'), 2);
});

test('the gateway itself, and what isn’t there › refused, and unreachable', async () => {
  const net = await TestNetwork.open();
  const guest = await net.guest('a');
  const own = connect(guest.tcp, '10.77.0.1', 80);
  const absent = connect(guest.tcp, '10.77.0.99', 80);
  await net.until(() => own.error !== null && absent.error !== null);
  assert.deepEqual([own.error, absent.error], ['refused', 'unreachable']);
});

test('UDP › a guest asks two servers from one port › answers come from who was asked', async () => {
  const net = await TestNetwork.open();
  const guest = await net.guest('a');
  const seen: number[] = [];
  for (const port of [7, 8]) {
    const socket = net.server.net.udp.open(port, {
      datagram(bytes, source, sourcePort) {
        seen.push(sourcePort);
        assert(socket.ok && socket.value.send(bytes, source, sourcePort));
      },
    });
  }
  const heard: string[] = [];
  const socket = guest.net.udp.open(5_000, {
    datagram: (bytes, _source, port) => heard.push(`${port} ${Buffer.from(bytes)}`),
  });
  assert(socket.ok);
  socket.value.send(bytesOf('seven'), addressOf(SERVER), 7);
  socket.value.send(bytesOf('eight'), addressOf(SERVER), 8);
  await net.until(() => heard.length === 2);
  assert.deepEqual(heard.sort(), ['7 seven', '8 eight']);
  assert.equal(seen[0], seen[1], 'one mapping whatever it speaks to');
  assert.deepEqual([net.counter('udpFlows'), net.counter('udpMappings')], [2, 1]);
  await net.wait(200);
  assert.deepEqual([net.counter('udpFlows'), net.counter('udpMappings')], [0, 0]);
});

test('published TCP › a client of the host reaches a guest by name; none › reset', async () => {
  const net = await TestNetwork.open();
  const port = { protocol: 'tcp', hostAddress: null, guest: 'web', guestPort: 80 } as const;
  const published = await net.gateway.publish({ ...port, hostPort: 8080 });
  assert(published.ok && published.value.hostPort === 8080);
  const early = connect(net.server.tcp, '192.0.2.1', 8080);
  await net.until(() => early.ending?.how === 'reset');
  assert.equal(net.counter('publishedNoGuest'), 1);
  const guest = await net.guest('web');
  const idle = connect(net.server.tcp, '192.0.2.1', 8080);
  await net.until(() => idle.ending?.how === 'reset');
  assert.equal(net.counter('publishedRefused'), 1);
  guest.tcp.listen(80, (flow) => {
    const ending = new Ending(flow, (bytes) => ending.flow.write(bytes.slice()));
  });
  const box = connect(net.server.tcp, '192.0.2.1', 8080);
  await net.until(() => box.ending !== null);
  box.ending!.flow.write(bytesOf('hello'));
  await net.until(() => box.ending!.text === 'hello');
  const { address, published: list, leases, connections } = net.gateway.snapshot();
  assert.deepEqual([address, leases.length, connections.length], ['10.77.0.1/24', 1, 1]);
  assert.deepEqual(list, [{ protocol: 'tcp', host: '*:8080', guest: 'web:80' }]);
  const again = await net.gateway.publish({ ...port, hostPort: 8080 });
  assert.deepEqual(again, { ok: false, error: { kind: 'port in use', port: 8080 } });
  published.value.close();
  const late = connect(net.server.tcp, '192.0.2.1', 8080);
  await net.until(() => late.error === 'refused');
  assert.deepEqual(net.gateway.published, []);
});

test('published UDP › each client has its answers', async () => {
  const net = await TestNetwork.open();
  const guest = await net.guest('echo');
  const socket = guest.net.udp.open(7, {
    datagram(bytes, source, port) {
      assert.equal(source, addressOf('10.77.0.1'));
      assert(socket.ok && socket.value.send(bytes, source, port));
    },
  });
  const port = { protocol: 'udp', hostAddress: null, guest: 'echo', guestPort: 7 } as const;
  const published = await net.gateway.publish({ ...port, hostPort: 7_000 });
  assert(published.ok);
  const heard: string[] = [];
  for (const name of ['x', 'y']) {
    const client = net.server.net.udp.open(0, {
      datagram: (bytes) => heard.push(`${name} ${Buffer.from(bytes)}`),
    });
    assert(client.ok);
    client.value.send(bytesOf(`of ${name}`), addressOf('192.0.2.1'), 7_000);
  }
  await net.until(() => heard.length === 2);
  assert.deepEqual(heard.sort(), ['x of x', 'y of y']);
  assert.equal(net.counter('publishedUdpClients'), 2);
  published.value.close();
});

test('UDP › one guest sends from more ports than its share › others have theirs', async () => {
  const net = await TestNetwork.open();
  const [greedy, other] = [await net.guest('greedy'), await net.guest('other')];
  const echo = net.server.net.udp.open(7, {
    datagram: (bytes, source, port) => {
      assert(echo.ok && echo.value.send(bytes, source, port));
    },
  });
  for (let i = 0; i < udpMappingsMax; i++) {
    const socket = greedy.net.udp.open(10_000 + i, { datagram() {} });
    assert(socket.ok);
    socket.value.send(bytesOf('x'), addressOf(SERVER), 7);
    socket.value.close();
    if (i % 32 === 0) await net.wait(0.01);
  }
  let heard = 0;
  const socket = other.net.udp.open(0, {
    datagram: () => {
      heard += 1;
    },
  });
  assert(socket.ok);
  socket.value.send(bytesOf('x'), addressOf(SERVER), 7);
  await net.until(() => heard === 1);
  assert.equal(net.counter('udpMappings'), udpMappingsPerGuestMax + 1);
  assert(net.counter('udpNatGuestFull') > 0);
});

test('a server that vanishes › found out, though the guest is alive and says nothing', async () => {
  const net = await TestNetwork.open();
  const guest = await net.guest('a');
  const accepted = serve(net, 80);
  const { ending } = await opened(net, guest, SERVER, 80);
  await net.until(() => accepted.length === 1);
  net.outside.unplug(net.server.host.device);
  await net.until(() => ending.how !== null, 400);
  assert.deepEqual([ending.how, net.counter('relays')], ['reset', 0]);
});

test('a guest that vanishes › its connections are found out, and broken off', async () => {
  const net = await TestNetwork.open();
  const guest = await net.guest('a');
  const accepted = serve(net, 80);
  await opened(net, guest, SERVER, 80);
  await net.until(() => accepted.length === 1);
  net.world.network.unplug(guest.host.device);
  await net.until(() => accepted[0]!.how !== null, 400);
  assert.deepEqual([accepted[0]!.how, net.counter('relays')], ['reset', 0]);
});
