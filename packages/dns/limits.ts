/** What names may cost, and what happens past each bound. */

import { assert, type Duration, seconds } from '#core';

export interface DnsLimits {
  /** Name servers that are used; the rest of a list is ignored. */
  readonly serversMax: number;
  /** Domains of the search list that are used; the rest is ignored. */
  readonly searchMax: number;
  /** Questions on the way to servers at once; one more: 'too many names'. */
  readonly queriesMax: number;
  /** Callers that wait for answers at once; one more: 'too many names'. */
  readonly callersMax: number;
  /** Datagrams of one question that may still be answered; one more: the oldest is given up. */
  readonly exchangesMax: number;
  /** Answers kept; one more: the one unused for the longest goes. */
  readonly cacheEntriesMax: number;
  /** Records of one answer; more are left out. */
  readonly answerRecordsMax: number;
  /** A longer answer (names and data, roughly) isn't kept. */
  readonly answerBytesMax: number;
  /** Aliases (CNAME) from the name asked to the name answered; more: the server's answer is bad. */
  readonly aliasesMax: number;
  /**
   * Datagrams for one question that come from the right address and port but aren't its answer;
   * one more: somebody guesses, so the question goes over a stream (RFC 5452 §9.1, §9.2).
   */
  readonly mismatchesMax: number;
  /** How often each server is asked before a question fails. */
  readonly roundsMax: number;
  /** How long a datagram's answer is waited for; doubled each round ... */
  readonly datagramWait: Duration;
  /** ... up to this. */
  readonly datagramWaitMax: Duration;
  /** How long a stream may take from its opening to the answer; longer: the next server. */
  readonly streamWait: Duration;
  /** Times to live are taken as at least this and at most that. */
  readonly ttlSecondsMin: number;
  readonly ttlSecondsMax: number;
  /** "There is no such name" is believed for at most so long (RFC 2308 §5). */
  readonly negativeTtlSecondsMax: number;
  /** A question that no server could answer isn't sent again for so long (RFC 9520 §3.2). */
  readonly failureTtlSeconds: number;
  /** The largest answer by datagram that is asked for: no fragment on any link (RFC 9715 §3.2). */
  readonly datagramBytesMax: number;
}

export const DEFAULT_LIMITS: DnsLimits = {
  serversMax: 4,
  searchMax: 6,
  queriesMax: 64,
  callersMax: 1_024,
  exchangesMax: 2,
  cacheEntriesMax: 256,
  answerRecordsMax: 32,
  answerBytesMax: 4_096,
  aliasesMax: 8,
  mismatchesMax: 8,
  roundsMax: 3,
  datagramWait: seconds(1),
  datagramWaitMax: seconds(4),
  streamWait: seconds(5),
  ttlSecondsMin: 1,
  ttlSecondsMax: 86_400,
  negativeTtlSecondsMax: 900,
  failureTtlSeconds: 1,
  datagramBytesMax: 1_232,
};

/** What connections to servers over TLS may cost (tls-transport.ts). */
export interface DnsTlsLimits {
  /** Questions of one connection without an answer yet; one more goes to another connection. */
  readonly questionsMax: number;
  /** One that heard nothing for so long since a question is used for no other. */
  readonly patience: Duration;
  /** One without a question is kept for so long (RFC 7858 §3.4), then ended. */
  readonly idleMax: Duration;
}

export const DEFAULT_DNS_TLS_LIMITS: DnsTlsLimits = {
  questionsMax: 128,
  patience: seconds(4),
  idleMax: seconds(20),
};

/** What passing on questions of others may cost (forwarder.ts). */
export interface ForwarderLimits {
  /** Name servers that are used; the rest of a list is ignored. */
  readonly serversMax: number;
  /** Questions on their way, and those of one host; one more is answered SERVFAIL. */
  readonly forwardsMax: number;
  readonly forwardsPerHostMax: number;
  /** How often each server is asked, and how long each is waited for. */
  readonly roundsMax: number;
  readonly serverWait: Duration;
  /** Messages that don't answer the question; one more: SERVFAIL. */
  readonly mismatchesMax: number;
  /** Clients' connections, and those of one host; one more is reset. */
  readonly streamsMax: number;
  readonly streamsPerHostMax: number;
  /** Questions of one connection that aren't answered yet; one more: it is reset. */
  readonly streamQueriesMax: number;
  /** The longest question on a stream; a longer one: the connection is reset. */
  readonly streamQueryBytesMax: number;
  /** Answers that wait for a client that doesn't read; more: its questions wait too. */
  readonly streamAnswerBytesMax: number;
  /** A connection on which nothing happens for so long is reset (RFC 7766 §6.2.3). */
  readonly streamIdle: Duration;
}

export const DEFAULT_FORWARDER_LIMITS: ForwarderLimits = {
  serversMax: 4,
  forwardsMax: 512,
  forwardsPerHostMax: 128,
  roundsMax: 2,
  serverWait: seconds(2),
  mismatchesMax: 16,
  streamsMax: 128,
  streamsPerHostMax: 32,
  streamQueriesMax: 32,
  streamQueryBytesMax: 4_096,
  streamAnswerBytesMax: 65_536,
  streamIdle: seconds(30),
};

export function checkLimits(limits: DnsLimits): void {
  assert(limits.serversMax >= 1 && limits.roundsMax >= 1 && limits.exchangesMax >= 1);
  assert(limits.datagramWait > 0 && limits.datagramWait <= limits.datagramWaitMax);
  assert(limits.ttlSecondsMin >= 0 && limits.ttlSecondsMin <= limits.negativeTtlSecondsMax);
  assert(limits.negativeTtlSecondsMax <= limits.ttlSecondsMax);
  // RFC 6891 §6.2.3: less means 512 to a server.
  assert(limits.datagramBytesMax >= 512 && limits.datagramBytesMax <= 65_535);
}
