/** Wire modules around IPv4: header options, IGMP, DHCP options with a format of their own. */

import { hot, writeU16be } from '#core';
import { ipv4AddressOf, netmaskOf } from '#net';
import {
  emitClasslessRoutes,
  emitDomainSearch,
  emitIgmp,
  emitIpv4Options,
  formatClasslessRoutes,
  formatDomainSearch,
  formatIgmp,
  formatIpv4Options,
  IGMP_CHANGE_TO_EXCLUDE,
  IGMP_LEAVE_V2,
  IGMP_REPORT_V1,
  type IgmpRepr,
  IPV4_OPTION_LOOSE_SOURCE_ROUTE,
  IPV4_OPTION_ROUTER_ALERT,
  parseClasslessRoutes,
  parseDomainSearch,
  parseIgmp,
  parseIpv4Options,
} from '#net/wire';
import type { SimRandom } from '#targets/sim/index';
import { type WireCase, wireCase } from './wire-case.ts';

const address = (random: SimRandom) => ipv4AddressOf(random.u32());

/** The exact bytes that `emit` writes. */
function written(emit: (to: Uint8Array) => number): Uint8Array {
  const to = new Uint8Array(4096);
  return to.slice(0, emit(to));
}

const ipv4Options = wireCase({
  name: 'ipv4 options',
  parse: parseIpv4Options,
  emit: emitIpv4Options,
  format: formatIpv4Options,
  seeds: (random) => [
    Uint8Array.of(1, 1, IPV4_OPTION_ROUTER_ALERT, 4, 0, 0, 0, 0),
    written((to) => {
      const route = new Uint8Array(random.pick([1, 13, 37]));
      random.fill(route);
      return emitIpv4Options(to, [{ kind: IPV4_OPTION_LOOSE_SOURCE_ROUTE, value: route }]);
    }),
  ],
});

const igmp = wireCase({
  name: 'igmp',
  parse: parseIgmp,
  emit: (to, repr) => emitIgmp(to, 0, repr),
  format: formatIgmp,
  repair(b) {
    if (b.length < 4) return;
    writeU16be(b, 2, 0);
    writeU16be(b, 2, 0xffff - hot.checksum(b, 0, b.length, 0));
  },
  seeds(random) {
    const sources = Array.from({ length: random.below(4) }, () => address(random));
    const query = { kind: 'query', group: address(random), suppress: random.chance(0.5) } as const;
    const old = { ...query, suppress: false, robustness: 0, intervalCode: 0, sources: [] };
    const reprs: IgmpRepr[] = [
      { ...query, version: 3, code: random.below(256), robustness: 2, intervalCode: 125, sources },
      { ...old, version: 2, code: 100 },
      { ...old, version: 1, code: 0 },
      { kind: 'group', type: IGMP_REPORT_V1, group: address(random) },
      { kind: 'group', type: IGMP_LEAVE_V2, group: address(random) },
      {
        kind: 'records',
        records: [
          { type: IGMP_CHANGE_TO_EXCLUDE, group: address(random), sources: [] },
          { type: random.below(256), group: address(random), sources },
        ],
      },
    ];
    return reprs.map((repr) => written((to) => emitIgmp(to, 0, repr)));
  },
});

const classlessRoutes = wireCase({
  name: 'dhcp classless routes',
  parse: parseClasslessRoutes,
  emit: emitClasslessRoutes,
  format: formatClasslessRoutes,
  seeds: (random) => [
    written((to) =>
      emitClasslessRoutes(
        to,
        [0, 1, 8, 9, 31, 32].map((prefixBits) => ({
          prefix: ipv4AddressOf(random.u32() & netmaskOf(prefixBits)),
          prefixBits,
          gateway: address(random),
        })),
      ),
    ),
  ],
});

const domainSearch = wireCase({
  name: 'dhcp domain search',
  parse: parseDomainSearch,
  emit: emitDomainSearch,
  format: formatDomainSearch,
  seeds: () => [
    written((to) => emitDomainSearch(to, ['eng.example.com', 'example.org', 'a'])),
    // RFC 3397 §2: the second name points at the first one's end.
    Uint8Array.from(
      Buffer.from('\x03eng\x05apple\x03com\0\x09marketing\xc0\x04\0', 'latin1').values(),
    ),
    // The longest name, again and again.
    written((to) => {
      const label = 'x'.repeat(62);
      const name = `${label}.${label}.${label}.${label}a`;
      let end = emitDomainSearch(to, [name]);
      for (let i = 0; i < 8; i++) {
        to.set([0xc0, 0], end);
        end += 2;
      }
      return end;
    }),
  ],
});

export const ipv4Cases: readonly WireCase[] = [ipv4Options, igmp, classlessRoutes, domainSearch];
