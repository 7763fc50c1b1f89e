/** A user-mode gateway: a virtual network's way to the host's sockets. Read first: README.md. */

export { Gateway, type GatewayOptions, type GatewaySnapshot } from './gateway.ts';
export type { Member, Members } from './guests.ts';
export type { GatewayHost } from './host.ts';
export { type GatewayNetwork, gatewayNetwork } from './network.ts';
export type { PortToPublish, PublishError, PublishedPort } from './publish.ts';
