/**
 * 'net.stack' as our own TCP/IP with names: for programs that may open connections. Others link
 * direct-stack.ts, which has none.
 */

import { Names, parseNameServers } from '#stack';
import { connectDirect } from './direct-stack.ts';
import type { Connector } from './run.ts';
import { DIRECT_STACK_ARGS, NAME_ARGS } from './standard-args.ts';

export const namedStackConnector: Connector<'net.stack'> = {
  args: { ...DIRECT_STACK_ARGS, ...NAME_ARGS },
  async connect(request) {
    const nameServers = parseNameServers(String(request.args.nameservers));
    if (nameServers === null) {
      return { lacks: `name servers: '${request.args.nameservers}' must be numeric addresses` };
    }
    return connectDirect(request, { nameServers, names: (numeric) => new Names(numeric) });
  },
};
