// The reference implementation of the payload format in ../include/base_abi.h, for the base's own
// tests; the product's packer is targets/base/build.ts. Usage: node pack.mjs BASE.elf OUT KIND:NAME=FILE...
import * as fs from 'node:fs';
import { pathToFileURL } from 'node:url';

const PAGE_BYTES = 4096;
const ALIGN_BYTES = 16;
const HEADER_BYTES = 32;
const ENTRY_BYTES = 32;
const KINDS = { bytecode: 1, source: 2, content: 3 };

const roundUp = (n, to) => Math.ceil(n / to) * to;

/** @returns the payload of `sections`, [{kind, name, bytes}], as a Buffer. */
export function payloadOf(sections) {
  let end = HEADER_BYTES + ENTRY_BYTES * sections.length;
  const placed = sections.map(({ kind, name, bytes }) => {
    const nameBytes = Buffer.from(name);
    const nameAt = end;
    const bytesAt = roundUp(nameAt + nameBytes.length, ALIGN_BYTES);
    // At least one zero follows, which a source section needs.
    end = roundUp(bytesAt + bytes.length + 1, ALIGN_BYTES);
    return { kind: KINDS[kind], nameBytes, nameAt, bytes, bytesAt };
  });
  const payload = Buffer.alloc(end);
  payload.write('MORGANA1', 0, 'latin1');
  payload.writeUInt32LE(1, 8);
  payload.writeUInt32LE(sections.length, 12);
  payload.writeBigUInt64LE(BigInt(end), 16);
  placed.forEach(({ kind, nameBytes, nameAt, bytes, bytesAt }, i) => {
    const entry = HEADER_BYTES + ENTRY_BYTES * i;
    payload.writeUInt32LE(kind, entry);
    payload.writeUInt32LE(nameBytes.length, entry + 4);
    payload.writeBigUInt64LE(BigInt(nameAt), entry + 8);
    payload.writeBigUInt64LE(BigInt(bytesAt), entry + 16);
    payload.writeBigUInt64LE(BigInt(bytes.length), entry + 24);
    nameBytes.copy(payload, nameAt);
    Buffer.from(bytes).copy(payload, bytesAt);
  });
  return payload;
}

/** @returns `base` (the bytes of base.elf) with `payload` appended and its spare header patched. */
export function imageOf(base, payload) {
  const headersAt = Number(base.readBigUInt64LE(32));
  const headerBytes = base.readUInt16LE(54);
  const headerCount = base.readUInt16LE(56);
  let spareAt = -1;
  let memoryEnd = 0;
  for (let i = 0; i < headerCount; i++) {
    const at = headersAt + i * headerBytes;
    const type = base.readUInt32LE(at);
    if (type === 0) spareAt = at;
    if (type !== 1) continue;
    const end = Number(base.readBigUInt64LE(at + 16) + base.readBigUInt64LE(at + 40));
    memoryEnd = Math.max(memoryEnd, end);
  }
  if (spareAt < 0) throw new Error('base.elf has no spare program header');
  const fileAt = roundUp(base.length, PAGE_BYTES);
  const address = roundUp(memoryEnd, PAGE_BYTES);
  const image = Buffer.concat([base, Buffer.alloc(fileAt - base.length), payload]);
  image.writeUInt32LE(1, spareAt); // PT_LOAD
  image.writeUInt32LE(4, spareAt + 4); // PF_R
  const words = [fileAt, address, address, payload.length, payload.length, PAGE_BYTES];
  words.forEach((word, i) => {
    image.writeBigUInt64LE(BigInt(word), spareAt + 8 + 8 * i);
  });
  return image;
}

function main([base, output, ...specs]) {
  const sections = specs.map((spec) => {
    const found = /^(bytecode|source|content):([^=]+)=(.*)$/.exec(spec);
    if (!found) throw new Error(`not KIND:NAME=FILE: ${spec}`);
    return { kind: found[1], name: found[2], bytes: fs.readFileSync(found[3]) };
  });
  fs.writeFileSync(output, imageOf(fs.readFileSync(base), payloadOf(sections)));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main(process.argv.slice(2));
