/**
 * NewSessionTicket, RFC 8446 §4.6.1 (13) and RFC 5077 §3.3 (12). Arrays of bytes are views of the
 * parsed ones.
 */

import type { Result } from '#core';
import type { TlsFault } from './alert.ts';
import { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { type TicketExtensions, ticketExtensions } from './extensions.ts';

export interface NewSessionTicket13 {
  readonly lifetimeSeconds: number;
  readonly ageAdd: number;
  readonly nonce: Uint8Array;
  readonly ticket: Uint8Array;
  readonly extensions: TicketExtensions;
}

export function parseNewSessionTicket13(body: Uint8Array): Result<NewSessionTicket13, TlsFault> {
  const from = new ByteReader(body);
  return from.finish({
    lifetimeSeconds: from.u32(),
    ageAdd: from.u32(),
    nonce: from.vector(1),
    ticket: from.vector(2, 1),
    extensions: ticketExtensions.read(from),
  });
}

export function emitNewSessionTicket13(to: ByteWriter, message: NewSessionTicket13): void {
  to.u32(message.lifetimeSeconds);
  to.u32(message.ageAdd);
  to.vector(1, message.nonce);
  to.vector(2, message.ticket);
  ticketExtensions.write(to, message.extensions);
}

export interface NewSessionTicket12 {
  /** A hint; 0 says nothing. */
  readonly lifetimeSeconds: number;
  /** Empty when the server gives none after all. */
  readonly ticket: Uint8Array;
}

export function parseNewSessionTicket12(body: Uint8Array): Result<NewSessionTicket12, TlsFault> {
  const from = new ByteReader(body);
  return from.finish({ lifetimeSeconds: from.u32(), ticket: from.vector(2) });
}

export function emitNewSessionTicket12(to: ByteWriter, message: NewSessionTicket12): void {
  to.u32(message.lifetimeSeconds);
  to.vector(2, message.ticket);
}

/** For both; a ticket is as good as a secret, so its bytes aren't shown. */
export const formatNewSessionTicket = ({ lifetimeSeconds, ticket }: NewSessionTicket12): string =>
  `new_session_ticket of ${ticket.length} bytes for ${lifetimeSeconds} s`;
