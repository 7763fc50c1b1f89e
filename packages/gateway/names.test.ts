import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dnsType } from '#dns';
import { type GuestNames, NetworkNames } from './names.ts';
import { gatewayNetwork } from './network.ts';
import { addressOf, TestNetwork } from './test-network.ts';

const GUESTS: GuestNames = {
  addressesOf: (name) => (name === 'web' ? [addressOf('10.77.0.16')] : []),
  nameOf: (address) => (address === addressOf('10.77.0.16') ? 'web' : null),
};

function names(): NetworkNames {
  const network = gatewayNetwork('10.77.0.0/24');
  if (!network.ok) throw new TypeError(network.error.message);
  return new NetworkNames(network.value, GUESTS);
}

const found = (name: string, type: number = dnsType.a): unknown => names().lookup(name, type);
const MISSING = { kind: 'missing' };

test('names of the network › of guests with the domain and without it, both ways', () => {
  const web = { kind: 'addresses', addresses: ['10.77.0.16'] };
  assert.deepEqual([found('web.internal'), found('web')], [web, web]);
  assert.deepEqual(found('16.0.77.10.in-addr.arpa'), { kind: 'name', name: 'web.internal' });
  assert.deepEqual(found('1.0.77.10.in-addr.arpa'), { kind: 'name', name: 'gateway.internal' });
  assert.deepEqual(found('2.0.77.10.in-addr.arpa'), { kind: 'name', name: 'host.internal' });
  assert.deepEqual(found('17.0.77.10.in-addr.arpa'), MISSING);
  assert.deepEqual([found('nobody.internal'), found('nobody')], [MISSING, MISSING]);
  assert.deepEqual(found('internal'), { kind: 'empty' });
});

test('names of others › asked of others', () => {
  for (const name of ['example.org', 'web.example.org', 'xinternal.org', 'internal.org', '']) {
    assert.equal(found(name), null, name);
  }
  assert.equal(found('4.4.8.8.in-addr.arpa'), null);
  assert.equal(found('16.1.77.10.in-addr.arpa'), null);
  assert.equal(found('org', dnsType.soa), null, 'what isn’t about a host of a name without dots');
});

test('names that are nowhere, and localhost › answered here', () => {
  for (const name of ['invalid', 'a.invalid', 'x.onion']) {
    assert.deepEqual(found(name), MISSING);
    assert.deepEqual(found(name, dnsType.mx), MISSING);
  }
  const loopback = { kind: 'addresses', addresses: ['127.0.0.1', '::1'] };
  assert.deepEqual([found('localhost'), found('a.localhost')], [loopback, loopback]);
});

test('guests that call themselves localhost, host or gateway › have an address, and no name', async () => {
  const net = await TestNetwork.open();
  for (const name of ['localhost', 'host', 'Gateway']) {
    await net.guest(name);
    assert.equal(net.gateway.addressOf(name), null, name);
  }
  assert.deepEqual(
    net.gateway.leases().map(({ address, hostName }) => [address, hostName]),
    ['10.77.0.16', '10.77.0.17', '10.77.0.18'].map((address) => [address, null]),
  );
  assert.equal(net.counter('dhcpServerTakenNames'), 3);
});
