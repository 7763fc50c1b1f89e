/** UDP (RFC 768): `udp 53>$port "text"`, `udp 5000>7 len 100`, `udp 5000>7 hex 0a0b nosum`. */

import { emitUdp, parseUdp } from '#net/wire';
import {
  bytesOfHex,
  bytesOfLatin1,
  type Fields,
  hexOf,
  latin1Of,
  ScriptSyntax,
  type Value,
} from '../words.ts';
import type { Notation } from './notation.ts';

export const UDP_PROTOCOL = 17;

export const isPrintable = (bytes: Uint8Array): boolean =>
  bytes.every((byte) => byte >= 0x20 && byte < 0x7f);

/** What a script's payload words say: a text, bytes, or a length. */
export function payloadOf(fields: Fields): Uint8Array {
  if (fields.text !== undefined) return bytesOfLatin1(String(fields.text));
  if (fields.hex !== undefined) return bytesOfHex(String(fields.hex));
  return new Uint8Array(Number(fields.len ?? 0)).fill(0x2e);
}

/** All ways to say what the payload is: any of them may be expected. */
export const payloadFields = (payload: Uint8Array): Fields => ({
  len: payload.length,
  hex: hexOf(payload),
  text: latin1Of(payload),
});

export const showPayload = (fields: Fields): string => {
  const payload = bytesOfHex(String(fields.hex ?? ''));
  return payload.length <= 60 && isPrintable(payload)
    ? JSON.stringify(latin1Of(payload))
    : `len ${fields.len}`;
};

export const udp: Notation = {
  name: 'udp',
  carrier: { protocol: UDP_PROTOCOL },
  checksumAt: 6,
  read(words) {
    const fields: Record<string, Value> = { sport: words.value() };
    words.expect('>');
    fields.dport = words.value();
    while (!words.isEmpty) {
      if (words.isText) {
        fields.text = words.text();
        continue;
      }
      const word = words.next();
      if (word === 'len') fields.len = words.value();
      else if (word === 'hex') fields.hex = words.hex();
      else if (word === 'nosum') fields.sum = 0;
      else throw new ScriptSyntax(`'${word}' is nothing that a UDP packet has`);
    }
    return fields;
  },
  write(fields, way) {
    const payload = payloadOf(fields);
    const out = new Uint8Array(8 + payload.length);
    const sum = way.pseudoSum(UDP_PROTOCOL, out.length);
    const ports = { sourcePort: Number(fields.sport), destinationPort: Number(fields.dport) };
    emitUdp(out, 0, { ...ports, payload }, sum);
    if (fields.sum === 0) out.fill(0, 6, 8);
    return out;
  },
  recognise({ ip }) {
    if (ip === null || ip.protocol !== UDP_PROTOCOL || ip.isFragment) return null;
    const parsed = parseUdp(ip.payload, ip.way.pseudoSum(UDP_PROTOCOL, ip.payload.length));
    if (!parsed.ok) return null;
    const { sourcePort, destinationPort, payload } = parsed.value;
    const sum = (ip.payload[6]! << 8) | ip.payload[7]!;
    return { sport: sourcePort, dport: destinationPort, sum, ...payloadFields(payload) };
  },
  show: (fields) => `${fields.sport}>${fields.dport} ${showPayload(fields)}`,
};
