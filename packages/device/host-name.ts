/**
 * Which texts are names of hosts: RFC 1123 §2.1, and '_' as in practice. Every stack takes the same
 * ones.
 */

const LABEL = /^(?!-)[a-zA-Z0-9_-]{1,63}(?<!-)$/;
/** WHATWG URL "ends in a number": such a host is an address or a mistake, never a name. */
const NUMBER = /^(?:\d+|0[xX][0-9a-fA-F]*)$/;
/** 255 bytes on the wire (RFC 1035 §3.1). */
const NAME_CHARACTERS_MAX = 253;

/** True when `text`, which may end with a dot, is a name; an address, or part of one, is none. */
export function isHostName(text: string): boolean {
  const name = text.endsWith('.') ? text.slice(0, -1) : text;
  if (name.length > NAME_CHARACTERS_MAX) return false;
  const labels = name.split('.');
  return labels.every((label) => LABEL.test(label)) && !NUMBER.test(labels.at(-1)!);
}

/** Names that exist nowhere, so that nobody is asked for them: RFC 6761 §6.4, RFC 7686 §2. */
export const isNeverHost = (text: string): boolean => /(?:^|\.)(?:invalid|onion)\.?$/i.test(text);
