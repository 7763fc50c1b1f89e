/**
 * Names of hosts (device/host-name.ts says which those are): under which names they are asked for,
 * and which are known (RFC 6761 §6.3).
 */

import { addressFamily, isHostName } from '#device';
import { lowerName } from './wire/name.ts';

/** In lower case, without a dot at the end. */
export interface HostName {
  readonly name: string;
  /** The text ended with a dot: the name is complete (RFC 1034 §3.1). */
  readonly isAbsolute: boolean;
}

/** `text` as a host's name; null when it is none. */
export function parseHostName(text: string): HostName | null {
  if (!isHostName(text)) return null;
  const isAbsolute = text.endsWith('.');
  return { name: lowerName(isAbsolute ? text.slice(0, -1) : text), isAbsolute };
}

/** Names to ask for, in order. `ndots`: as many dots make a name that is asked as it is first. */
export function candidates(
  { name, isAbsolute }: HostName,
  search: readonly string[],
  ndots: number,
): string[] {
  if (isAbsolute) return [name];
  const dots = name.split('.').length - 1;
  const longer = search.map((domain) => `${name}.${domain}`).filter(isHostName);
  return dots >= ndots ? [name, ...longer] : [...longer, name];
}

/** What a text means without asking; null: ask. */
export function knownAddresses(text: string): readonly string[] | null {
  if (addressFamily(text) !== null) return [text];
  const host = parseHostName(text);
  // RFC 6761 §6.3: resolvers and libraries answer themselves.
  return host !== null && isWithin(host.name, 'localhost') ? ['127.0.0.1', '::1'] : null;
}

const isWithin = (name: string, zone: string): boolean =>
  name === zone || name.endsWith(`.${zone}`);
