/** Names that the network's owner gave, and guests that say them to DHCP. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Member } from './guests.ts';
import {
  addressOf,
  addressOfGuest,
  bytesOf,
  connect,
  Ending,
  type Machine,
  TestNetwork,
} from './test-network.ts';

const macOf = ({ net }: Machine): string =>
  Array.from(net.device.mac, (byte) => byte.toString(16).padStart(2, '0')).join(':');

async function opened(): Promise<{ net: TestNetwork; members: Member[] }> {
  const members: Member[] = [];
  const net = await TestNetwork.open({}, (host) => host, 5, members);
  return { net, members };
}

/** What it says to who connects. */
const serve = ({ tcp }: Machine, text: string): void => {
  tcp.listen(80, (flow) => void new Ending(flow).flow.write(bytesOf(text)));
};

test('a published port of a member › another says its name to DHCP › clients go to the member', async () => {
  const { net, members } = await opened();
  const web = await net.guest('web');
  members.push({ name: 'web', mac: macOf(web), address: null });
  serve(web, 'the web');
  const port = { protocol: 'tcp', hostAddress: null, hostPort: 80, guestPort: 80 } as const;
  assert((await net.gateway.publish({ ...port, guest: 'web' })).ok);
  const evil = await net.guest('web');
  serve(evil, 'evil');
  const client = connect(net.server.tcp, '192.0.2.1', 80);
  await net.until(() => (client.ending?.text ?? '') !== '');
  assert.equal(client.ending!.text, 'the web');
  assert.equal(net.gateway.addressOf('WEB'), addressOf(addressOfGuest(web)));
});

test('a member without an address yet, or that called itself nothing › its name is nobody’s, then its own', async () => {
  const { net, members } = await opened();
  const evil = await net.guest('db');
  assert.equal(net.gateway.addressOf('db'), addressOf(addressOfGuest(evil)));
  const quiet = await net.guest('');
  members.push({ name: 'db', mac: '02:00:00:00:00:07', address: null });
  assert.equal(net.gateway.addressOf('db'), null);
  members[0] = { name: 'db', mac: macOf(quiet), address: null };
  assert.equal(net.gateway.addressOf('db'), addressOf(addressOfGuest(quiet)));
  members.length = 0;
  assert.equal(net.gateway.addressOf('db'), addressOf(addressOfGuest(evil)));
});

test('a member with an address of its own › is found, without a lease', async () => {
  const { net, members } = await opened();
  const address = addressOf('10.77.0.9');
  members.push({ name: 'fix', mac: '02:00:00:00:00:07', address });
  assert.equal(net.gateway.addressOf('fix'), address);
});

test('names of addresses › a member’s, what others say unless it is a member’s', async () => {
  const { net, members } = await opened();
  const [web, evil, other] = [
    await net.guest('called-so'),
    await net.guest('web'),
    await net.guest('other'),
  ];
  members.push(
    { name: 'web', mac: macOf(web), address: null },
    { name: 'fix', mac: '02:00:00:00:00:07', address: addressOf('10.77.0.9') },
  );
  const nameOf = (guest: Machine): string | null =>
    net.gateway.nameOf(addressOf(addressOfGuest(guest)));
  assert.deepEqual([web, evil, other].map(nameOf), ['web', null, 'other']);
  assert.equal(net.gateway.nameOf(addressOf('10.77.0.9')), 'fix');
  assert.equal(net.gateway.nameOf(addressOf('10.77.0.99')), null);
});
