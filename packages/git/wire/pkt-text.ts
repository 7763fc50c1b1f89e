/** What the payloads of pkt-lines have in common: lines of text, capabilities. */

import { type Pkt, pktOf } from './pkt-line.ts';
import { decodeText, encodeText, joinBytes } from './text.ts';

const LF = 10;

/** The payload's text, without the LF that it may end in (gitprotocol-common). O(length). */
export function lineOf(payload: Uint8Array): string {
  const { length } = payload;
  return decodeText(payload, 0, length > 0 && payload[length - 1] === LF ? length - 1 : length);
}

/** The payload of a line of text. */
export const payloadOf = (line: string): Uint8Array => encodeText(`${line}\n`);

/** A line of text as a whole pkt-line; PKT_PAYLOAD_BYTES_MAX at most with its LF. */
export const pktLine = (line: string): Uint8Array => pktOf(payloadOf(line));

/** Pkt-lines of several lines of text, as one array. */
export const pktLines = (lines: readonly string[]): Uint8Array => joinBytes(lines.map(pktLine));

/**
 * What one side can, in the order it says so: "name" or "name=value". Of a name that comes more
 * than once (symref) all values count.
 */
export type Capabilities = readonly string[];

export const hasCapability = (capabilities: Capabilities, name: string): boolean =>
  capabilities.includes(name) || capabilityOf(capabilities, name) !== null;

/** The value of the first capability `name`; null without one. */
export function capabilityOf(capabilities: Capabilities, name: string): string | null {
  const prefix = `${name}=`;
  const found = capabilities.find((text) => text.startsWith(prefix));
  return found === undefined ? null : found.slice(prefix.length);
}

/** All values of `name`. */
export const capabilitiesOf = (capabilities: Capabilities, name: string): readonly string[] =>
  capabilities
    .filter((text) => text.startsWith(`${name}=`))
    .map((text) => text.slice(name.length + 1));

/** Words with single spaces between them; spaces at both ends are nothing. */
export const wordsOf = (text: string): string[] => text.split(' ').filter((word) => word !== '');

/** Where a line that is none stands among its pkt-lines: the offset of a fault. */
export const lineFault = (index: number, pkt: Pkt | undefined) =>
  ({
    kind: 'field',
    offset: index,
    value: pkt instanceof Uint8Array ? (pkt[0] ?? 0) : 0,
  }) as const;
