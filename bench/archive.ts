/**
 * The two formats that the rival's parts need: a Debian kernel's bzImage, unpacked to the ELF
 * inside it (Linux Documentation/arch/x86/boot.rst, LZ4's "legacy" frames), and a cpio archive in
 * the "newc" form for its initramfs (Documentation/driver-api/early-userspace/buffer-format.rst).
 */
import { BenchError } from './process.ts';

const LZ4_LEGACY_MAGIC = 0x184c2102;
const MATCH_BYTES_MIN = 4;

/** The uncompressed ELF kernel inside a bzImage that was compressed with LZ4, as Debian's are. */
export function kernelOfBzImage(bzImage: Buffer): Buffer {
  const setupSectors = bzImage.readUInt8(0x1f1) || 4;
  const payload = (setupSectors + 1) * 512 + bzImage.readUInt32LE(0x248);
  const payloadEnd = payload + bzImage.readUInt32LE(0x24c);
  if (bzImage.readUInt32LE(payload) !== LZ4_LEGACY_MAGIC) {
    throw new BenchError(
      "Debian's kernel is no longer compressed with LZ4: teach bench/archive.ts",
    );
  }
  // The last four bytes of the payload are the kernel's uncompressed length.
  const kernel = Buffer.alloc(bzImage.readUInt32LE(payloadEnd - 4));
  let from = payload + 4;
  let to = 0;
  while (from < payloadEnd - 4) {
    const blockBytes = bzImage.readUInt32LE(from);
    from += 4;
    to = unpackBlock(bzImage.subarray(from, from + blockBytes), kernel, to);
    from += blockBytes;
  }
  if (to !== kernel.length) throw new BenchError(`kernel unpacked to ${to} bytes, not its length`);
  return kernel;
}

/** Unpacks one LZ4 block into `out` at `to`; gives the offset after it. */
function unpackBlock(block: Buffer, out: Buffer, start: number): number {
  let at = 0;
  let to = start;
  const extended = (length: number): number => {
    if (length !== 15) return length;
    let total = length;
    let byte = 255;
    while (byte === 255) {
      byte = block.readUInt8(at++);
      total += byte;
    }
    return total;
  };
  for (;;) {
    const token = block.readUInt8(at++);
    const literalBytes = extended(token >> 4);
    block.copy(out, to, at, at + literalBytes);
    at += literalBytes;
    to += literalBytes;
    if (at >= block.length) return to;
    const distance = block.readUInt16LE(at);
    at += 2;
    const matchEnd = to + extended(token & 15) + MATCH_BYTES_MIN;
    // A match may overlap what it writes, so it is copied byte by byte.
    for (; to < matchEnd; to++) out[to] = out[to - distance] ?? 0;
  }
}

export type CpioEntry =
  | { kind: 'directory'; path: string }
  | { kind: 'file'; path: string; bytes: Uint8Array; executable: boolean }
  | { kind: 'device'; path: string; major: number; minor: number };

const MODES = { directory: 0o040755, file: 0o100644, device: 0o020666 } as const;

/** An initramfs of these entries, in order; a directory must come before what is in it. */
export function cpio(entries: readonly CpioEntry[]): Buffer {
  const parts: Buffer[] = [];
  entries.forEach((entry, index) => {
    const bytes = entry.kind === 'file' ? Buffer.from(entry.bytes) : Buffer.alloc(0);
    const mode = entry.kind === 'file' && entry.executable ? 0o100755 : MODES[entry.kind];
    const [major, minor] = entry.kind === 'device' ? [entry.major, entry.minor] : [0, 0];
    parts.push(...member(entry.path, index + 1, mode, bytes, major, minor));
  });
  parts.push(...member('TRAILER!!!', 0, 0, Buffer.alloc(0), 0, 0));
  return Buffer.concat(parts);
}

function member(
  path: string,
  inode: number,
  mode: number,
  bytes: Buffer,
  major: number,
  minor: number,
): Buffer[] {
  const name = Buffer.from(`${path}\0`);
  const fields = [inode, mode, 0, 0, 1, 0, bytes.length, 0, 0, major, minor, name.length, 0];
  const header = `070701${fields.map((n) => n.toString(16).padStart(8, '0')).join('')}`;
  const head = Buffer.concat([Buffer.from(header), name]);
  return [head, padding(head.length), bytes, padding(bytes.length)];
}

function padding(bytes: number): Buffer {
  return Buffer.alloc((4 - (bytes % 4)) % 4);
}
