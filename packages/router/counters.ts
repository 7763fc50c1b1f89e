/** What the router counts: packets that went through, and each reason why one didn't. */

export function routerCounters() {
  return {
    /** From inside to outside, back, from inside to inside by an outside address. */
    forwardedOut: 0,
    forwardedIn: 0,
    hairpinned: 0,
    /** Pings from inside to the outside address, which are answered for it. */
    pinged: 0,
    /** Sent in pieces; cut into segments in software; MSS lowered. */
    fragmented: 0,
    segmented: 0,
    mssClamped: 0,
    parked: 0,
    dropMalformed: 0,
    dropBadChecksum: 0,
    dropShortTransport: 0,
    dropBadOffload: 0,
    dropSourceRouted: 0,
    dropBadOptions: 0,
    /** Sources or destinations that no packet of one host to another has. */
    dropMartian: 0,
    /** A source that isn't on the side that it came from. */
    dropSpoofed: 0,
    dropTtl: 0,
    dropNoRoute: 0,
    dropTooLarge: 0,
    dropTransmitFull: 0,
    dropUnresolved: 0,
    /** From outside, for an address that isn't the router's. */
    dropNotOurs: 0,
    dropHairpin: 0,
    /** SYNs that nobody asked for (held-syns.ts). */
    synsHeld: 0,
    synsAnswered: 0,
    dropSyn: 0,
    fragments: 0,
    fragmentsHeld: 0,
    dropFragment: 0,
  };
}
export type RouterCounters = ReturnType<typeof routerCounters>;

export function natCounters() {
  return {
    natSessionsCreated: 0,
    natSessionsExpired: 0,
    natPortsPreserved: 0,
    natPortsOther: 0,
    natDropNoPort: 0,
    natDropProtocol: 0,
    natDropFiltered: 0,
    natDropNoMapping: 0,
    natDropStrayReset: 0,
    natDropIcmpType: 0,
    natErrorsTranslated: 0,
    natDropErrorMalformed: 0,
    natDropErrorStray: 0,
  };
}
export type NatCounters = ReturnType<typeof natCounters>;

/** Of IPv6; shared with Egress by name. */
export function router6Counters() {
  return {
    forwardedOut: 0,
    forwardedIn: 0,
    fragmented: 0,
    segmented: 0,
    parked: 0,
    dropMalformed: 0,
    dropShortTransport: 0,
    dropBadOffload: 0,
    dropSourceRouted: 0,
    dropMartian: 0,
    dropScope: 0,
    dropSpoofed: 0,
    dropHopLimit: 0,
    dropNoRoute: 0,
    dropTooLarge: 0,
    dropTransmitFull: 0,
    dropUnresolved: 0,
    dropNotOurs: 0,
    synsHeld: 0,
    synsAnswered: 0,
    dropSyn: 0,
    fragments: 0,
    fragmentsHeld: 0,
    dropFragment: 0,
  };
}
export type Router6Counters = ReturnType<typeof router6Counters>;

export function firewallCounters() {
  return {
    /** From outside, without a flow or a rule. */
    dropFiltered: 0,
    dropStrayReset: 0,
    /** Errors about nothing, and what never leaves a link. */
    dropIcmp: 0,
    errorsForwarded: 0,
  };
}
