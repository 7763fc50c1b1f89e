/** Every wire module of the project: a new one is a new entry in `registry`. */

import { hot, writeU16be } from '#core';
import { ipv4AddressOf } from '#net';
import {
  ARP_REPLY,
  ARP_REQUEST,
  dhcpv4Bytes,
  dhcpv4Option,
  emitArp,
  emitDhcpv4,
  emitEthernet,
  emitIcmpv4,
  emitIpv4,
  emitTcp,
  emitUdp,
  emptyTcpOptions,
  formatArp,
  formatDhcpv4,
  formatEthernet,
  formatIcmpv4,
  formatIpv4,
  formatTcp,
  formatUdp,
  ipv4HeaderBytes,
  parseArp,
  parseDhcpv4,
  parseEthernet,
  parseIcmpv4,
  parseIpv4,
  parseTcp,
  parseUdp,
} from '#net/wire';
import type { SimRandom } from '#targets/sim/index';
import { acmeCases } from './acme-cases.ts';
import { arpCases } from './arp-cases.ts';
import { blockStoreCases } from './block-store-cases.ts';
import { composeCases } from './compose-cases.ts';
import { contentsCases } from './contents-cases.ts';
import { cryptoCases } from './crypto-cases.ts';
import { dnsCases } from './dns-cases.ts';
import { gitFileCases } from './git-file-cases.ts';
import { gitObjectCases } from './git-object-cases.ts';
import { gitPackCases } from './git-pack-cases.ts';
import { gitProtocolCases } from './git-protocol-cases.ts';
import { httpCases } from './http-cases.ts';
import { inspectCases } from './inspect-cases.ts';
import { ipv4Cases } from './ipv4-cases.ts';
import { ipv6Cases } from './ipv6-cases.ts';
import { otherCases } from './other-cases.ts';
import { switchCases } from './switch-cases.ts';
import { syncCases } from './sync-cases.ts';
import { tlsCases } from './tls-cases.ts';
import { bytesOf, type WireCase, wireCase } from './wire-case.ts';
import { x509Cases } from './x509-cases.ts';

const address = (random: SimRandom) => ipv4AddressOf(random.u32());

/** The exact bytes that `emit` writes. */
function written(emit: (to: Uint8Array) => number): Uint8Array {
  const to = new Uint8Array(4096);
  return to.slice(0, emit(to));
}

const ethernet = wireCase({
  name: 'ethernet',
  parse: parseEthernet,
  emit: emitEthernet,
  format: formatEthernet,
  seeds: (random) => [
    written((to) =>
      emitEthernet(to, {
        destination: bytesOf(random, 6),
        source: bytesOf(random, 6),
        etherType: 0x0800,
        payload: bytesOf(random, 46),
      }),
    ),
  ],
});

const arp = wireCase({
  name: 'arp',
  parse: parseArp,
  emit: (to, repr) => emitArp(to, 0, repr),
  format: formatArp,
  seeds: (random) =>
    [ARP_REQUEST, ARP_REPLY].map((operation) =>
      written((to) =>
        emitArp(to, 0, {
          operation: operation === ARP_REQUEST ? ARP_REQUEST : ARP_REPLY,
          senderMac: bytesOf(random, 6),
          senderAddress: address(random),
          targetMac: bytesOf(random, 6),
          targetAddress: address(random),
        }),
      ),
    ),
});

const ipv4 = wireCase({
  name: 'ipv4',
  parse: parseIpv4,
  emit: (to, repr) => emitIpv4(to, 0, repr),
  format: formatIpv4,
  repair(b) {
    const headerBytes = Math.max(20, ipv4HeaderBytes(b));
    if (b.length < headerBytes) return;
    writeU16be(b, 10, 0);
    writeU16be(b, 10, 0xffff - hot.checksum(b, 0, headerBytes, 0));
  },
  seeds: (random) =>
    [0, 4, 40].map((optionBytes) =>
      written((to) =>
        emitIpv4(to, 0, {
          trafficClass: random.below(256),
          identification: random.below(65_536),
          dontFragment: random.chance(0.5),
          moreFragments: random.chance(0.5),
          fragmentOffset: random.below(8192),
          ttl: random.below(256),
          protocol: random.below(256),
          source: address(random),
          destination: address(random),
          options: bytesOf(random, optionBytes),
          payload: bytesOf(random, 33),
        }),
      ),
    ),
});

const icmpv4 = wireCase({
  name: 'icmpv4',
  parse: parseIcmpv4,
  emit: (to, repr) => emitIcmpv4(to, 0, repr),
  format: formatIcmpv4,
  repair(b) {
    if (b.length < 4) return;
    writeU16be(b, 2, 0);
    writeU16be(b, 2, 0xffff - hot.checksum(b, 0, b.length, 0));
  },
  seeds: (random) =>
    [0, 3, 8, 11].map((type) =>
      written((to) =>
        emitIcmpv4(to, 0, { type, code: 1, word0: 2, word1: 3, body: bytesOf(random, 29) }),
      ),
    ),
});

const udpSeeds = (random: SimRandom, pseudoSum: number): Uint8Array[] =>
  [0, 1, 64].map((count) =>
    written((to) => {
      const payload = bytesOf(random, count);
      return emitUdp(to, 0, { sourcePort: 1, destinationPort: 65_535, payload }, pseudoSum);
    }),
  );

const PSEUDO_SUM = 0x1234;

const udp = wireCase({
  name: 'udp',
  parse: (b) => parseUdp(b, 'trusted'),
  emit: (to, repr) => emitUdp(to, 0, repr, 0),
  format: formatUdp,
  seeds: (random) => udpSeeds(random, 0),
});

const udpVerified = wireCase({
  name: 'udp, checksum verified',
  parse: (b) => parseUdp(b, PSEUDO_SUM),
  emit: (to, repr) => emitUdp(to, 0, repr, PSEUDO_SUM),
  seeds: (random) => udpSeeds(random, PSEUDO_SUM),
});

const tcp = wireCase({
  name: 'tcp',
  parse: (b) => parseTcp(b, 'trusted'),
  emit: (to, repr) => emitTcp(to, 0, repr, 0),
  format: formatTcp,
  seeds: (random) =>
    [0x02, 0x10, 0x19].map((flags) =>
      written((to) => {
        const options = emptyTcpOptions();
        if (flags === 0x02) {
          options.mss = 1460;
          options.windowShift = 7;
          options.sackPermitted = true;
        }
        const repr = {
          sourcePort: random.below(65_536),
          destinationPort: 80,
          seq: ipv4AddressOf(random.u32()),
          ack: ipv4AddressOf(random.u32()),
          flags,
          window: random.below(65_536),
          urgent: 0,
          options,
          payload: bytesOf(random, flags === 0x02 ? 0 : 50),
        };
        return emitTcp(to, 0, repr, 0);
      }),
    ),
});

const dhcpv4 = wireCase({
  name: 'dhcpv4',
  parse: parseDhcpv4,
  emit: emitDhcpv4,
  format: formatDhcpv4,
  seeds: (random) => {
    const base = {
      operation: 2,
      xid: ipv4AddressOf(random.u32()),
      seconds: 3,
      broadcast: random.chance(0.5),
      clientAddress: address(random),
      yourAddress: address(random),
      serverAddress: address(random),
      relayAddress: address(random),
      clientMac: bytesOf(random, 6),
    };
    const options = [
      { code: dhcpv4Option.messageType, value: Uint8Array.of(2) },
      { code: dhcpv4Option.leaseSeconds, value: bytesOf(random, 4) },
      { code: dhcpv4Option.domain, value: new Uint8Array(0) },
      // Longer than one option: travels in three pieces (RFC 3396).
      { code: dhcpv4Option.dnsServers, value: bytesOf(random, 600) },
    ];
    const long = { ...base, options };
    const plain = new Uint8Array(dhcpv4Bytes(long));
    emitDhcpv4(plain, long);
    const short = { ...base, options: options.slice(0, 2) };
    const lent = new Uint8Array(dhcpv4Bytes(short) + 3);
    const end = emitDhcpv4(lent, short) - 1;
    // Option overload: the file field holds options too (RFC 2132 §9.3).
    lent.set([dhcpv4Option.overload, 1, random.pick([1, 2, 3]), 255], end);
    lent.set([dhcpv4Option.mtu, 2, 5, 220, 255], 108);
    lent.set([dhcpv4Option.mtu, 2, 5, 220, 0, 255], 44);
    return [plain, lent];
  },
});

export const registry: readonly WireCase[] = [
  ethernet,
  arp,
  ipv4,
  icmpv4,
  udp,
  udpVerified,
  tcp,
  dhcpv4,
  ...ipv4Cases,
  ...contentsCases,
  ...cryptoCases,
  ...dnsCases,
  ...ipv6Cases,
  ...gitObjectCases,
  ...gitFileCases,
  ...gitPackCases,
  ...gitProtocolCases,
  ...httpCases,
  ...inspectCases,
  ...otherCases,
  ...switchCases,
  ...composeCases,
  ...tlsCases,
  ...acmeCases,
  ...arpCases,
  ...syncCases,
  ...blockStoreCases,
  ...x509Cases,
];
