/**
 * The table of connections: a Map by `keyOf`, whose entries link those with one key. The way that a
 * packet takes through it is in stack.ts. Read first: stack.ts.
 */

import type { IpAddress } from '../ip.ts';
import { sameAddress } from '../ip-family.ts';
import type { Connection } from './connection.ts';

export type ConnectionTable = Map<number, Connection>;

/**
 * The table's key: equal keys are possible between different local ports only, and between hosts
 * that we stand in for (../foreign.ts), whose addresses aren't in it: a peer that connects from one
 * port to one port of many has them all in one chain. Others are short. (An IPv6 address's key may
 * be another's by chance.)
 */
export const keyOf = (remote: IpAddress, ports: number): number =>
  (typeof remote === 'number' ? remote : remote.key) * 65_536 + ((ports >>> 16) ^ (ports & 0xffff));

export function link(table: ConnectionTable, c: Connection): void {
  const key = keyOf(c.remoteAddress, c.portsIn);
  const first = table.get(key);
  if (first !== undefined) c.chain = first;
  table.set(key, c);
}

/** Whether it was there. */
export function unlink(table: ConnectionTable, c: Connection): boolean {
  const key = keyOf(c.remoteAddress, c.portsIn);
  let at = table.get(key);
  if (at === c) {
    if (c.chain === undefined) table.delete(key);
    else table.set(key, c.chain);
    return true;
  }
  for (; at !== undefined; at = at.chain) {
    if (at.chain !== c) continue;
    at.chain = c.chain;
    return true;
  }
  return false;
}

/**
 * The connection between two addresses, whatever objects they are; gives it these objects, which
 * the next packets mostly have too.
 */
export function findSame(
  table: ConnectionTable,
  remote: IpAddress,
  local: IpAddress,
  ports: number,
): Connection | undefined {
  for (let c = table.get(keyOf(remote, ports)); c !== undefined; c = c.chain) {
    if (c.portsIn !== ports || !sameAddress(c.remoteAddress, remote)) continue;
    if (!sameAddress(c.localAddress, local)) continue;
    c.remoteAddress = remote;
    c.localAddress = local;
    return c;
  }
  return undefined;
}

export function* connectionsOf(table: ConnectionTable): Generator<Connection> {
  for (const first of table.values()) {
    for (let c: Connection | undefined = first; c !== undefined; c = c.chain) yield c;
  }
}
