/** Wire modules of IPv6: headers, ICMPv6, neighbour discovery, multicast listeners, DHCPv6. */

import { hot, writeU16be } from '#core';
import { Ipv6Address, prefixOf } from '#net';
import {
  DHCPV6_INFORMATION_REQUEST,
  DHCPV6_REPLY,
  dhcpv6Empty,
  duidOf,
  emitDhcpv6,
  emitFragmentHeader,
  emitIcmpv6,
  emitIpv6,
  emitMld,
  emitNdp,
  emitOptionsHeader,
  emitRoutingHeader,
  formatDhcpv6,
  formatFragmentHeader,
  formatIcmpv6,
  formatIpv6,
  formatMld,
  formatNdp,
  formatOptionsHeader,
  formatRoutingHeader,
  MLD_CHANGE_TO_EXCLUDE,
  MLD_DONE_V1,
  MLD_REPORT_V1,
  type MldRepr,
  type NdpOption,
  type NdpRepr,
  OPTION_ROUTER_ALERT,
  parseDhcpv6,
  parseFragmentHeader,
  parseIcmpv6,
  parseIpv6,
  parseMld,
  parseNdp,
  parseOptionsHeader,
  parseRoutingHeader,
} from '#net/wire';
import type { SimRandom } from '#targets/sim/index';
import { bytesOf, type WireCase, wireCase } from './wire-case.ts';

const address = (random: SimRandom): Ipv6Address => {
  const word = (): number => random.u32() - 0x8000_0000;
  return new Ipv6Address(word(), word(), word(), word());
};

/** The exact bytes that `emit` writes. */
function written(emit: (to: Uint8Array) => number): Uint8Array {
  const to = new Uint8Array(4096);
  return to.slice(0, emit(to));
}

const ipv6 = wireCase({
  name: 'ipv6',
  parse: parseIpv6,
  emit: (to, repr) => emitIpv6(to, 0, repr),
  format: formatIpv6,
  seeds: (random) =>
    [0, 7, 40].map((count) =>
      written((to) =>
        emitIpv6(to, 0, {
          trafficClass: random.below(256),
          flowLabel: random.below(0x100000),
          nextHeader: random.below(256),
          hopLimit: random.below(256),
          source: address(random),
          destination: address(random),
          payload: bytesOf(random, count),
        }),
      ),
    ),
});

const optionsHeader = wireCase({
  name: 'ipv6 options header',
  parse: parseOptionsHeader,
  emit: (to, repr) => emitOptionsHeader(to, 0, repr),
  format: formatOptionsHeader,
  seeds: (random) =>
    [[2], [3, 5], [100, 1], []].map((sizes) =>
      written((to) =>
        emitOptionsHeader(to, 0, {
          nextHeader: 58,
          options: sizes.map((count, i) => ({
            type: i === 0 ? OPTION_ROUTER_ALERT : 2 + random.below(254),
            value: bytesOf(random, count),
          })),
        }),
      ),
    ),
});

const routingHeader = wireCase({
  name: 'ipv6 routing header',
  parse: parseRoutingHeader,
  emit: (to, repr) => emitRoutingHeader(to, 0, repr),
  format: formatRoutingHeader,
  seeds: (random) =>
    [4, 20, 36].map((count) =>
      written((to) =>
        emitRoutingHeader(to, 0, {
          nextHeader: 6,
          type: random.below(256),
          segmentsLeft: random.below(256),
          data: bytesOf(random, count),
        }),
      ),
    ),
});

const fragmentHeader = wireCase({
  name: 'ipv6 fragment header',
  parse: parseFragmentHeader,
  emit: (to, repr) => emitFragmentHeader(to, 0, repr),
  format: formatFragmentHeader,
  seeds: (random) => [
    written((to) =>
      emitFragmentHeader(to, 0, {
        nextHeader: 17,
        offset: random.below(8192) * 8,
        isMore: random.chance(0.5),
        identification: random.u32(),
      }),
    ),
  ],
});

const icmpv6 = wireCase({
  name: 'icmpv6',
  parse: (b) => parseIcmpv6(b, 1_234),
  emit: (to, repr) => emitIcmpv6(to, 0, repr, 1_234),
  format: formatIcmpv6,
  repair(b) {
    if (b.length < 8) return;
    writeU16be(b, 2, 0);
    writeU16be(b, 2, 0xffff - hot.checksum(b, 0, b.length, 1_234));
  },
  seeds: (random) =>
    [1, 2, 3, 4, 128, 129].map((type) =>
      written((to) =>
        emitIcmpv6(
          to,
          0,
          { type, code: random.below(5), word: random.u32(), body: bytesOf(random, 57) },
          1_234,
        ),
      ),
    ),
});

function ndpOptions(random: SimRandom): NdpOption[] {
  const prefixBits = random.below(129);
  const prefix = prefixOf(address(random), prefixBits);
  const lifetimeSeconds = random.u32();
  return [
    { kind: 'link address', type: random.pick([1, 2] as const), mac: bytesOf(random, 6) },
    {
      kind: 'prefix',
      prefixBits,
      isOnLink: random.chance(0.5),
      isAutonomous: random.chance(0.5),
      validSeconds: lifetimeSeconds,
      preferredSeconds: random.u32(),
      prefix,
    },
    { kind: 'redirected', packet: bytesOf(random, 48) },
    { kind: 'mtu', mtuBytes: random.u32() },
    { kind: 'nonce', nonce: bytesOf(random, 6) },
    { kind: 'route', prefixBits, preference: random.pick([-1, 0, 1]), lifetimeSeconds, prefix },
    { kind: 'dns servers', lifetimeSeconds, servers: [address(random), address(random)] },
    { kind: 'search list', lifetimeSeconds, names: ['example.org', 'a.b'] },
    { kind: 'other', type: 38, value: bytesOf(random, 14) },
  ];
}

const ndp = wireCase({
  name: 'ndp',
  parse: parseNdp,
  emit: (to, repr) => emitNdp(to, 0, repr),
  format: formatNdp,
  seeds(random) {
    const options = ndpOptions(random);
    const target = address(random);
    const flags = { isRouter: true, isSolicited: false, isOverride: random.chance(0.5) };
    const reprs: NdpRepr[] = [
      { type: 133, options: options.slice(0, 1) },
      {
        type: 134,
        hopLimit: 64,
        isManaged: false,
        isOther: random.chance(0.5),
        preference: random.pick([-1, 0, 1]),
        lifetimeSeconds: random.below(0x10000),
        reachableMillis: random.u32(),
        retransmitMillis: random.u32(),
        options,
      },
      { type: 135, target, options: options.slice(0, 5) },
      { type: 136, ...flags, target, options: options.slice(0, 1) },
      { type: 137, target, destination: address(random), options: options.slice(0, 3) },
    ];
    return reprs.map((repr) => written((to) => emitNdp(to, 0, repr)));
  },
});

const mld = wireCase({
  name: 'mld',
  parse: parseMld,
  emit: (to, repr) => emitMld(to, 0, repr),
  format: formatMld,
  seeds(random) {
    const sources = Array.from({ length: random.below(4) }, () => address(random));
    const group = address(random);
    const query = { kind: 'query', responseCode: random.below(0x10000), group } as const;
    const old = { suppress: false, robustness: 0, intervalCode: 0, sources: [] };
    const reprs: MldRepr[] = [
      { ...query, version: 2, suppress: true, robustness: 2, intervalCode: 125, sources },
      { ...query, version: 1, ...old },
      { kind: 'group', type: MLD_REPORT_V1, group },
      { kind: 'group', type: MLD_DONE_V1, group },
      {
        kind: 'records',
        records: [
          { type: MLD_CHANGE_TO_EXCLUDE, group, sources: [] },
          { type: random.below(256), group, sources },
        ],
      },
    ];
    return reprs.map((repr) => written((to) => emitMld(to, 0, repr)));
  },
});

const dhcpv6 = wireCase({
  name: 'dhcpv6',
  parse: parseDhcpv6,
  emit: emitDhcpv6,
  format: formatDhcpv6,
  seeds: (random) => [
    written((to) =>
      emitDhcpv6(to, {
        ...dhcpv6Empty(DHCPV6_REPLY, random.below(0x1000000)),
        clientId: duidOf(bytesOf(random, 6)),
        serverId: bytesOf(random, 14),
        status: 0,
        dnsServers: [address(random), address(random)],
        searchList: ['example.org', 'b'],
        refreshSeconds: random.u32(),
        informationRetrySecondsMax: random.u32(),
      }),
    ),
    written((to) =>
      emitDhcpv6(to, {
        ...dhcpv6Empty(DHCPV6_INFORMATION_REQUEST, 1),
        clientId: bytesOf(random, 130),
        requested: [23, 24, 32, 83],
        elapsed: random.below(0x10000),
      }),
    ),
  ],
});

export const ipv6Cases: readonly WireCase[] = [
  ipv6,
  optionsHeader,
  routingHeader,
  fragmentHeader,
  icmpv6,
  ndp,
  mld,
  dhcpv6,
];
