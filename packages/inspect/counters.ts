/**
 * What the counters of a stack and its device mean: packets dropped, by reason; quantities that go
 * up and down; and all others, which are totals. Here and not beside each counter, because only who
 * shows them needs it. tests/inspect/counters.test.ts knows when a counter is new.
 */

/** Received and thrown away: the peer's fault, nobody's port, or no memory. */
const DROPS_IN = new Set(
  (
    'linkShort linkOtherStation linkUnknownType receiveShort receiveDropped ' +
    'arpMalformed arpBadSender arpForeign ' +
    'ipv4Malformed ipv4BadChecksum ipv4BadOptions ipv4SourceRouted ipv4TinyFragments ' +
    'ipv4SourceNone ipv4SourceLoopback ipv4SourceMulticast ipv4SourceReserved ' +
    'ipv4SourceBroadcast ipv4SourceOurs ipv4NotOurs ipv4LinkBroadcast ipv4NotJoined ' +
    'ipv4GroupForTcp ipv4UnknownProtocol ipv4ForeignSource ipv4ForeignTtl ' +
    'reassemblyMalformed reassemblyDuplicates reassemblyOverlaps reassemblyTooMany ' +
    'reassemblyNoRoom reassemblyEvicted reassemblyTimeouts ' +
    'icmpMalformed icmpEchoIgnored icmpEchoProhibited icmpErrorsStray icmpRedirects icmpIgnored ' +
    'igmpMalformed igmpIgnored udpMalformed udpBadChecksum udpNoPort ' +
    'dhcpMalformed dhcpIgnored ' +
    'ndpMalformed ndpForwarded ndpInvalid ndpForeign ndpRedirects ndpUnasked dadLoops ' +
    'ipv6Malformed ipv6BadSource ipv6SourceOurs ipv6NotOurs ipv6NotJoined ipv6GroupForTcp ' +
    'ipv6BadHeader ipv6BadOption ipv6TooManyHeaders ipv6Routed ipv6BadFragment ' +
    'ipv6FragmentedControl ipv6NoNextHeader ipv6UnknownHeader ' +
    'ipv6ForeignSource ipv6ForeignHops icmpv6EchoProhibited ' +
    'icmpv6Malformed icmpv6EchoIgnored icmpv6ErrorsStray icmpv6Ignored ' +
    'mldMalformed mldInvalid dhcpv6Malformed dhcpv6Foreign ' +
    'malformed checksum badOptions unacceptable noAck badAck noSyn paws noTimestamps badCookie ' +
    'connectionsFull receiveMemory outOfOrderEvicted ' +
    'dnsMalformed dnsForeign dnsUnsolicited datagramsDropped'
  ).split(' '),
);

/** To be sent, and not: no way, no room, or more of them than there may be. */
const DROPS_OUT = new Set(
  (
    'sendLost arpQueueDropped arpTransmitFull ipv4NoRoute ipv4TransmitFull ipv4TooLarge ' +
    'icmpErrorsWithheld udpNotSent dhcpNotSent linkMessagesTransmitFull ' +
    'ndpQueueDropped ndpTransmitFull ipv6NoRoute ipv6TransmitFull ipv6TooLarge ' +
    'icmpv6ErrorsWithheld challengesHeld strayResetsHeld'
  ).split(' '),
);

/** Not totals: they go up and down. */
const GAUGES = new Set(['connections', 'timeWait', 'memoryBytes', 'linkUp', 'stopped', 'open']);

export type CounterKind = 'dropped in' | 'dropped out' | 'gauge' | 'total';

/** Totals have no list: a counter that is in no other is one. */
export function counterKind(name: string): CounterKind {
  if (DROPS_IN.has(name)) return 'dropped in';
  if (DROPS_OUT.has(name)) return 'dropped out';
  return GAUGES.has(name) ? 'gauge' : 'total';
}

/** TCP's counters (packages/net/tcp/counters.ts) are named as in that folder, without it. */
const PREFIXED = new RegExp(
  '^(link|arp|ipv4|ipv6|path|reassembly|icmp|icmpv6|igmp|udp|dhcp|dhcpv6|ndp|dad|ra|slaac|mld|' +
    'dns|memory|datagrams)[A-Z]',
);
const OF_TCP = new Set(['icmpErrors', 'pathMtu']);

/** A counter's name in words: "ipv4BadChecksum" is ["ipv4", "bad", "checksum"]. */
export function counterWords(name: string, isDevice: boolean): readonly string[] {
  const words = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).split(' ');
  if (isDevice) return words[0] === 'link' ? words : ['link', ...words];
  return PREFIXED.test(name) && !OF_TCP.has(name) ? words : ['tcp', ...words];
}
