/**
 * `morgana/tls`: HTTPS and TLS for applications that hold a stack and a `tls.server` or
 * `tls.client` of their configuration; and below that, TLS on any flow, and certificates made by the
 * program itself.
 */

export { primitives } from '#crypto/platform';
export {
  acceptTls,
  type Credentials,
  connectTls,
  formatTlsError,
  type TlsClientConfig,
  type TlsEnvironment,
  type TlsError,
  type TlsFlow,
  type TlsServerConfig,
  type TlsSession,
  tlsClientConfig,
  tlsServerConfig,
} from '#tls';
export {
  type AuthorityTools,
  type Certificate,
  CertificateAuthority,
  credentialsFromPem,
  parseCertificate,
  pemEncode,
  privateKeyFromPem,
  TrustAnchors,
} from '#x509';
export { type Hsts, type HttpsOptions, serveHttps, tlsSession } from './tls/https.ts';
export type { TlsClient, TlsConnectOptions } from './tls/tls-client.ts';
export type { TlsPortOptions, TlsServer } from './tls/tls-server.ts';
