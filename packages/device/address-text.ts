/**
 * IP addresses as text and bytes: dotted decimal of four numbers, and RFC 4291 §2.2 read, RFC 5952
 * written. Not here: zones ("%eth0"), which only an interface can tell.
 */

/** Four bytes of "10.0.2.15": decimal without leading zeros, as every reader takes it; or null. */
export function parseIpv4Text(text: string): Uint8Array | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  const bytes = new Uint8Array(4);
  for (const [i, part] of parts.entries()) {
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return null;
    bytes[i] = Number(part);
  }
  return bytes;
}

/** Sixteen bytes of an IPv6 address without brackets and zone; or null. */
export function parseIpv6Text(text: string): Uint8Array | null {
  const halves = text.split('::');
  if (text.length > 45 || halves.length > 2) return null;
  const head = groupsOf(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? groupsOf(halves[1]!, true) : [];
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const bytes = new Uint8Array(16);
  for (const [i, group] of [...head, ...new Array<number>(missing).fill(0), ...tail].entries()) {
    bytes[2 * i] = group >> 8;
    bytes[2 * i + 1] = group;
  }
  return bytes;
}

/** 16-bit groups of "a:b:c", the last two perhaps as dotted decimal; null when it is none. */
function groupsOf(text: string, isEnd: boolean): number[] | null {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [i, part] of parts.entries()) {
    if (isEnd && i === parts.length - 1 && part.includes('.')) {
      const ipv4 = parseIpv4Text(part);
      if (ipv4 === null) return null;
      groups.push(ipv4[0]! * 256 + ipv4[1]!, ipv4[2]! * 256 + ipv4[3]!);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else {
      return null;
    }
  }
  return groups;
}

export const formatIpv4Text = (bytes: Uint8Array): string => bytes.join('.');

/** RFC 5952: lower case, the first longest run of two or more zero groups as '::'. */
export function formatIpv6Text(bytes: Uint8Array): string {
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(bytes[i]! * 256 + bytes[i + 1]!);
  let bestAt = 0;
  let bestCount = 1;
  for (let i = 0; i < 8; i++) {
    let count = 0;
    while (i + count < 8 && groups[i + count] === 0) count++;
    if (count > bestCount) {
      bestAt = i;
      bestCount = count;
    }
  }
  const hex = (list: readonly number[]): string =>
    list.map((group) => group.toString(16)).join(':');
  if (bestCount === 1) return hex(groups);
  return `${hex(groups.slice(0, bestAt))}::${hex(groups.slice(bestAt + bestCount))}`;
}

/** The family of a numeric address; null when `text` is none. */
export function addressFamily(text: string): 'ipv4' | 'ipv6' | null {
  if (parseIpv4Text(text) !== null) return 'ipv4';
  const [address, zone, ...more] = text.split('%');
  if (more.length > 0 || zone === '') return null;
  return parseIpv6Text(address!) === null ? null : 'ipv6';
}
