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
      return {
        lacks: `name servers: '${request.args.nameservers}' must be addresses, or tls://ADDRESS#NAME`,
      };
    }
    const { secure } = request;
    const isPrivate = nameServers.filter(({ tlsName }) => tlsName !== undefined).length;
    if (isPrivate > 0 && secure === null) {
      return {
        lacks: 'name servers over TLS need CAs to trust: build it with --ca, or give it ca',
      };
    }
    // Strict (RFC 8310 §5): who breaks TLS must not thereby get the questions in the open.
    if (isPrivate > 0 && isPrivate < nameServers.length) {
      return { lacks: 'name servers: all of them over TLS, or none' };
    }
    const transport = secure === null ? null : secure.names.bind(secure);
    const names = (numeric: ConstructorParameters<typeof Names>[0]) =>
      new Names(numeric, { transport });
    return connectDirect(request, { nameServers, names });
  },
};
