/** Appends a payload to the base's ELF file: base/include/base_abi.h has the format. Pure. */

import { err, ok, type Result } from '#core';

export interface PayloadInput {
  readonly kind: 'bytecode' | 'source' | 'content';
  readonly name: string;
  readonly bytes: Uint8Array;
}

const ABI_VERSION = 1;
const MAGIC = 'MORGANA1';
const KINDS = { bytecode: 1, source: 2, content: 3 } as const;
const HEADER_BYTES = 32;
const SECTION_BYTES = 32;
const SECTION_ALIGN_BYTES = 16;
const PAGE_BYTES = 4096;
const NAME_BYTES_MAX = 255;

/** Elf64_Phdr: ELF-64 object file format, version 1.5. */
const PT_NULL = 0;
const PT_LOAD = 1;
const PF_R = 4;
const EHDR_BYTES = 64;
const PHDR_BYTES = 56;

const roundUp = (value: number, multiple: number): number => Math.ceil(value / multiple) * multiple;

/**
 * The image: `base` with its unused program header pointing at the payload. Or why that can't be.
 */
export function appendPayload(
  base: Uint8Array,
  sections: readonly PayloadInput[],
): Result<Uint8Array, string> {
  const headers = readHeaders(base);
  if (!headers.ok) return headers;
  const payload = emitPayload(sections);
  const offset = roundUp(base.length, PAGE_BYTES);
  const image = new Uint8Array(offset + payload.length);
  image.set(base, 0);
  image.set(payload, offset);
  const view = new DataView(image.buffer);
  const { nullAt, end } = headers.value;
  const address = BigInt(roundUp(end, PAGE_BYTES));
  view.setUint32(nullAt, PT_LOAD, true);
  view.setUint32(nullAt + 4, PF_R, true);
  view.setBigUint64(nullAt + 8, BigInt(offset), true);
  view.setBigUint64(nullAt + 16, address, true);
  view.setBigUint64(nullAt + 24, address, true);
  view.setBigUint64(nullAt + 32, BigInt(payload.length), true);
  view.setBigUint64(nullAt + 40, BigInt(payload.length), true);
  view.setBigUint64(nullAt + 48, BigInt(PAGE_BYTES), true);
  return ok(image);
}

/** Where the PT_NULL program header is, and where the loaded segments end in memory. */
function readHeaders(base: Uint8Array): Result<{ nullAt: number; end: number }, string> {
  if (base.length < EHDR_BYTES) return err('it is shorter than an ELF header');
  const view = new DataView(base.buffer, base.byteOffset, base.length);
  // 0x7f "ELF", 64-bit, little-endian.
  if (view.getUint32(0, true) !== 0x464c457f || view.getUint16(4, true) !== 0x0102) {
    return err('it is not a 64-bit little-endian ELF file');
  }
  const start = Number(view.getBigUint64(32, true));
  const count = view.getUint16(56, true);
  if (view.getUint16(54, true) !== PHDR_BYTES || start + count * PHDR_BYTES > base.length) {
    return err('its program headers lie outside of it');
  }
  let nullAt = 0;
  let end = 0;
  for (let at = start; at < start + count * PHDR_BYTES; at += PHDR_BYTES) {
    const type = view.getUint32(at, true);
    if (type === PT_NULL) nullAt = at;
    if (type !== PT_LOAD) continue;
    const segmentEnd = view.getBigUint64(at + 16, true) + view.getBigUint64(at + 40, true);
    end = Math.max(end, Number(segmentEnd));
  }
  return nullAt === 0 ? err('it has no free program header') : ok({ nullAt, end });
}

function emitPayload(sections: readonly PayloadInput[]): Uint8Array {
  const names = sections.map(({ name }) => new TextEncoder().encode(name));
  let end = HEADER_BYTES + SECTION_BYTES * sections.length;
  const nameAts = names.map((name) => {
    if (name.length > NAME_BYTES_MAX) throw new RangeError('a section name is at most 255 bytes');
    end += name.length;
    return end - name.length;
  });
  const bytesAts = sections.map(({ bytes }) => {
    const at = roundUp(end, SECTION_ALIGN_BYTES);
    end = at + bytes.length + 1; // The zero that must follow a source.
    return at;
  });
  const payload = new Uint8Array(end);
  const view = new DataView(payload.buffer);
  payload.set(new TextEncoder().encode(MAGIC), 0);
  view.setUint32(8, ABI_VERSION, true);
  view.setUint32(12, sections.length, true);
  view.setBigUint64(16, BigInt(end), true);
  for (const [i, { kind, bytes }] of sections.entries()) {
    const at = HEADER_BYTES + SECTION_BYTES * i;
    view.setUint32(at, KINDS[kind], true);
    view.setUint32(at + 4, names[i]!.length, true);
    view.setBigUint64(at + 8, BigInt(nameAts[i]!), true);
    view.setBigUint64(at + 16, BigInt(bytesAts[i]!), true);
    view.setBigUint64(at + 24, BigInt(bytes.length), true);
    payload.set(names[i]!, nameAts[i]!);
    payload.set(bytes, bytesAts[i]!);
  }
  return payload;
}
