/** 'net.versionedArp': an ARP cache with its history in a store, for the stack that needs it. */

import { primitives } from '#crypto/platform';
import type { Clock, Entropy } from '#device';
import { MemoryBackend } from '#git';
import { Repository } from '#store';
import { reachable, VersionedArp } from '#versioned-arp';
import { neighborsOf } from '../arguments.ts';
import type { Connector } from '../run.ts';
import { DIRECT_STACK_ARGS, VERSIONED_ARP_ARGS } from '../standard-args.ts';

/** Of the store's objects; past it what is learned waits, and ARP goes on. */
const STORE_BYTES_MAX = 8 * 1_048_576;

export const versionedArpConnector: Connector<'net.versionedArp'> = {
  // Who learns is who DHCP is told that we are.
  args: { hostname: DIRECT_STACK_ARGS.hostname!, ...VERSIONED_ARP_ARGS },
  async connect({ machine, node, needs, args, log, name, inspection }) {
    const { timers, clock, entropy } = machine;
    const host = String(args.hostname) || name;
    const [given] = needs as [Repository?];
    const { repository, collect } =
      given === undefined ? inMemory(clock, entropy, host) : onDevice(given);
    const arp = new VersionedArp({
      repository,
      timers,
      clock,
      entropy,
      log: log.source('arp'),
      host,
      believesUnasked: node.options.believesUnasked === true,
      // What is given at boot counts more.
      static: { ...neighborsOf(String(node.options.static)), ...neighborsOf(String(args.arp)) },
      peers: [...listOf(node.options.peers), ...listOf(args['arp-peers'])],
      collect,
    });
    inspection?.commands.inspector.section('versionedArp', () => ({ ...arp.counters() }));
    const started = await arp.start();
    return started.ok ? arp : { lacks: started.error };
  },
};

/** "10.0.2.3,10.0.2.4", or nothing. */
const listOf = (text: unknown): string[] => (text ? String(text).split(',') : []);

/** A store that forgets what was cut off its history; its own memory is all that it takes. */
function inMemory(clock: Clock, entropy: Entropy, host: string) {
  const backend = new MemoryBackend({ bytesMax: STORE_BYTES_MAX });
  const author = { name: host, email: '' };
  const repository = Repository.open({ backend, crypto: primitives, clock, author, entropy });
  const collect = async (): Promise<void> => {
    const reached = await reachable(repository);
    if (reached.ok) backend.keepOnly(reached.value);
  };
  return { repository, collect };
}

/** A store that collects what was cut off beside its writer, who doesn't wait for it. */
const onDevice = (repository: Repository) => ({
  repository,
  collect: async (): Promise<void> => {
    void repository.backend.collect?.({});
  },
});
