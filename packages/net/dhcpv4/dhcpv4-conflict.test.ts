/** Conflicts about an address from DHCP (RFC 5227, RFC 2131 §3.1 (5)), and giving it back. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IPV4_ANY } from '../ip-address.ts';
import { dhcpDeclinesFast, dhcpDeclineWait, dhcpDeclineWaitSlow } from '../limits.ts';
import { OURS, PEER, TestLink } from '../test-link.ts';
import {
  DHCPV4_ACK,
  DHCPV4_DECLINE,
  DHCPV4_DISCOVER,
  DHCPV4_OFFER,
  DHCPV4_RELEASE,
  dhcpv4Option,
  dhcpv4OptionI32,
  MAC_BROADCAST,
} from '../wire/index.ts';

import { ALL, Exchange, grant } from './test-exchange.ts';

/** ARP frames since the last call: what is asked for, and in whose name. */
const arpHeard = (x: Exchange): string[] =>
  x.link
    .takeArp()
    .filter((arp) => arp.targetAddress === OURS)
    .map((arp) => (arp.senderAddress === OURS ? 'announced' : 'probed'));

const OTHER_MAC = Uint8Array.of(0x52, 0x54, 0, 9, 9, 9);

/** Through to BOUND, with nothing waited for. */
function justBound(): Exchange {
  const x = new Exchange();
  x.take();
  x.reply(DHCPV4_OFFER);
  x.take();
  x.reply(DHCPV4_ACK);
  return x;
}

test('BOUND › used at once, probed three times meanwhile, then announced twice (RFC 5227)', () => {
  const x = justBound();
  assert.deepEqual(x.addresses(), ['10.0.2.15/24']);
  assert.deepEqual(arpHeard(x), ['probed']);
  x.link.wait(4_100);
  assert.deepEqual(arpHeard(x), ['probed', 'probed']);
  x.link.wait(2_000);
  assert.deepEqual(arpHeard(x), ['announced']);
  x.link.wait(60_000);
  assert.deepEqual(arpHeard(x), ['announced']);
});

test('BOUND, probing › another station has the address › DECLINE, and again after ten seconds', () => {
  const x = justBound();
  x.link.sendArp({ operation: 2, senderAddress: OURS, senderMac: OTHER_MAC });
  assert.deepEqual(x.addresses(), []);
  const [decline, ...more] = x.take();
  assert(decline !== undefined && more.length === 0);
  assert.equal(decline.type, DHCPV4_DECLINE);
  assert.deepEqual([decline.source, decline.destination], [IPV4_ANY, ALL]);
  assert.equal(decline.message.clientAddress, IPV4_ANY);
  assert.equal(dhcpv4OptionI32(decline.message, dhcpv4Option.requestedAddress), OURS);
  assert.equal(dhcpv4OptionI32(decline.message, dhcpv4Option.serverIdentifier), PEER);
  assert.deepEqual(
    decline.message.options.map((option) => option.code),
    [53, 50, 54, 61],
  );
  x.link.wait(dhcpDeclineWait / 1_000 - 10);
  assert.deepEqual(x.types(), []);
  x.link.wait(20);
  assert.deepEqual(x.types(), [DHCPV4_DISCOVER]);
});

test('BOUND, probing › another station probes for the address too › DECLINE', () => {
  const x = justBound();
  x.link.sendArp({ senderAddress: IPV4_ANY, senderMac: OTHER_MAC }, MAC_BROADCAST);
  assert.deepEqual([x.types(), x.addresses()], [[DHCPV4_DECLINE], []]);
});

test('BOUND, announced › a probe is answered, one conflict defended, a second one › DECLINE', () => {
  const x = justBound();
  x.link.wait(20_000);
  x.link.heard.length = 0;
  x.link.sendArp({ senderAddress: IPV4_ANY, senderMac: OTHER_MAC }, MAC_BROADCAST);
  assert.equal(x.link.takeArp()[0]?.operation, 2);
  const claim = { senderAddress: OURS, senderMac: OTHER_MAC };
  x.link.sendArp(claim, MAC_BROADCAST);
  assert.deepEqual(arpHeard(x), ['announced']);
  x.link.wait(10_001);
  x.link.sendArp(claim, MAC_BROADCAST);
  assert.deepEqual(arpHeard(x), ['announced'], 'ten seconds later it is the first again');
  assert.deepEqual(x.addresses(), ['10.0.2.15/24']);
  x.link.sendArp(claim, MAC_BROADCAST);
  assert.deepEqual([x.types(), x.addresses()], [[DHCPV4_DECLINE], []]);
});

test('one conflict after another › ten seconds ten times, then a minute (RFC 5227 §2.1.1)', () => {
  const x = justBound();
  const waits: number[] = [];
  for (let i = 0; i <= dhcpDeclinesFast; i++) {
    x.link.sendArp({ operation: 2, senderAddress: OURS, senderMac: OTHER_MAC });
    assert.deepEqual(x.types(), [DHCPV4_DECLINE]);
    let wait = 0;
    while (x.types().length === 0) {
      x.link.wait(500);
      wait += 500;
    }
    waits.push(wait);
    x.reply(DHCPV4_OFFER);
    x.take();
    x.reply(DHCPV4_ACK);
  }
  const expected = new Array(dhcpDeclinesFast).fill(dhcpDeclineWait / 1_000);
  assert.deepEqual(waits, [...expected, dhcpDeclineWaitSlow / 1_000]);
});

test('released › RELEASE to the server, from the address, and not a word more', () => {
  const x = new Exchange();
  x.bind(grant(60));
  x.link.sendArp({});
  x.link.stack.release();
  x.link.wait(1);
  const [release, ...more] = x.take();
  assert(release !== undefined && more.length === 0);
  assert.deepEqual(
    [release.type, release.source, release.destination, release.message.clientAddress],
    [DHCPV4_RELEASE, OURS, PEER, OURS],
  );
  x.link.wait(1_000_000);
  assert.deepEqual(x.types(), []);
});

test('released › before there is a lease, or without DHCP › nothing is sent', () => {
  const x = new Exchange();
  x.take();
  x.link.stack.release();
  x.link.wait(100_000);
  assert.deepEqual(x.types(), []);
  const link = new TestLink();
  link.stack.release();
  link.wait(1_000);
  assert.deepEqual(link.heard, []);
});
