/** Why a connection of TLS ends other than by both sides' close_notify. */

import type { WireFault } from '#core';
import type { FlowEnd } from '#device';
import type { PathFault } from '#x509';
import type { AlertName, TlsFault } from './wire/alert.ts';

/** We end it: the alert that the peer is told, and a sentence for a log, without secrets. */
export interface Refusal {
  readonly kind: 'alert sent';
  readonly alert: AlertName;
  readonly reason: string;
  /** What is wrong with the peer's certificates, when that is why. */
  readonly certificate: PathFault | null;
}

export type TlsError =
  | Refusal
  /** The peer ended it. Null: a description that nobody defined. */
  | { readonly kind: 'alert received'; readonly alert: AlertName | null }
  /** The peer's FIN came without its close_notify: what it said may not be all. */
  | { readonly kind: 'truncated' }
  /** The handshake wasn't complete in time. */
  | { readonly kind: 'timeout' }
  /** The flow below ended. */
  | { readonly kind: 'flow'; readonly how: FlowEnd };

export const refuse = (
  alert: AlertName,
  reason: string,
  certificate: PathFault | null = null,
): Refusal => ({ kind: 'alert sent', alert, reason, certificate });

/** As `refuse`, of bytes that are no `what`. */
export const refuseMalformed = (fault: TlsFault, what: string): Refusal =>
  refuse(fault.alert, `malformed ${what}: ${formatFault(fault)}`);

function formatFault(fault: WireFault): string {
  switch (fault.kind) {
    case 'short':
      return `${fault.haveBytes} bytes of ${fault.needBytes}`;
    case 'field':
      return `${fault.value} at ${fault.offset}`;
    case 'checksum':
      return `checksum at ${fault.offset}`;
  }
}

/** One line for a log. */
export function formatTlsError(error: TlsError): string {
  switch (error.kind) {
    case 'alert sent':
      return `${error.alert}: ${error.reason}`;
    case 'alert received':
      return `the peer said ${error.alert ?? 'something unknown'}`;
    case 'truncated':
      return 'the peer ended without close_notify';
    case 'timeout':
      return 'the handshake took too long';
    case 'flow':
      return `the connection ended: ${error.how}`;
  }
}
