/** 'net.stack' as our own TCP/IP on an Ethernet interface, with the boot-time arguments that set its address. */

import type { NetDevice } from '#device';
import { directStack, stackOptions } from '#stack';
import type { Connector } from './run.ts';

export const directStackConnector: Connector<'net.stack'> = {
  args: {
    ipv4: {
      kind: 'ipv4Cidr',
      default: '',
      doc: 'a fixed address, as 10.0.2.15/24, instead of DHCP',
    },
    gateway: { kind: 'ipv4', default: '', doc: 'the router, with --ipv4' },
    hostname: { kind: 'string', default: '', doc: 'the name that DHCP servers are told' },
  },
  async connect({ machine, needs, args, log }) {
    const options = stackOptions(String(args.ipv4), String(args.gateway), String(args.hostname));
    if (!options.ok) return { lacks: `${options.error.kind}: ${options.error.message}` };
    return directStack(machine, needs[0] as NetDevice, options.value, log.source('stack'));
  },
};
