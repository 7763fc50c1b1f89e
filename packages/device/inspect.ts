/**
 * What a `Stack` tells about itself when somebody looks: plain data, as JSON can carry it. Null
 * where there is none, or no end. A stack leaves out what it can't know (a host's sockets know
 * little).
 */

/** Which connections to list: `connectionsMax` from the `connectionsFrom`th on, in no order. */
export interface InspectRequest {
  readonly connectionsFrom: number;
  readonly connectionsMax: number;
}

export interface ConnectionSnapshot {
  readonly local: string;
  readonly remote: string;
  readonly state: string;
  readonly rttMicros?: number;
  readonly rttVarianceMicros?: number;
  readonly rtoMicros?: number;
  readonly congestionWindowBytes?: number;
  /** Null: as large as can be. */
  readonly slowStartThresholdBytes?: number | null;
  readonly sendWindowBytes?: number;
  readonly receiveWindowBytes?: number;
  readonly segmentBytes?: number;
  readonly inFlightBytes?: number;
  /** Segments sent again since the first loss. */
  readonly retransmitted?: number;
  /** Timeouts in a row without an answer. */
  readonly timeouts?: number;
  /**
   * Positions in the streams, modulo 2^32, which begin anywhere: differences between two snapshots
   * are bytes that were acknowledged, and received in order.
   */
  readonly sentPosition?: number;
  readonly receivedPosition?: number;
  /** Bytes since the connection began, where that is known. */
  readonly sentBytes?: number;
  readonly receivedBytes?: number;
  readonly sendQueueBytes?: number;
  readonly receiveQueueBytes?: number;
  /** Of the stack's budget. */
  readonly memoryBytes?: number;
}

export interface AddressSnapshot {
  readonly address: string;
  readonly prefixBits: number;
  /** 'static', 'dhcp', 'link-local' or 'advertised'. */
  readonly origin: string;
  readonly isTentative?: boolean;
  readonly preferredSeconds?: number | null;
  readonly validSeconds?: number | null;
}

export interface RouteSnapshot {
  /** "10.0.2.0/24". */
  readonly prefix: string;
  /** The router; null: on the link. */
  readonly gateway: string | null;
  readonly metric?: number;
  readonly validSeconds?: number | null;
}

export interface NeighborSnapshot {
  readonly address: string;
  /** Null while it isn't known. */
  readonly mac: string | null;
  readonly state: string;
  readonly confirmedSecondsAgo: number;
  readonly waitingPackets: number;
  readonly isRouter?: boolean;
}

export interface RouterSnapshot {
  readonly address: string;
  readonly isSilent: boolean;
  readonly preference: number;
  readonly validSeconds: number | null;
}

export interface LeaseSnapshot {
  readonly state: string;
  readonly address: string | null;
  readonly server: string | null;
  /** Until it is renewed or ends; null without a lease, or for one without end. */
  readonly renewSeconds: number | null;
  readonly rebindSeconds: number | null;
  readonly expireSeconds: number | null;
}

export interface MemoryAccountSnapshot {
  readonly usedBytes: number;
  readonly bytesMax: number;
  readonly refused: number;
}

export interface StackSnapshot {
  /** Why there is nothing else: it could not be looked into. */
  readonly error?: string;
  readonly mac?: string;
  readonly mtuBytes?: number;
  readonly addresses: readonly AddressSnapshot[];
  readonly routes?: readonly RouteSnapshot[];
  readonly neighbors?: readonly NeighborSnapshot[];
  readonly routers?: readonly RouterSnapshot[];
  readonly prefixes?: readonly RouteSnapshot[];
  readonly nameServers?: readonly string[];
  readonly searchDomains?: readonly string[];
  readonly lease?: LeaseSnapshot;
  /** TCP ports that are listened on; UDP ports that are open. */
  readonly listeners?: readonly number[];
  readonly datagramPorts?: readonly number[];
  readonly connections: {
    /** How many there are; `list` has those that were asked for. */
    readonly count: number;
    readonly halfOpen?: number;
    readonly timeWait?: number;
    readonly list: readonly ConnectionSnapshot[];
  };
  readonly memory?: {
    readonly usedBytes: number;
    readonly bytesMax: number;
    readonly accounts: Readonly<Record<string, MemoryAccountSnapshot>>;
  };
  /** Those of `Stack.counters` but for the network device's, which are apart. */
  readonly counters: Readonly<Record<string, number>>;
  readonly deviceCounters?: Readonly<Record<string, number>>;
}

/** One TLS session of a server. */
export interface TlsSessionSnapshot {
  readonly local: string;
  readonly remote: string;
  readonly version: string;
  readonly suite: string;
  readonly group: string | null;
  readonly alpn: string | null;
  readonly serverName: string | null;
  readonly resumed: boolean;
  readonly hasClientCertificate: boolean;
}

export interface CertificateSnapshot {
  /** Host names and addresses. */
  readonly names: readonly string[];
  /** 'P-256', 'RSA-2048'. */
  readonly keyType: string;
  /** Milliseconds since 1970. */
  readonly notAfterMillis: number;
  /** Where it was read from. */
  readonly origin: string;
}

/** TLS for those who connect to a program. */
export interface TlsServerSnapshot {
  readonly certificates: readonly CertificateSnapshot[];
  /** `list` has some of them when there are many. */
  readonly sessions: { readonly count: number; readonly list: readonly TlsSessionSnapshot[] };
  readonly counters: Readonly<Record<string, number>>;
  /** Handshakes that failed, by the alert that we sent, and by the one that came. */
  readonly alertsSent: Readonly<Record<string, number>>;
  readonly alertsReceived: Readonly<Record<string, number>>;
}
