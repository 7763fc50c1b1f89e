import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  HOST,
  INSIDE,
  icmp,
  ip,
  OUTSIDE,
  packet,
  REMOTE,
  seenIcmp,
  seenUdp,
  TestNetwork,
  udp,
} from './test-network.ts';

test('UDP from inside › leaves from the outside address, its port kept; the answer comes back', () => {
  const network = new TestNetwork();
  const [sent] = network.out(udp(HOST, 5000, REMOTE, 53, 'question'));
  assert.deepEqual(seenUdp(sent), {
    source: OUTSIDE,
    sourcePort: 5000,
    destination: REMOTE,
    destinationPort: 53,
    body: 'question',
    ttl: 63,
  });
  const [answer] = network.in(udp(REMOTE, 53, OUTSIDE, 5000, 'answer'));
  assert.deepEqual(seenUdp(answer), {
    source: REMOTE,
    sourcePort: 53,
    destination: HOST,
    destinationPort: 5000,
    body: 'answer',
    ttl: 63,
  });
  assert.equal(network.counter('forwardedOut'), 1);
  assert.equal(network.counter('forwardedIn'), 1);
});

test('ping from inside › answered by the remote; the router answers pings to itself', () => {
  const network = new TestNetwork();
  const [request] = network.out(icmp(HOST, REMOTE, { word0: 9 }));
  assert.equal(request?.source, OUTSIDE);
  assert.equal(seenIcmp(request).word0, 9);
  const [reply] = network.in(icmp(REMOTE, OUTSIDE, { type: 0, word0: 9 }));
  assert.equal(reply?.destination, HOST);
  assert.equal(seenIcmp(reply).type, 0);
  network.inside.sendIpv4(icmp(HOST, INSIDE, {}));
  network.outside.sendIpv4(icmp(REMOTE, OUTSIDE, {}));
  network.wait();
  assert.equal(seenIcmp(network.inside.take()[0]).type, 0);
  assert.equal(seenIcmp(network.outside.take()[0]).type, 0);
});

test('time to live of 1 › the sender hears of it from the inside address', () => {
  const network = new TestNetwork();
  assert.deepEqual(network.out({ ...udp(HOST, 1, REMOTE, 33434), ttl: 1 }), []);
  const [error] = network.inside.take();
  assert.equal(error?.source, INSIDE);
  const { type, code, body } = seenIcmp(error);
  assert.deepEqual([type, code], [11, 0]);
  assert.deepEqual(body, packet({ ...udp(HOST, 1, REMOTE, 33434), ttl: 1 }));
});

test('no translation › addresses stay, both ways', () => {
  const network = new TestNetwork({ nat: null });
  assert.equal(seenUdp(network.out(udp(HOST, 7, REMOTE, 8))[0]).source, HOST);
  assert.equal(seenUdp(network.in(udp(REMOTE, 8, HOST, 7))[0]).destination, HOST);
});

test('the next hop is silent › host unreachable, as the sender knows its packet', () => {
  const network = new TestNetwork();
  network.outside.answers = false;
  const sent = udp(HOST, 5000, ip('198.51.100.77'), 53);
  network.out(sent);
  network.wait(5_000);
  const [error] = network.inside.take();
  assert.deepEqual([seenIcmp(error).type, seenIcmp(error).code], [3, 1]);
  assert.deepEqual(seenIcmp(error).body.subarray(12, 24), packet(sent).subarray(12, 24));
  assert.equal(network.counter('dropUnresolved'), 1);
});
