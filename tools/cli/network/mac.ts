/** Station addresses on a network. */

import { createHash } from 'node:crypto';
import { formatMac } from '#targets/node/link';

const MAC_BYTES = 6;

/**
 * The address of a unikernel on a network: the same each time, so that it gets the same lease; a
 * local one.
 */
export function macOnNetwork(network: string, name: string): string {
  return local(`${network}/${name}`);
}

/** The address of a network's gateway, which no name has: there are no blanks in names. */
export const macOfGateway = (network: string): string => local(`${network}/ gateway`);

function local(text: string): string {
  const digest = createHash('sha256').update(text).digest();
  const mac = Uint8Array.from(digest.subarray(0, MAC_BYTES));
  mac[0] = (mac[0]! & 0xfc) | 0x02;
  return formatMac(mac);
}

/** Six bytes, out of "52:54:00:00:00:01". */
export const parseMacText = (text: string): Uint8Array =>
  Uint8Array.from(text.split(':'), (part) => Number.parseInt(part, 16));
