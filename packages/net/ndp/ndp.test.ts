import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ndpNeighborsMax, ndpQueuePacketsMax, ndpSolicitationsMax } from '../ipv6/limits.ts';
import { Ipv6TestLink, ip6, NEIGHBOR, ROUTER } from '../ipv6/test-link.ts';
import { IPV6_ANY, type Ipv6Address, solicitedNodeOf } from '../ipv6-address.ts';
import { formatIpv6Address } from '../ipv6-text.ts';
import {
  formatMac,
  ICMPV6_ECHO_REPLY,
  NDP_NEIGHBOR_ADVERTISEMENT,
  NDP_NEIGHBOR_SOLICITATION,
  NDP_REDIRECT,
  NDP_ROUTER_SOLICITATION,
  type NdpRepr,
} from '../wire/index.ts';

const text = formatIpv6Address;
const MAC2 = Uint8Array.of(2, 0, 0, 0, 0, 0x22);

function advertisement(
  link: Ipv6TestLink,
  target: Ipv6Address,
  more: Partial<Extract<NdpRepr, { type: 136 }>> = {},
): NdpRepr {
  return {
    type: NDP_NEIGHBOR_ADVERTISEMENT,
    isRouter: false,
    isSolicited: true,
    isOverride: true,
    target,
    options: [link.linkAddress(2)],
    ...more,
  };
}

function solicitation(target: Ipv6Address, link: Ipv6TestLink | null = null): NdpRepr {
  const options = link === null ? [] : [link.linkAddress(1)];
  return { type: NDP_NEIGHBOR_SOLICITATION, target, options };
}

/** Sends a UDP message to `to`. */
function speak(link: Ipv6TestLink, to: Ipv6Address, count = 1): void {
  const opened = link.stack.udp.open(0, { datagram() {} });
  assert.ok(opened.ok);
  for (let i = 0; i < count; i++) opened.value.send(Uint8Array.of(i), to, 9);
  opened.value.close();
  link.wait(1);
}

test('start › asks for duplicates and routers at once, from an address that may be another host', () => {
  const link = new Ipv6TestLink().start();
  link.wait(1);
  const own = text(link.linkLocal);
  assert.match(own, /^fe80::[0-9a-f:]+$/);
  assert.deepEqual(link.takeNdp(), [
    `:: > ${text(solicitedNodeOf(link.linkLocal))} who has ${own} [nonce]`,
    `${own} > ff02::2 router solicitation []`,
  ]);
  link.wait(1_500);
  // Surely ours by now.
  assert.deepEqual(link.takeNdp(), [`${own} > ff02::2 router solicitation [link address]`]);
});

test('no router answers › asked for ever more slowly, at most once an hour (RFC 7559)', () => {
  const link = new Ipv6TestLink().start();
  const counts = [60, 3_600, 36_000].map((seconds) => {
    link.heard.length = 0;
    link.wait(seconds * 1_000);
    return link.takeNdp().filter((line) => line.includes('router solicitation')).length;
  });
  assert.ok(counts[0]! >= 6 && counts[0]! <= 8, `${counts}`);
  assert.ok(counts[1]! >= 5 && counts[1]! <= 8, `${counts}`);
  assert.ok(counts[2]! >= 9 && counts[2]! <= 12, `${counts}`);
});

test('asked for our address › answered to the asker, solicited; overriding once it is sure', () => {
  for (const isSure of [false, true]) {
    const link = new Ipv6TestLink().start();
    link.wait(isSure ? 2_000 : 10);
    link.heard.length = 0;
    link.sendNdp(solicitation(link.linkLocal, link));
    const [heard] = link.takeIpv6();
    const { target, isSolicited, isOverride, isRouter } = heard!.ndp as Extract<
      NdpRepr,
      { type: 136 }
    >;
    assert.ok(target.equals(link.linkLocal) && heard!.ip.destination.equals(NEIGHBOR));
    assert.deepEqual([isSolicited, isOverride, isRouter], [true, isSure, false]);
    assert.equal(formatMac(heard!.macTo), formatMac(link.peer.mac));
  }
});

test('asked by unicast without a link address › answered to where the frame came from', () => {
  const link = new Ipv6TestLink().online();
  link.sendNdp(solicitation(link.linkLocal));
  const [heard] = link.takeIpv6();
  assert.equal(heard?.ndp?.type, NDP_NEIGHBOR_ADVERTISEMENT);
  assert.equal(formatMac(heard.macTo), formatMac(link.peer.mac));
});

const bad: readonly [string, (link: Ipv6TestLink) => void, string][] = [
  [
    'a hop limit below 255',
    (link) => link.sendNdp(solicitation(link.linkLocal, link), { hopLimit: 254 }),
    'ndpForwarded',
  ],
  ['a group as target', (link) => link.sendNdp(solicitation(ip6('ff02::1'), link)), 'ndpInvalid'],
  ['a target that is not ours', (link) => link.sendNdp(solicitation(NEIGHBOR, link)), 'ndpForeign'],
  [
    'a probe with a link address',
    (link) =>
      link.sendNdp(solicitation(link.linkLocal, link), {
        source: IPV6_ANY,
        destination: solicitedNodeOf(link.linkLocal),
      }),
    'ndpInvalid',
  ],
  [
    'a probe to all nodes',
    (link) =>
      link.sendNdp(solicitation(link.linkLocal), {
        source: IPV6_ANY,
        destination: ip6('ff02::1'),
      }),
    'ndpInvalid',
  ],
  [
    'a link address that no station has',
    (link) =>
      link.sendNdp({
        ...solicitation(link.linkLocal),
        options: [{ kind: 'link address', type: 1, mac: new Uint8Array(6) }],
      }),
    'ndpInvalid',
  ],
  [
    'a solicited advertisement to all',
    (link) => link.sendNdp(advertisement(link, NEIGHBOR), { destination: ip6('ff02::1') }),
    'ndpInvalid',
  ],
  [
    'a router advertisement from a global address',
    (link) => link.advertise({}, { source: ip6('2001:db8::9') }),
    'ndpInvalid',
  ],
  [
    'an unasked advertisement of a neighbour that nobody knows',
    (link) => link.sendNdp(advertisement(link, NEIGHBOR)),
    'ndpUnasked',
  ],
  [
    'a redirect, from the router itself',
    (link) =>
      link.sendNdp(
        { type: NDP_REDIRECT, target: NEIGHBOR, destination: ip6('2001:db8::9'), options: [] },
        { source: ROUTER },
      ),
    'ndpRedirects',
  ],
];
for (const [name, send, counter] of bad) {
  test(`received › ${name} › counted, nothing else`, () => {
    const link = new Ipv6TestLink().online();
    const before = link.counter(counter);
    send(link);
    link.wait(100);
    assert.equal(link.counter(counter), before + 1);
    assert.deepEqual(link.takeNdp(), []);
  });
}

test('received › a solicitation for routers › of no concern', () => {
  const link = new Ipv6TestLink().online();
  link.sendNdp({ type: NDP_ROUTER_SOLICITATION, options: [] });
  assert.deepEqual(link.takeNdp(), []);
});

test('packets to an unknown neighbour › wait; its answer sends the newest of them', () => {
  const link = new Ipv6TestLink().online();
  speak(link, NEIGHBOR, ndpQueuePacketsMax + 1);
  assert.deepEqual(link.takeNdp(), [
    `${text(link.linkLocal)} > ${text(solicitedNodeOf(NEIGHBOR))} who has fe80::2 [link address]`,
  ]);
  assert.equal(link.counter('ndpQueueDropped'), 1);
  assert.ok(link.stack.memory.use().neighborPackets! > 0);
  link.sendNdp(advertisement(link, NEIGHBOR));
  const payloads = link.takeIpv6().map(({ ip }) => ip.payload.at(-1));
  assert.deepEqual(payloads, [1, 2, 3, 4, 5, 6, 7, 8]);
  assert.equal(link.stack.memory.use().neighborPackets, 0);
});

test('a neighbour that never answers › asked three times, then its packets are dropped', () => {
  const link = new Ipv6TestLink().online();
  speak(link, NEIGHBOR);
  link.wait(10_000);
  assert.equal(link.takeNdp().length, ndpSolicitationsMax);
  assert.deepEqual([link.counter('ndpGaveUp'), link.counter('ndpQueueDropped')], [1, 1]);
  assert.equal(link.stack.memory.use().neighborPackets, 0);
});

test('a neighbour in use › probed by unicast when its confirmation is old, lost when it is silent', () => {
  const link = new Ipv6TestLink().online();
  speak(link, NEIGHBOR);
  link.sendNdp(advertisement(link, NEIGHBOR));
  link.wait(31_000);
  link.takeNdp();
  speak(link, NEIGHBOR); // Stale: sent at once, and confirmed within five seconds or probed.
  assert.equal(link.takeIpv6().length, 1);
  link.wait(5_000);
  const probes = link.takeIpv6();
  assert.deepEqual(
    probes.map(({ ndp, ip }) => [ndp?.type, text(ip.destination)]),
    [[NDP_NEIGHBOR_SOLICITATION, 'fe80::2']],
  );
  link.sendNdp(advertisement(link, NEIGHBOR));
  link.wait(20_000);
  assert.deepEqual(link.takeNdp(), [], 'confirmed');
  link.wait(12_000);
  speak(link, NEIGHBOR);
  link.takeNdp();
  link.wait(9_000);
  assert.equal(link.takeNdp().length, ndpSolicitationsMax);
  assert.equal(link.counter('ndpGaveUp'), 1);
});

test('advertisements of a known neighbour › override moves it, without it only makes us ask', () => {
  const link = new Ipv6TestLink().online();
  const macTo = (): string => {
    speak(link, NEIGHBOR);
    return formatMac(link.takeIpv6()[0]!.macTo);
  };
  speak(link, NEIGHBOR);
  link.sendNdp(advertisement(link, NEIGHBOR));
  link.takeIpv6();
  const options = [{ kind: 'link address', type: 2, mac: MAC2 }] as const;
  link.sendNdp(advertisement(link, NEIGHBOR, { isOverride: false, isSolicited: false, options }));
  assert.equal(macTo(), formatMac(link.peer.mac), 'not believed');
  link.wait(5_100);
  assert.equal(link.takeNdp().length, 1, 'but probed');
  link.sendNdp(advertisement(link, NEIGHBOR, { isSolicited: false, options }));
  assert.equal(macTo(), formatMac(MAC2));
});

test('as many neighbours as the cache holds, and one more › one that we never spoke to leaves', () => {
  const link = new Ipv6TestLink().online();
  speak(link, NEIGHBOR);
  link.sendNdp(advertisement(link, NEIGHBOR));
  for (let i = 0; i < ndpNeighborsMax - 2; i++) {
    link.sendNdp(solicitation(link.linkLocal, link), { source: ip6(`fe80::1:${i.toString(16)}`) });
  }
  assert.equal(link.counter('ndpEvicted'), 0, 'the router, the neighbour and these fit');
  link.sendNdp(solicitation(link.linkLocal, link), { source: ip6('fe80::2:1') });
  assert.equal(link.counter('ndpEvicted'), 1);
  link.takeIpv6();
  speak(link, NEIGHBOR);
  assert.equal(link.takeIpv6().length, 1, 'the one in use stayed');
});

test('full › packets to many that never answer › the router that did stays (RFC 6583)', () => {
  const link = new Ipv6TestLink().online();
  speak(link, ip6('2001:db8:ffff::1'));
  for (let i = 0; i < 2 * ndpNeighborsMax; i++) {
    speak(link, ip6(`2001:db8:0:1::${(i + 1).toString(16)}`));
  }
  assert.ok(link.counter('ndpEvicted') >= ndpNeighborsMax);
  link.takeIpv6();
  speak(link, ip6('2001:db8:ffff::1'));
  assert.deepEqual(
    link.takeIpv6().map(({ ip }) => text(ip.destination)),
    ['2001:db8:ffff::1'],
    'sent at once, and nobody asked for',
  );
});

test('duplicate › somebody answers for an optimistic address › another one, and a warning', () => {
  const link = new Ipv6TestLink().start();
  link.wait(10);
  const first = link.linkLocal;
  link.sendNdp(advertisement(link, first, { isSolicited: false }), {
    destination: ip6('ff02::1'),
    source: first,
  });
  // Its source is ours: a packet like that is dropped, and so must not count.
  assert.equal(link.counter('ipv6SourceOurs'), 1);
  link.sendNdp(advertisement(link, first, { isSolicited: false }), {
    destination: ip6('ff02::1'),
  });
  assert.ok(!link.linkLocal.equals(first));
  assert.equal(link.counter('dadDuplicates'), 1);
  assert.ok(link.world.lines.some((line) => line.includes(`${text(first)} is another host's`)));
  link.wait(3_000);
  assert.equal(link.counter('slaacDuplicates'), 1, 'the second one is ours');
});

test('duplicate › somebody else asks too › another one; our own question back › no rival', () => {
  for (const isLoop of [false, true]) {
    const link = new Ipv6TestLink().start();
    link.wait(10);
    const first = link.linkLocal;
    const probe = link.takeIpv6().find(({ ndp }) => ndp?.type === NDP_NEIGHBOR_SOLICITATION)!.ndp!;
    const options = isLoop ? probe.options : [];
    link.sendNdp(
      { type: NDP_NEIGHBOR_SOLICITATION, target: first, options },
      { source: IPV6_ANY, destination: solicitedNodeOf(first) },
    );
    assert.equal(link.linkLocal.equals(first), isLoop);
    assert.deepEqual(
      [link.counter('dadLoops'), link.counter('dadDuplicates')],
      isLoop ? [1, 0] : [0, 1],
    );
  }
});

test('duplicate › every address is taken › gives up after four, and says so', () => {
  const link = new Ipv6TestLink().start();
  for (let i = 0; i < 6 && link.stack.ipv6!.addresses.length > 0; i++) {
    const target = link.linkLocal;
    link.wait(10);
    link.sendNdp(advertisement(link, target, { isSolicited: false }), {
      destination: ip6('ff02::1'),
    });
  }
  assert.deepEqual(link.stack.addresses(), []);
  assert.equal(link.counter('slaacDuplicates'), 4);
  link.wait(60_000);
});

test('an address that is ours › a rival asks or claims › told, at most every ten seconds', () => {
  const link = new Ipv6TestLink().online();
  const own = link.linkLocal;
  const to = { source: IPV6_ANY, destination: solicitedNodeOf(own) };
  link.sendNdp({ type: NDP_NEIGHBOR_SOLICITATION, target: own, options: [] }, to);
  assert.deepEqual(link.takeNdp(), [`${text(own)} > ff02::1 ${text(own)} is here [link address]`]);
  const options = [{ kind: 'link address', type: 2, mac: MAC2 }] as const;
  for (const wait of [0, 9_000, 1_100]) {
    link.wait(wait);
    link.sendNdp(advertisement(link, own, { isSolicited: false, options }), {
      destination: ip6('ff02::1'),
    });
  }
  assert.equal(link.takeNdp().length, 2);
  assert.equal(link.counter('ndpConflicts'), 3);
  assert.ok(link.linkLocal.equals(own), 'kept');
});

test('echo › to an optimistic address › answered, once the neighbour is known', () => {
  const link = new Ipv6TestLink().start();
  link.wait(10);
  link.heard.length = 0;
  link.sendIcmpv6({});
  assert.deepEqual(link.takeNdp(), [], 'not asked with an address that may be another host');
  link.wait(2_500);
  assert.equal(link.takeNdp().filter((line) => line.includes('who has fe80::2')).length, 2);
  link.sendNdp(advertisement(link, NEIGHBOR));
  assert.equal(link.takeIpv6()[0]?.icmp?.type, ICMPV6_ECHO_REPLY);
});
