/**
 * `morgana/tls`: HTTPS and TLS for applications that hold a stack and a `tls.server` or
 * `tls.client` of their configuration.
 */

export type { TlsFlow, TlsSession } from '#tls';
export { type Certificate, parseCertificate } from '#x509';
export { type Hsts, type HttpsOptions, serveHttps, tlsSession } from './tls/https.ts';
export type { TlsClient, TlsConnectOptions } from './tls/tls-client.ts';
export type { TlsPortOptions, TlsServer } from './tls/tls-server.ts';
