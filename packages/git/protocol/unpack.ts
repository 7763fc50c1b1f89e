/** A pack that came, as objects in a quarantine. */

import { assert, type Result } from '#core';
import type { CryptoPrimitives, Zlib } from '#device';
import { nameObject, type ObjectKind } from '../object.ts';
import { ID_BYTES, type ObjectId, readId } from '../object-id.ts';
import { joinBytes } from '../wire/text.ts';
import type { Quarantine } from './quarantine.ts';
import { got, malformed, refused, Stop, textOf } from './stop.ts';

export interface UnpackOptions {
  readonly crypto: CryptoPrimitives;
  readonly zlib: Zlib;
  readonly packBytesMax: number;
}

const KINDS: readonly (ObjectKind | null)[] = [
  null,
  'commit',
  'tree',
  'blob',
  'tag',
  null,
  null,
  null,
];

/** Throws Stop. Reads the source to its end, whatever is wrong. */
export async function unpackInto(
  quarantine: Quarantine,
  source: AsyncIterable<Uint8Array>,
  { crypto, zlib, packBytesMax }: UnpackOptions,
): Promise<void> {
  const pieces: Uint8Array[] = [];
  let total = 0;
  try {
    for await (const piece of source) {
      total += piece.length;
      if (total > packBytesMax) pieces.length = 0;
      else pieces.push(piece);
    }
  } catch (error) {
    throw new Stop({ kind: 'broken', message: textOf(error) });
  }
  if (total > packBytesMax) throw refused(`the pack has more than ${packBytesMax} bytes`);
  const b = joinBytes(pieces);
  const idBytes = ID_BYTES[quarantine.hash];
  if (b.length < 12 + idBytes) throw malformed('a pack that is cut');
  const count = (b[8]! << 24) | (b[9]! << 16) | (b[10]! << 8) | b[11]!;
  const byOffset = new Map<number, { kind: ObjectKind; bytes: Uint8Array }>();
  let at = 12;
  for (let i = 0; i < count; i++) {
    const offset = at;
    let byte = b[at++]!;
    const type = (byte >> 4) & 7;
    let size = byte & 15;
    for (let shift = 4; byte & 0x80; shift += 7) {
      byte = b[at++]!;
      size += (byte & 0x7f) * 2 ** shift;
    }
    let base: { kind: ObjectKind; bytes: Uint8Array } | null | undefined;
    if (type === 6) {
      byte = b[at++]!;
      let distance = byte & 0x7f;
      while (byte & 0x80) {
        byte = b[at++]!;
        distance = (distance + 1) * 128 + (byte & 0x7f);
      }
      base = byOffset.get(offset - distance);
    } else if (type === 7) {
      base = got(await quarantine.readObject(readId(b, at, idBytes)));
      at += idBytes;
    }
    const inflated: Result<{ bytes: Uint8Array; usedBytes: number }, string> = zlib.inflate(
      b,
      at,
      size,
    );
    if (!inflated.ok) throw malformed(`bad entry: ${inflated.error}`);
    at += inflated.value.usedBytes;
    const kind = base?.kind ?? KINDS[type];
    if (!kind) throw malformed('missing base');
    const bytes = base ? apply(base.bytes, inflated.value.bytes) : inflated.value.bytes;
    byOffset.set(offset, { kind, bytes });
    quarantine.add(nameObject(crypto, quarantine.hash, kind, bytes));
  }
  assert(at <= b.length);
}

function apply(base: Uint8Array, delta: Uint8Array): Uint8Array {
  let at = 0;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = delta[at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (!(byte & 0x80)) return value;
    }
  };
  number();
  const out = new Uint8Array(number());
  let to = 0;
  while (at < delta.length) {
    const op = delta[at++]!;
    if (op & 0x80) {
      let offset = 0;
      let size = 0;
      for (let i = 0; i < 4; i++) if (op & (1 << i)) offset += delta[at++]! * 2 ** (8 * i);
      for (let i = 0; i < 3; i++) if (op & (16 << i)) size += delta[at++]! * 2 ** (8 * i);
      if (size === 0) size = 65536;
      out.set(base.subarray(offset, offset + size), to);
      to += size;
    } else {
      out.set(delta.subarray(at, at + op), to);
      at += op;
      to += op;
    }
  }
  return out;
}

export type { ObjectId };
