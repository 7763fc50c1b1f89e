export {
  type Credentials,
  type TlsClientConfig,
  type TlsEnvironment,
  type TlsServerConfig,
  type TlsVersion,
  tlsClientConfig,
  tlsServerConfig,
} from './config.ts';
export { DEFAULT_LIMITS, type TlsLimits } from './limits.ts';
export { formatTlsError, type TlsError } from './refusal.ts';
export type { TlsSession } from './session.ts';
export { SessionCache } from './session-cache.ts';
export { ServerSessions } from './ticket-12.ts';
export { TicketKeys, type TicketLifetimes } from './ticket-keys.ts';
export { acceptTls, connectTls, type TlsFlow } from './tls-flow.ts';
