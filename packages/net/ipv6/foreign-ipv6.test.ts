/** Standing in for IPv6 hosts, packet by packet; flows and bounds are in ../foreign.test.ts. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ForeignUdp, type ForeignUdpFlow, formatIpAddress } from '../index.ts';
import type { Ipv6Address } from '../ipv6-address.ts';
import { emitUdp, pseudoHeaderSum } from '../wire/index.ts';
import { Ipv6TestLink, ip6 } from './test-link.ts';

const WORLD = ip6('2001:db8:ffff::7');
const ECHOING = ip6('2001:db8:ffff::8');
const FORBIDDEN = ip6('2001:db8:eeee::1');
const GUEST = ip6('2001:db8:0:1::9');

class Foreign6 {
  readonly link = new Ipv6TestLink().online();
  readonly flows: ForeignUdpFlow[] = [];
  readonly datagrams: string[] = [];

  constructor() {
    const { stack, world } = this.link;
    const { addresses, errors } = stack.takeForeign({
      takes: (address) => typeof address !== 'number' && !address.equals(FORBIDDEN),
      isOnOurStation: () => false,
      answersEcho: (address) => typeof address !== 'number' && address.equals(ECHOING),
    });
    new ForeignUdp(stack.udp, stack.ip, world.timers, addresses, errors, {
      opening: (flow) => {
        this.flows.push(flow);
        const to = formatIpAddress(flow.destination);
        return {
          datagram: (bytes) => this.datagrams.push(`${to} ${bytes.length}`),
          closed() {},
        };
      },
    });
  }

  /** Sends an echo request; from whom came what of ICMPv6, but for neighbour discovery. */
  ping(destination: Ipv6Address, source = GUEST, hopLimit = 64): [string, number, number][] {
    this.link.heard.length = 0;
    this.link.sendIcmpv6({}, { source, destination, hopLimit });
    return this.answers(source);
  }

  answers(to = GUEST): [string, number, number][] {
    this.learn(to);
    return this.link.takeIpv6().flatMap(({ ip, icmp, ndp }) => {
      if (icmp === null || ndp !== null) return [];
      return [[formatIpAddress(ip.source), icmp.type, icmp.code]];
    });
  }

  /** The stack learns the guest's station: what waits for it leaves. */
  private learn(target: Ipv6Address): void {
    const { link } = this;
    const options = [link.linkAddress(2)];
    const flags = { isRouter: false, isSolicited: true, isOverride: true };
    link.sendNdp({ type: 136, ...flags, target, options }, { source: target });
  }

  datagram(count: number, destination: Ipv6Address, source = GUEST): void {
    const bytes = new Uint8Array(8 + count);
    const sum = pseudoHeaderSum(source, destination, 17, bytes.length);
    const payload = new Uint8Array(count);
    emitUdp(bytes, 0, { sourcePort: 6_000, destinationPort: 7, payload }, sum);
    this.link.sendIpv6({ source, destination, nextHeader: 17, payload: bytes });
  }
}

test('echo › answered in the name of whom we may; for others prohibited; the last hop is told', () => {
  const x = new Foreign6();
  assert.deepEqual(x.ping(ECHOING), [[formatIpAddress(ECHOING), 129, 0]]);
  const ours = formatIpAddress(x.link.global);
  assert.deepEqual(x.ping(WORLD), [[ours, 1, 1]]);
  assert.deepEqual(x.ping(WORLD, GUEST, 1), [[ours, 3, 0]]);
  assert.deepEqual(x.ping(FORBIDDEN), []);
  assert.equal(x.link.counter('icmpv6EchoProhibited'), 1);
  assert.equal(x.link.counter('ipv6ForeignHops'), 1);
});

test('from beyond the link, from a link-local address, to a group’s station › dropped', () => {
  const x = new Foreign6();
  x.datagram(1, WORLD, ip6('2001:db8:9::1'));
  x.datagram(1, WORLD, ip6('fe80::2'));
  assert.equal(x.link.counter('ipv6ForeignSource'), 2);
  x.datagram(1, ip6('fe80::77'));
  x.datagram(1, ip6('::1'));
  x.datagram(1, ip6('::ffff:192.0.2.1'));
  assert.deepEqual(x.datagrams, []);
});

test('UDP › flows, the quick way too; what the host says of its port comes from it', () => {
  const x = new Foreign6();
  x.datagram(1, WORLD);
  x.datagram(2, WORLD);
  x.datagram(3, ECHOING);
  x.datagram(4, WORLD);
  const [world, echoing] = [WORLD, ECHOING].map(formatIpAddress);
  assert.deepEqual(x.datagrams, [`${world} 1`, `${world} 2`, `${echoing} 3`, `${world} 4`]);
  assert.equal(x.flows.length, 2);
  x.link.heard.length = 0;
  x.flows[0]!.unreachable();
  assert.deepEqual(x.answers(), [[world, 1, 4]]);
  assert(x.flows[1]!.send(new Uint8Array(10)));
  x.link.wait(1);
  const [answer] = x.link.takeIpv6();
  assert.equal(formatIpAddress(answer!.ip.source), echoing);
});
