import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIpAddress, parseIpAddress, parseIpv6Address } from '#net';
import { gatewayNetwork } from './network.ts';
import {
  anyAddressOf,
  bytesOf,
  connect,
  Ending,
  type Machine,
  SERVER6,
  TestNetwork,
} from './test-network.ts';

const GATEWAY6 = 'fd6d:6f72:6761:4d0a::1';
const HOST6 = 'fd6d:6f72:6761:cd0a::2';

test('the network’s prefix › follows from the IPv4 network, another for another', () => {
  const prefixOf = (text: string): string => {
    const network = gatewayNetwork(text);
    assert(network.ok && network.value.ipv6 !== null);
    return formatIpAddress(network.value.ipv6.prefix);
  };
  assert.equal(prefixOf('10.77.0.0/24'), prefixOf('10.77.0.0/24'));
  assert.notEqual(prefixOf('10.77.0.0/24'), prefixOf('10.78.0.0/24'));
  const network = gatewayNetwork('10.77.0.0/24');
  assert(network.ok);
  assert.equal(formatIpAddress(network.value.ipv6!.address), GATEWAY6);
  assert.equal(formatIpAddress(network.value.ipv6!.hostAddress!), HOST6);
});

test('a guest › gets prefix, router and name server by advertisement', async () => {
  const net = await TestNetwork.open();
  const guest = await net.guest6('a');
  const global = guest.net.ipv6!.addresses.find(({ origin }) => origin === 'advertised');
  assert(formatIpAddress(global!.address).startsWith('fd6d:6f72:6761:4d0a:'));
  assert.deepEqual(guest.net.ipv6!.dnsServers.map(formatIpAddress), [GATEWAY6]);
  assert.deepEqual(guest.net.ipv6!.searchList, ['internal']);
});

async function opened(net: TestNetwork, guest: Machine, to: string): Promise<Ending> {
  const box = connect(guest.tcp, to, 80);
  await net.until(() => box.ending !== null || box.error !== null);
  assert.equal(box.error, null);
  return box.ending!;
}

test('TCP › to the world, and to the host by its address', async () => {
  const net = await TestNetwork.open();
  const guest = await net.guest6('a');
  net.server.tcp.listen(80, (flow) => {
    const ending = new Ending(flow, (bytes) => ending.flow.write(bytes.slice()));
  });
  for (const to of [SERVER6, HOST6]) {
    const ending = await opened(net, guest, to);
    assert.equal(ending.flow.remote.address, to);
    const big = bytesOf('0123456789'.repeat(20_000));
    ending.flow.write(big);
    await net.until(() => ending.bytes === big.length);
    ending.flow.abort();
  }
  await net.until(() => net.counter('relays') === 0);
});

test('TCP › nobody listens, no way there, the host when it isn’t allowed › told so', async () => {
  const net = await TestNetwork.open({ allowsHost: false });
  const guest = await net.guest6('a');
  const errorOf = async (to: string): Promise<string | null> => {
    const box = connect(guest.tcp, to, 80);
    await net.until(() => box.error !== null);
    return box.error;
  };
  assert.equal(await errorOf(SERVER6), 'refused');
  assert.equal(await errorOf('2001:db8:9::1'), 'unreachable');
  assert.equal(await errorOf(HOST6), 'unreachable');
  assert.equal(await errorOf(GATEWAY6), 'refused');
  const { tcpNatRefused, tcpNatUnreachable, tcpNatProhibited } = net.gateway.counters();
  assert.deepEqual([tcpNatRefused, tcpNatUnreachable, tcpNatProhibited], [1, 1, 1]);
});

test('UDP › a question and its answer, from who was asked; a large one in fragments', async () => {
  const net = await TestNetwork.open();
  const guest = await net.guest6('a');
  const echo = net.server.net.udp.open(7, {
    datagram: (bytes, source, port) => {
      assert(echo.ok && echo.value.send(bytes, source, port));
    },
  });
  const heard: [string, number][] = [];
  const socket = guest.net.udp.open(0, {
    datagram: (bytes, source) => heard.push([formatIpAddress(source), bytes.length]),
  });
  assert(socket.ok);
  for (const count of [10, 3_000]) {
    socket.value.send(new Uint8Array(count).fill(7), anyAddressOf(SERVER6), 7);
  }
  await net.until(() => heard.length === 2);
  assert.deepEqual(heard.sort(), [
    [SERVER6, 10],
    [SERVER6, 3_000],
  ]);
});

test('names › of gateway and host › both families', async () => {
  const net = await TestNetwork.open();
  const guest = await net.guest6('a');
  const answers: number[] = [];
  const socket = guest.net.udp.open(0, { datagram: (bytes) => answers.push(bytes[7]!) });
  assert(socket.ok);
  const question = bytesOf('\0\x01\x01\0\0\x01\0\0\0\0\0\0\x04host\x08internal\0\0\x1c\0\x01');
  socket.value.send(question, anyAddressOf(GATEWAY6), 53);
  await net.until(() => answers.length === 1);
  assert.deepEqual(answers, [1]);
});

test('a network without IPv6 › nothing is advertised, nothing taken', async () => {
  const net = await TestNetwork.open({ ipv6: null });
  const guest = await net.guest('a');
  guest.net.startIpv6({ secret: null, fixed: null });
  await net.wait(20);
  assert.equal(guest.net.ipv6!.isGlobal, false);
  assert.equal(parseIpAddress(SERVER6) === null, false);
  assert.notEqual(parseIpv6Address(GATEWAY6), null);
});
