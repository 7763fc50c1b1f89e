/**
 * Alerts (RFC 8446 §6, RFC 5246 §7.2), and faults that know the alert which answers them. Not here:
 * when to send which (the engine).
 */

import { err, ok, type Result, type WireFault } from '#core';
import type { ByteWriter } from './byte-writer.ts';

/** RFC 8446 §B.2, with no_renegotiation (RFC 5246) and inappropriate_fallback (RFC 7507). */
export const alert = {
  close_notify: 0,
  unexpected_message: 10,
  bad_record_mac: 20,
  record_overflow: 22,
  handshake_failure: 40,
  bad_certificate: 42,
  unsupported_certificate: 43,
  certificate_revoked: 44,
  certificate_expired: 45,
  certificate_unknown: 46,
  illegal_parameter: 47,
  unknown_ca: 48,
  access_denied: 49,
  decode_error: 50,
  decrypt_error: 51,
  protocol_version: 70,
  insufficient_security: 71,
  internal_error: 80,
  inappropriate_fallback: 86,
  user_canceled: 90,
  no_renegotiation: 100,
  missing_extension: 109,
  unsupported_extension: 110,
  unrecognized_name: 112,
  bad_certificate_status_response: 113,
  unknown_psk_identity: 115,
  certificate_required: 116,
  no_application_protocol: 120,
} as const;
export type AlertName = keyof typeof alert;

export const ALERT_WARNING = 1;
export const ALERT_FATAL = 2;
export const ALERT_BYTES = 2;

/** What the peer got wrong, and the alert that says so. */
export type TlsFault = WireFault & { readonly alert: AlertName };

export interface AlertRepr {
  /** As sent: TLS 1.3 tells to ignore it, TLS 1.2 knows only two (RFC 5246 §7.2). */
  readonly level: number;
  /** May be none of `alert`. */
  readonly description: number;
}

/** One alert in a record's plaintext: exactly two bytes (RFC 8446 §5.1 forbids pieces). */
export function parseAlert(b: Uint8Array): Result<AlertRepr, TlsFault> {
  if (b.length < ALERT_BYTES) {
    return err({
      kind: 'short',
      needBytes: ALERT_BYTES,
      haveBytes: b.length,
      alert: 'decode_error',
    });
  }
  if (b.length > ALERT_BYTES) {
    return err({ kind: 'field', offset: ALERT_BYTES, value: b.length, alert: 'decode_error' });
  }
  return ok({ level: b[0]!, description: b[1]! });
}

export function emitAlert(to: ByteWriter, repr: AlertRepr): void {
  to.u8(repr.level);
  to.u8(repr.description);
}

const NAMES = new Map<number, AlertName>(
  (Object.keys(alert) as AlertName[]).map((name) => [alert[name], name]),
);

/** Null for a description that `alert` doesn't have. */
export const alertNameOf = (description: number): AlertName | null =>
  NAMES.get(description) ?? null;

export const formatAlert = ({ level, description }: AlertRepr): string =>
  `alert ${alertNameOf(description) ?? description} level ${level}`;
