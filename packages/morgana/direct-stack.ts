/**
 * 'net.stack' as our own TCP/IP on an Ethernet interface, with the boot-time arguments that set
 * its address.
 */

import type { NetDevice, Stack } from '#device';
import { directStack, ipv6Options, type StackOptions, stackOptions } from '#stack';
import type { VersionedArp } from '#versioned-arp';
import type { Connector, ConnectRequest } from './run.ts';
import { DIRECT_STACK_ARGS } from './standard-args.ts';

export const directStackConnector: Connector<'net.stack'> = {
  args: DIRECT_STACK_ARGS,
  connect: (request) => connectDirect(request, {}),
};

/** The stack of `request`, with `more` besides what the arguments say. */
export async function connectDirect(
  { machine, node, needs, args, log, inspection }: ConnectRequest,
  more: Pick<StackOptions, 'names' | 'nameServers'>,
): Promise<Stack | { readonly lacks: string }> {
  const [ipv4, gateway] = [String(args.ipv4), String(args.gateway)];
  const options = stackOptions(ipv4, gateway, String(args.hostname), String(args.routes));
  if (!options.ok) return { lacks: `${options.error.kind}: ${options.error.message}` };
  const [address, router] = [String(args.ipv6), String(args['ipv6-gateway'])];
  const ipv6 = ipv6Options(address, router, String(args['ipv6-secret']));
  if (!ipv6.ok) return { lacks: `${ipv6.error.kind}: ${ipv6.error.message}` };
  const memoryBytes = Number(args['net-memory']) * 1_024;
  // Where no address comes, somebody will want to look why.
  const early = (stack: Stack): void => inspection?.connected(node, stack);
  const [, versioned] = needs as [NetDevice, VersionedArp?];
  const arp = versioned === undefined ? {} : { arp: versioned.policy };
  const given = { ...options.value, ipv6: ipv6.value, memoryBytes, early, ...arp, ...more };
  return directStack(machine, needs[0] as NetDevice, given, log.source('stack'));
}
