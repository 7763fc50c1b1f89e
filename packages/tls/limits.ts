/** What a peer may cost, and what happens past each bound. */

import { type Duration, seconds } from '#core';

/** RFC 8449 §4; less: illegal_parameter. */
export const RECORD_SIZE_LIMIT_MIN = 64;

/**
 * A ClientHello: with session id, suites, compression methods and extensions as long as they may be
 * (RFC 8446 §4.1.2); more: decode_error.
 */
export const CLIENT_HELLO_BYTES_MAX = 2 + 32 + 33 + 2 + 65_534 + 256 + 2 + 65_535;
/** A Certificate message, and so a chain with its staples; more: decode_error. */
export const CERTIFICATE_BYTES_MAX = 65_536;
/**
 * Any other handshake message; more: decode_error. And a ClientHello at a server of TLS 1.2 that
 * asks for certificates, which keeps it; more: handshake_failure.
 */
export const MESSAGE_BYTES_MAX = 18_432;

/**
 * Bytes of all incomplete messages that are longer than MESSAGE_BYTES_MAX, in all connections of a
 * program together: a peer that isn't known yet may make each as long as it likes; more:
 * internal_error to the one that asks for it.
 */
export const LONG_MESSAGES_BYTES_MAX = 1_048_576;

/** Records one after the other that carry nothing; one more: unexpected_message. */
export const EMPTY_RECORDS_MAX = 32;
/**
 * change_cipher_spec records that are dropped, by role of who drops them (RFC 8446 §5 and §D.4: a
 * peer sends one; some servers one after each hello); one more: unexpected_message.
 */
export const CHANGE_CIPHER_SPECS_MAX = { client: 2, server: 1 } as const;
/** Alerts that end nothing; one more: unexpected_message. */
export const WARNINGS_MAX = 4;
/** Post-handshake messages with no application data between; one more: unexpected_message. */
export const POST_HANDSHAKE_MAX = 64;
/**
 * Bytes of records thrown away because they may be early data that we refused (RFC 8446 §4.2.10);
 * more: unexpected_message.
 */
export const EARLY_DATA_BYTES_MAX = 65_536;

/**
 * Records under one key of ours, then KeyUpdate. RFC 8446 §5.5 allows 2^24.5 full ones for AES-GCM.
 */
export const RECORDS_PER_KEY_MAX = 8_388_608;
/** Records under one key of the peer's, so that 32 bits count them; one more: bad_record_mac. */
export const RECORDS_READ_PER_KEY_MAX = 0xffff_ffff;

/** Written bytes that become records at once, while the flow below has room; four full records. */
export const SEALED_AT_ONCE_BYTES = 65_536;

/** Records under one key of AES-GCM in TLS 1.2, which has no other; one more: internal_error. */
export const AES_GCM_RECORDS_MAX = 23_726_566;
/**
 * The same for ChaCha20-Poly1305, whose nonces 32 bits count: less by all that one write may add
 * (SEALED_AT_ONCE_BYTES, a record for each RECORD_SIZE_LIMIT_MIN), and by a last alert.
 */
export const CHACHA20_RECORDS_MAX = 0xffff_0000;
/** Renegotiations of TLS 1.2 refused with no data between; one more: unexpected_message. */
export const RENEGOTIATIONS_REFUSED_MAX = 8;

/** Pre-shared keys that a server looks at in one ClientHello; later ones: as if not offered. */
export const IDENTITIES_LOOKED_AT_MAX = 4;
/** A ticket that a client keeps; longer: not kept. */
export const TICKET_BYTES_MAX = 4_096;
/** RFC 8446 §4.6.1: a week; longer ones count as this. */
export const TICKET_LIFETIME_SECONDS_MAX = 604_800;
/** Tickets that a client keeps from one connection; further ones: not kept. */
export const TICKETS_KEPT_PER_CONNECTION = 2;

export interface TlsLimits {
  /** From the first byte, or the flow's beginning, to the last Finished; longer: aborted. */
  readonly handshakeMax: Duration;
  /** After a failure: how long the alert has to be taken; longer: aborted. */
  readonly lingerMax: Duration;
}

export const DEFAULT_LIMITS: TlsLimits = {
  handshakeMax: seconds(10),
  lingerMax: seconds(2),
};
