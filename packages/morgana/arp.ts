/** `morgana/arp`: what hosts with a versioned ARP cache know of each other's. */

export type { NeighborRecord, NeighborRemote, VersionedArp } from '#versioned-arp';
export { gitRemote } from './arp/git-remote.ts';
export { neighborsHandler } from './arp/serve-neighbors.ts';
