/** Counters of a stack: segments, and what was dropped, by reason. */

export interface TcpCounters {
  segmentsIn: number;
  segmentsOut: number;
  predicted: number;
  retransmitted: number;
  timeouts: number;
  recoveries: number;
  /** Recoveries and timeouts that were mistakes; tail loss probes; windows that grew. */
  undone: number;
  tailProbes: number;
  windowsGrown: number;
  /** RFC 3168: packets that routers marked, and echoes of such that we answered. */
  congestionMarks: number;
  congestionEchoes: number;
  probes: number;
  keepAlives: number;
  /** ICMP errors about segments in flight; those of them that lowered a path's MTU. */
  icmpErrors: number;
  pathMtu: number;
  /** Segments made smaller because full ones vanished without a word. */
  blackHoles: number;
  outOfOrder: number;
  opened: number;
  challenges: number;
  challengesHeld: number;
  strayResets: number;
  strayResetsHeld: number;
  /** Dropped: shorter than its header says; wrong checksum; malformed options. */
  malformed: number;
  checksum: number;
  badOptions: number;
  /**
   * Dropped or trimmed to nothing: outside the window; no ACK flag; an acknowledgment out of range;
   * no SYN.
   */
  unacceptable: number;
  noAck: number;
  badAck: number;
  noSyn: number;
  /** Dropped by RFC 7323: from an earlier time (PAWS); without the timestamps agreed on. */
  paws: number;
  noTimestamps: number;
  /** SYNs answered by a cookie; acknowledgments of none; connections that cookies opened. */
  cookies: number;
  badCookie: number;
  cookiesOpened: number;
  /** Refused because the memory is full, or put off because it is nearly so. */
  connectionsFull: number;
  acceptsHeld: number;
  /** Given up for more important memory. */
  idleEvicted: number;
  outOfOrderEvicted: number;
  timeWaitEvicted: number;
  receiveMemory: number;
  sendMemory: number;
  transmitFull: number;
}

export function zeroCounters(): TcpCounters {
  return {
    segmentsIn: 0,
    segmentsOut: 0,
    predicted: 0,
    retransmitted: 0,
    timeouts: 0,
    recoveries: 0,
    undone: 0,
    tailProbes: 0,
    windowsGrown: 0,
    congestionMarks: 0,
    congestionEchoes: 0,
    probes: 0,
    keepAlives: 0,
    icmpErrors: 0,
    pathMtu: 0,
    blackHoles: 0,
    outOfOrder: 0,
    opened: 0,
    challenges: 0,
    challengesHeld: 0,
    strayResets: 0,
    strayResetsHeld: 0,
    malformed: 0,
    checksum: 0,
    badOptions: 0,
    unacceptable: 0,
    noAck: 0,
    badAck: 0,
    noSyn: 0,
    paws: 0,
    noTimestamps: 0,
    cookies: 0,
    badCookie: 0,
    cookiesOpened: 0,
    connectionsFull: 0,
    acceptsHeld: 0,
    idleEvicted: 0,
    outOfOrderEvicted: 0,
    timeWaitEvicted: 0,
    receiveMemory: 0,
    sendMemory: 0,
    transmitFull: 0,
  };
}
