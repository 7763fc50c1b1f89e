/**
 * Which message may have which extensions: the table of RFC 8446 §4.2, and for TLS 1.2 RFC 5246
 * §7.4.1.4, 5746, 6066, 7301, 7627, 8422, 8449.
 */

import { extensionCode as code } from './code-points.ts';
import { type Extensions, ExtensionTable } from './extension-block.ts';
import {
  authorities,
  codes,
  cookie,
  flag,
  hostName,
  keyShare,
  keyShares,
  ocspResponse,
  offeredPsks,
  oidFilters,
  opaque,
  protocol,
  protocols,
  recordSizeLimit,
  renegotiationInfo,
  smallCodes,
  statusRequest,
  u16,
  u32,
  versions,
} from './extension-values.ts';

/** In the order in which our client sends them: pre_shared_key must be the last. */
export const clientHelloExtensions = new ExtensionTable({
  serverName: [code.server_name, hostName],
  extendedMasterSecret: [code.extended_master_secret, flag],
  renegotiationInfo: [code.renegotiation_info, renegotiationInfo],
  supportedGroups: [code.supported_groups, codes],
  ecPointFormats: [code.ec_point_formats, smallCodes],
  sessionTicket: [code.session_ticket, opaque],
  alpn: [code.application_layer_protocol_negotiation, protocols],
  statusRequest: [code.status_request, statusRequest],
  signatureAlgorithms: [code.signature_algorithms, codes],
  signatureAlgorithmsCert: [code.signature_algorithms_cert, codes],
  recordSizeLimit: [code.record_size_limit, recordSizeLimit],
  supportedVersions: [code.supported_versions, versions],
  cookie: [code.cookie, cookie],
  pskKeyExchangeModes: [code.psk_key_exchange_modes, smallCodes],
  keyShare: [code.key_share, keyShares],
  certificateAuthorities: [code.certificate_authorities, authorities],
  postHandshakeAuth: [code.post_handshake_auth, flag],
  earlyData: [code.early_data, flag],
  preSharedKey: [code.pre_shared_key, offeredPsks],
} as const);
export type ClientHelloExtensions =
  typeof clientHelloExtensions extends ExtensionTable<infer T> ? Extensions<T> : never;

/**
 * A ServerHello of TLS 1.3 or of 1.2. What belongs to the other version is the engine's to refuse,
 * when it knows which was chosen. supported_groups has no place in it, but some servers of TLS 1.2
 * send it, and RFC 8446 §4.2.7 tells clients not to act on it.
 */
export const serverHelloExtensions = new ExtensionTable({
  preSharedKey: [code.pre_shared_key, u16],
  keyShare: [code.key_share, keyShare],
  supportedVersions: [code.supported_versions, u16],
  serverName: [code.server_name, flag],
  extendedMasterSecret: [code.extended_master_secret, flag],
  renegotiationInfo: [code.renegotiation_info, renegotiationInfo],
  supportedGroups: [code.supported_groups, codes],
  ecPointFormats: [code.ec_point_formats, smallCodes],
  sessionTicket: [code.session_ticket, flag],
  alpn: [code.application_layer_protocol_negotiation, protocol],
  statusRequest: [code.status_request, flag],
  recordSizeLimit: [code.record_size_limit, recordSizeLimit],
} as const);
export type ServerHelloExtensions =
  typeof serverHelloExtensions extends ExtensionTable<infer T> ? Extensions<T> : never;

/** Of the ServerHello that is a HelloRetryRequest; its key_share is a group (RFC 8446 §4.2.8). */
export const helloRetryExtensions = new ExtensionTable({
  keyShare: [code.key_share, u16],
  cookie: [code.cookie, cookie],
  supportedVersions: [code.supported_versions, u16],
} as const);
export type HelloRetryExtensions =
  typeof helloRetryExtensions extends ExtensionTable<infer T> ? Extensions<T> : never;

export const encryptedExtensions = new ExtensionTable({
  serverName: [code.server_name, flag],
  supportedGroups: [code.supported_groups, codes],
  alpn: [code.application_layer_protocol_negotiation, protocol],
  recordSizeLimit: [code.record_size_limit, recordSizeLimit],
  earlyData: [code.early_data, flag],
} as const);
export type EncryptedExtensions =
  typeof encryptedExtensions extends ExtensionTable<infer T> ? Extensions<T> : never;

export const certificateRequestExtensions = new ExtensionTable({
  signatureAlgorithms: [code.signature_algorithms, codes],
  signatureAlgorithmsCert: [code.signature_algorithms_cert, codes],
  certificateAuthorities: [code.certificate_authorities, authorities],
  oidFilters: [code.oid_filters, oidFilters],
  statusRequest: [code.status_request, opaque],
} as const);
export type CertificateRequestExtensions =
  typeof certificateRequestExtensions extends ExtensionTable<infer T> ? Extensions<T> : never;

/** Of one certificate of TLS 1.3 (RFC 8446 §4.4.2). */
export const certificateExtensions = new ExtensionTable({
  statusRequest: [code.status_request, ocspResponse],
} as const);
export type CertificateExtensions =
  typeof certificateExtensions extends ExtensionTable<infer T> ? Extensions<T> : never;

/** The largest early data that the ticket allows, RFC 8446 §4.6.1. */
export const ticketExtensions = new ExtensionTable({
  earlyData: [code.early_data, u32],
} as const);
export type TicketExtensions =
  typeof ticketExtensions extends ExtensionTable<infer T> ? Extensions<T> : never;
