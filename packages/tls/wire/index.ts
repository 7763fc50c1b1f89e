/** All wire formats of TLS 1.3 and 1.2; each file is one message, or a few that are alike. */
export * from './alert.ts';
export { ByteReader } from './byte-reader.ts';
export { ByteWriter } from './byte-writer.ts';
export * from './certificate.ts';
export * from './certificate-request.ts';
export * from './certificate-verify.ts';
export * from './client-hello.ts';
export * from './code-points.ts';
export * from './encrypted-extensions.ts';
export type { Extensions, OtherExtension } from './extension-block.ts';
export {
  bindersBytes,
  type KeyShare,
  type OfferedPsks,
  type OidFilter,
  type PskIdentity,
  type StatusRequest,
} from './extension-values.ts';
export * from './extensions.ts';
export * from './handshake.ts';
export * from './key-exchange.ts';
export * from './new-session-ticket.ts';
export * from './record.ts';
export * from './server-hello.ts';
export * from './small-messages.ts';
