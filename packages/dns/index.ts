/** Names: a stub resolver over any stack. Read first: README.md, resolver.ts. */

export { type DnsClient, Forwarder, type ForwarderOptions } from './forwarder.ts';
export { ForwarderServer } from './forwarder-server.ts';
export { parseHostName } from './host-name.ts';
export {
  DEFAULT_FORWARDER_LIMITS,
  DEFAULT_LIMITS,
  type DnsLimits,
  type ForwarderLimits,
} from './limits.ts';
export type { LocalName, LocalNames } from './local-zone.ts';
export {
  type DnsConfiguration,
  type Family,
  Resolver,
  type ResolverOptions,
  type Resolving,
} from './resolver.ts';
export type { Answer, Outcome, ResolveError } from './response.ts';
export { type DnsStack, StackTransport } from './stack-transport.ts';
export { type ConnectDnsTls, TlsTransport, type TlsTransportOptions } from './tls-transport.ts';
export type {
  DnsExchange,
  DnsExchangeHandler,
  DnsServer,
  DnsTransport,
} from './transport.ts';
export { dnsType, type RecordData } from './wire/index.ts';
