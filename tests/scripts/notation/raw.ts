/**
 * Packets without a notation of their own, and malformed ones: `ip proto 132 hex 0102...`,
 * `eth type 0x86dd hex ...`. Fragments are shown so, too: `[id 7, off 1480] ip proto 17 len 20`.
 */

import { bytesOfHex, type Fields, hexOf, ScriptSyntax, type Value, type Words } from '../words.ts';
import type { Notation } from './notation.ts';

/** Bytes of which only the first are shown. */
const SHOWN_MAX = 64;

function readRaw(words: Words, numbers: readonly string[]): Fields {
  const fields: Record<string, Value> = {};
  while (!words.isEmpty) {
    const word = words.next();
    if (numbers.includes(word)) fields[word] = words.value();
    else if (word === 'len') fields.len = words.value();
    else if (word === 'hex') fields.hex = words.hex();
    else throw new ScriptSyntax(`'${word}' is nothing that raw bytes have`);
  }
  return fields;
}

const showRaw = (fields: Fields): string =>
  Object.entries(fields)
    .map(([name, value]) => `${name} ${String(value).slice(0, SHOWN_MAX)}`)
    .join(' ');

const writeRaw = (fields: Fields): Uint8Array =>
  fields.hex === undefined
    ? new Uint8Array(Number(fields.len ?? 0)).fill(0x2e)
    : bytesOfHex(String(fields.hex));

/** Anything in an IP packet. Its checksum, if it has one, is in the bytes. */
export const ip: Notation = {
  name: 'ip',
  family: 4,
  carrier: { protocol: 0 },
  read: (words) => readRaw(words, ['proto']),
  write: writeRaw,
  recognise({ ip: inside }) {
    if (inside === null) return null;
    const { protocol, payload } = inside;
    return { proto: protocol, len: payload.length, hex: hexOf(payload) };
  },
  show: showRaw,
};

/** As `ip`, in an IPv6 packet. */
export const ip6: Notation = {
  ...ip,
  name: 'ip6',
  family: 6,
  recognise: (packet, scene) =>
    typeof packet.envelope.src === 'string' ? ip.recognise(packet, scene) : null,
};

/** Anything in an Ethernet frame; `[type N]` sets its type. */
export const ether: Notation = {
  name: 'eth',
  carrier: { etherType: 0x0800 },
  read: (words) => readRaw(words, []),
  write: writeRaw,
  recognise: ({ linkPayload }) => ({ len: linkPayload.length, hex: hexOf(linkPayload) }),
  show: showRaw,
};
