/** SYN cookies, RFC 4987 §3.6, and what half-open connections may take. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instantOfMicros, type SeqNumber, seqOf } from '#core';
import type { Flow } from '#device';
import type { IpAddress } from '../ip.ts';
import { Ipv6Address } from '../ipv6-address.ts';
import { memoryBytesMin, memoryLevels } from '../limits.ts';
import { emptyTcpOptions, type TcpOptions } from '../wire/tcp.ts';
import { CONNECTION_BYTES, COOKIE_PERIOD } from './limits.ts';
import { SynCookies } from './syn-cookies.ts';
import { HERE, Random, seededEntropy, THERE } from './test-link.ts';
import { Journal, Script } from './test-script.ts';

const HALF_OPEN_MAX = Math.floor((memoryBytesMin * memoryLevels.halfOpen.own) / CONNECTION_BYTES);
const SYN = { mss: 1460, windowShift: 7, sackPermitted: true };
const NOW = instantOfMicros(1_000_000);
const PORTS = (4_000 << 16) | 80;
const optionsOf = (some: Partial<TcpOptions>): TcpOptions => ({ ...emptyTcpOptions(), ...some });

interface Flooded {
  readonly s: Script;
  readonly flows: Flow[];
  /** What to acknowledge of the next SYN-ACK. */
  answer(): number;
}

/** A listener whose half-open connections are as many as may be. */
function flooded(): Flooded {
  const s = new Script({ memoryBytes: memoryBytesMin });
  const flows: Flow[] = [];
  s.stack.listen(80, (flow) => {
    flows.push(flow);
    flow.attach(s.journal);
  });
  for (let i = 0; i < HALF_OPEN_MAX; i++) s.in('S', 0, null, { peerPort: 10_000 + i });
  assert.equal(s.count('connections'), HALF_OPEN_MAX);
  assert.equal(s.count('cookies'), 0);
  s.out = [];
  return { s, flows, answer: () => seqOf(s.last().seq + 1 - s.firstSeq) };
}

test('half-open bound › at it entries, one more › a cookie with our options, no memory', () => {
  const { s, flows, answer } = flooded();
  const { usedBytes } = s.stack.memory;
  s.in('S', 0, null, { options: SYN });
  assert.equal(s.count('cookies'), 1);
  assert.equal(s.count('connections'), HALF_OPEN_MAX);
  assert.equal(s.stack.memory.usedBytes, usedBytes);
  const { flags, window, options } = s.out[0]!.repr;
  assert.deepEqual([flags, window], [18, 65_535]);
  assert.deepEqual([options.mss, options.windowShift, options.sackPermitted], [1460, 5, true]);
  s.in('.', 1, answer(), { window: 100 });
  assert.equal(flows.length, 1);
  assert.deepEqual(flows[0]!.remote, { address: '10.0.0.2', port: 4000 });
  // The window of the ACK is scaled as the cookie says.
  const [opened] = s.stack.connections().filter((c) => c.state === 'ESTABLISHED');
  assert.equal(opened!.sendWindowBytes, 12_800);
  assert.equal(opened!.mssBytes, 1460);
});

test('cookie › its ACK is lost, data comes › opens with the data', () => {
  const { s, answer } = flooded();
  s.in('S', 0, null);
  s.in('P.', 1, answer(), { payload: 'hello' });
  assert.deepEqual(s.journal.events, ['data hello']);
  assert.equal(s.count('cookiesOpened'), 1);
});

test('cookie › what is written › leaves with the size and scale that the SYN asked for', () => {
  const { s, flows, answer } = flooded();
  s.in('S', 0, null, { options: { mss: 1_300, windowShift: 3 } });
  s.in('.', 1, answer(), { window: 1_000 });
  flows[0]!.write(new Uint8Array(10_000));
  s.turn();
  // Rounded down: 1,220 of 1,300 and a shift of 2 for 3.
  assert.deepEqual(
    s.out.map(({ repr }) => repr.payload.length),
    [1_220, 1_220, 1_220],
  );
});

test('cookie › the peer offers no option › none in the answer', () => {
  const { s } = flooded();
  s.in('S', 0, null);
  const { options } = s.out[0]!.repr;
  assert.deepEqual([options.windowShift, options.sackPermitted], [-1, false]);
});

test('cookie › the peer has timestamps › in the answer, and in all that follows', () => {
  const { s, flows, answer } = flooded();
  const stamps = { hasTimestamps: true, timestamp: 5_000 };
  s.in('S', 0, null, { options: { ...SYN, ...stamps } });
  const { options } = s.out[0]!.repr;
  assert.deepEqual([options.hasTimestamps, options.timestampEcho], [true, 5_000]);
  s.wait(50_000);
  const ack = answer();
  const echo = { timestampEcho: options.timestamp };
  s.in('.', 1, ack, { options: { ...stamps, ...echo, timestamp: 5_050 } });
  flows[0]!.write(new Uint8Array(3_000));
  s.turn();
  const data = s.out.map(({ repr }) => [repr.payload.length, repr.options.timestampEcho]);
  assert.deepEqual(data[0], [1_448, 5_050]);
  // From an earlier time: dropped, RFC 7323 §5.3.
  s.out = [];
  s.in('P.', 1, ack, { payload: 'old', options: { ...stamps, timestamp: 4_000 } });
  assert.deepEqual(s.journal.events, []);
});

test('cookie › acknowledged by a SYN-ACK › RST, nothing is kept', () => {
  const { s, flows, answer } = flooded();
  s.in('S', 0, null);
  const ack = answer();
  const { usedBytes } = s.stack.memory;
  s.in('S.', 1, ack);
  assert.equal(flows.length, 0);
  assert.equal(s.stack.memory.usedBytes, usedBytes);
  assert.deepEqual(s.sent(), [`R ${ack}`]);
});

test('cookie › opens › measures no round trip: the timeout is still a second', () => {
  const { s, flows, answer } = flooded();
  s.in('S', 0, null);
  s.in('.', 1, answer());
  const [opened] = s.stack.connections().filter((c) => c.state === 'ESTABLISHED');
  assert.equal(opened!.retransmitTimeoutMicros, 1_000_000);
  assert.equal(flows.length, 1);
});

test('cookie › acknowledged twice › the second finds the connection', () => {
  const { s, flows, answer } = flooded();
  s.in('S', 0, null);
  const ack = answer();
  s.in('.', 1, ack);
  s.in('.', 1, ack);
  assert.equal(flows.length, 1);
  assert.equal(s.count('cookiesOpened'), 1);
});

for (const [what, ackMore, seqMore, peerPort] of [
  ['another number', 1, 0, 4_000],
  ['the bits that say the MSS changed', 2, 0, 4_000],
  ["a hash's bit changed", 128, 0, 4_000],
  ["the peer's sequence number is another", 0, 1, 4_000],
  ['from another port', 0, 0, 4_001],
] as const) {
  test(`forged cookie › ${what} › RST, nothing opens`, () => {
    const { s, flows, answer } = flooded();
    s.in('S', 0, null);
    const ack = answer();
    s.in('.', 1 + seqMore, ack + ackMore, { peerPort });
    assert.equal(flows.length, 0);
    assert.equal(s.count('badCookie'), 1);
    assert.deepEqual(s.sent(), [`R ${ack + ackMore}`]);
  });
}

test('cookie › after 16 s, after 32 s › good, no more', () => {
  for (const [age, opens] of [
    [COOKIE_PERIOD, 1],
    [2 * COOKIE_PERIOD, 0],
  ] as const) {
    const { s, flows, answer } = flooded();
    s.in('S', 0, null);
    const ack = answer();
    s.wait(age);
    s.out = [];
    s.in('.', 1, ack);
    assert.equal(flows.length, opens);
  }
});

test('no cookie was made lately › an ACK of a number that is one › RST without a look', () => {
  const s = new Script();
  s.stack.listen(80, () => assert.fail('not opened'));
  s.in('.', 1, 1);
  assert.deepEqual(s.sent(), ['R 1']);
});

test('memory for connections is full › a good cookie › silence, opens when there is room', () => {
  const { s, flows, answer } = flooded();
  const { received } = s.stack.tcpMemory;
  const bytes = memoryBytesMin - s.stack.memory.usedBytes;
  assert.ok(received.take(bytes));
  s.in('S', 0, null);
  const ack = answer();
  s.in('P.', 1, ack, { payload: 'x' });
  assert.deepEqual([flows.length, s.sent()], [0, []]);
  assert.equal(s.count('connectionsFull'), 1);
  received.give(bytes);
  s.in('P.', 1, ack, { payload: 'x' });
  assert.deepEqual(s.journal.events, ['data x']);
});

test('read › what was made, in any case › no more than the SYN said', () => {
  const cookies = new SynCookies(seededEntropy(3));
  const random = new Random(4);
  const remotes: IpAddress[] = [THERE, new Ipv6Address(0x20010db8, 0, 0, 7)];
  for (let i = 0; i < 3_000; i++) {
    const remote = remotes[i % 2]!;
    const seq = seqOf(Math.floor(random.next() * 2 ** 32));
    const mss = random.next() < 0.1 ? 0 : Math.floor(random.next() * 2_000);
    const windowShift = Math.floor(random.next() * 17) - 1;
    const sackPermitted = random.next() < 0.5;
    const options = optionsOf({ mss, windowShift, sackPermitted });
    const cookie = cookies.make(NOW, HERE, remote, PORTS, seq, options);
    const facts = cookies.read(NOW, HERE, remote, PORTS, seq, cookie);
    assert.ok(facts !== null);
    assert.equal(facts.sackPermitted, sackPermitted);
    assert.ok(facts.windowShift <= windowShift);
    assert.equal(facts.windowShift < 0, windowShift < 0);
    assert.ok(facts.mss <= Math.max(88, mss === 0 ? 536 : mss));
    assert.equal(cookies.read(NOW, HERE, remote, PORTS, seqOf(seq + 1), cookie), null);
  }
});

test('read › a hundred thousand guesses › none is taken for a cookie', () => {
  const cookies = new SynCookies(seededEntropy(5));
  const random = new Random(6);
  const options = optionsOf({});
  cookies.make(NOW, HERE, THERE, PORTS, 0, options);
  for (let i = 0; i < 100_000; i++) {
    const guess = Math.floor(random.next() * 2 ** 32) | 0;
    assert.equal(cookies.read(NOW, HERE, THERE, PORTS, 0, guess as SeqNumber), null);
  }
});

test('make › a minute without cookies › old keys are forgotten, new ones work', () => {
  const cookies = new SynCookies(seededEntropy(7));
  const old = cookies.make(NOW, HERE, THERE, PORTS, 0, optionsOf({}));
  const later = instantOfMicros(61e6);
  const fresh = cookies.make(later, HERE, THERE, PORTS, 0, optionsOf({}));
  assert.notEqual(old, fresh);
  assert.equal(cookies.read(later, HERE, THERE, PORTS, 0, old), null);
  assert.ok(cookies.read(later, HERE, THERE, PORTS, 0, fresh) !== null);
});

test('the listener closes › a good cookie › RST', () => {
  const s = new Script({ memoryBytes: memoryBytesMin });
  const listening = s.stack.listen(80, (flow) => flow.attach(new Journal()));
  assert.ok(listening.ok);
  for (let i = 0; i < HALF_OPEN_MAX; i++) s.in('S', 0, null, { peerPort: 10_000 + i });
  s.in('S', 0, null);
  const ack = seqOf(s.last().seq + 1 - s.firstSeq);
  listening.value.close();
  s.in('.', 1, ack);
  assert.deepEqual(s.sent(), [`R ${ack}`]);
});
