/** Counters of our stack are told apart by packages/inspect/counters.ts: a new one fails here. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Names } from '#stack';
import { SimWorld } from '#targets/sim/index';
import { counterKind, counterWords } from '../../packages/inspect/counters.ts';
import { joinStacks } from '../../packages/stack/join-stacks.ts';

/** Neither drops nor quantities: events, or packets that were treated well. */
const TOTALS = new Set(
  (
    'memoryRefused arpUnsolicited arpEvicted arpGaveUp arpConflicts arpProbes arpAnnouncements ' +
    'ipv4Received ipv4Fragments ipv4Sent ipv4Queued ipv4FragmentsSent pathMtuLowered ' +
    'pathMtuEvicted reassemblyDone icmpEchoAnswered icmpErrorsReceived icmpErrorsSent ' +
    'igmpQueries igmpSent udpReceived udpSent udpErrors dhcpSent dhcpNaks dhcpDeclines ' +
    'linkMessagesSent ndpConflicts ndpEvicted ndpGaveUp dadDuplicates raTableFull raReceived ' +
    'raIgnoredOptions slaacIgnored slaacFull slaacDuplicates ipv6Received ipv6Fragments ipv6Sent ' +
    'ipv6Queued ipv6FragmentsSent icmpv6EchoAnswered icmpv6ErrorsReceived icmpv6ErrorsSent ' +
    'mldQueries mldReportsSent mldGroupsFull dhcpv6Sent dhcpv6Failed dhcpv6Replies ' +
    'segmentsIn segmentsOut predicted retransmitted timeouts recoveries undone tailProbes ' +
    'windowsGrown congestionMarks congestionEchoes probes keepAlives icmpErrors pathMtu ' +
    'blackHoles outOfOrder opened challenges strayResets cookies cookiesOpened acceptsHeld ' +
    'idleEvicted timeWaitEvicted sendMemory transmitFull ' +
    'dnsAsked dnsRefused dnsQueries dnsStreams dnsRetries dnsFailures dnsWithoutEdns ' +
    'dnsCacheHits dnsCacheEvicted dnsNoSocket'
  ).split(' '),
);

test('every counter › a drop, a quantity, or known to be a total', () => {
  const world = new SimWorld(1);
  const { device, entropy, log } = world.addHost('host');
  const { timers } = world;
  const logger = log.source('x');
  const { net, tcp } = joinStacks({ device, timers, entropy, netLog: logger, tcpLog: logger });
  net.startDhcp();
  net.startIpv6({ secret: null, fixed: null });
  const names = new Names({
    timers,
    entropy,
    bind: async (port, handler) => net.udp.bind(port, handler),
    addresses: () => [],
    isAddress: () => false,
    open: () => ({ cancel() {} }),
    order: (addresses) => addresses,
  });
  const all = { ...net.counters(), ...tcp.counters(), ...names.counters() };
  const totals = Object.keys(all).filter((name) => counterKind(name) === 'total');
  assert.deepEqual(
    totals.filter((name) => !TOTALS.has(name)),
    [],
    'new: drops or totals?',
  );
  for (const name of TOTALS) assert.equal(counterKind(name), 'total', name);
});

test('names in words › with the protocol first', () => {
  assert.deepEqual(counterWords('ipv4BadChecksum', false), ['ipv4', 'bad', 'checksum']);
  assert.deepEqual(counterWords('checksum', false), ['tcp', 'checksum']);
  assert.deepEqual(counterWords('received', true), ['link', 'received']);
  assert.deepEqual(counterWords('linkUp', true), ['link', 'up']);
  assert.deepEqual(counterWords('icmpErrors', false), ['tcp', 'icmp', 'errors']);
  assert.deepEqual(counterWords('icmpErrorsSent', false), ['icmp', 'errors', 'sent']);
});
