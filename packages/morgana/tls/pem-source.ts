/**
 * Where certificates and keys come from: boot-time arguments, files of the host, a directory in the
 * image, a block device. All of them come to the same: groups of PEM blocks, each group in an order
 * that means something. Not here: which key belongs to which certificate (credential-shelf.ts).
 */

import { err, hot, ok, type Result } from '#core';
import {
  type BlockDevice,
  formatBlockError,
  type HostFiles,
  type KvReadOnly,
  looksLikeTar,
  parseTar,
} from '#device';
import { decodeBase64, type PemBlock, pemDecode, privateKeyLabel, TrustAnchors } from '#x509';
import { BLOCK_BYTES_MAX, TAR_FILES_MAX } from './limits.ts';

/** The blocks of one file, or of one argument. */
export interface PemGroup {
  /** For people. */
  readonly name: string;
  readonly blocks: readonly PemBlock[];
}

export interface PemSource {
  /** All that is there now, or one sentence. */
  read(): Promise<Result<readonly PemGroup[], string>>;
  /**
   * Another text once `read` may give something else, for a look every other second; absent: it
   * costs too much to know.
   */
  stamp?(): string | null;
  /** It can't change while the program runs. */
  readonly isFixed: boolean;
}

/** Base64 of DER: every certificate and key is a SEQUENCE, whose first byte begins with an 'M'. */
const BASE64 = /^M[A-Za-z0-9+/]{7,}={0,2}$/;

/**
 * What an argument says: PEM itself, or words with commas between, each base64 of DER (as
 * `label`, in the order given) or a path of the host.
 */
export function argumentSource(
  argument: string,
  text: string,
  label: string,
  files: HostFiles | null,
): PemSource {
  if (text.includes('-----BEGIN ')) {
    return { isFixed: true, read: async () => pemGroup(`--${argument}`, text) };
  }
  const words = text.split(',').map((word) => word.trim());
  const paths = words.filter((word) => !BASE64.test(word));
  const read = async (): Promise<Result<readonly PemGroup[], string>> => {
    const blocks: PemBlock[] = [];
    const groups: PemGroup[] = [];
    for (const word of words) {
      if (BASE64.test(word)) {
        const bytes = decodeBase64(word);
        if (bytes === null) return err(`--${argument}: a word that is not base64`);
        // openssl writes keys in three ways, and only PEM says which.
        blocks.push({ label: label === 'PRIVATE KEY' ? privateKeyLabel(bytes) : label, bytes });
        continue;
      }
      const found = readPath(argument, word, files);
      if (!found.ok) return found;
      groups.push(...found.value);
    }
    return ok(blocks.length > 0 ? [{ name: `--${argument}`, blocks }, ...groups] : groups);
  };
  if (files === null || paths.length === 0) return { isFixed: true, read };
  const stamp = (): string => paths.map((path) => files.stamp(path) ?? '').join('\n');
  return { isFixed: false, read, stamp };
}

/** Whom an argument says to trust: its certificates, of which there is one and none malformed. */
export async function argumentAnchors(
  argument: string,
  text: string,
  files: HostFiles | null,
): Promise<Result<TrustAnchors, string>> {
  const read = await argumentSource(argument, text, 'CERTIFICATE', files).read();
  if (!read.ok) return read;
  const blocks = read.value.flatMap((group) => group.blocks);
  const anchors = new TrustAnchors(
    blocks.filter(({ label }) => label === 'CERTIFICATE').map(({ bytes }) => bytes),
  );
  if (anchors.malformed > 0) return err(`--${argument}: there is a malformed certificate in it`);
  if (anchors.certificates.length > 0) return ok(anchors);
  return err(`--${argument}: there is no certificate in it`);
}

function readPath(
  argument: string,
  path: string,
  files: HostFiles | null,
): Result<readonly PemGroup[], string> {
  if (files === null) {
    const shown = path.length > 40 ? `${path.slice(0, 40)}...` : path;
    return err(`--${argument}: '${shown}' is no base64 of DER, and this machine has no files`);
  }
  const found = files.read(path);
  if (found === null) return err(`--${argument}: there is nothing to read at ${path}`);
  const groups = pemGroups(found);
  if (!groups.ok || groups.value.length > 0) return groups;
  return err(`--${argument}: there is no PEM at ${path}`);
}

/** A directory that was linked into the image. */
export function contentSource(name: string, content: KvReadOnly): PemSource {
  const read = async () =>
    pemGroups(
      content.paths().map((path) => ({ path: `${name}/${path}`, bytes: content.get(path)!.bytes })),
    );
  return { isFixed: true, read };
}

/** The same while it is still a directory of the host. */
export function directorySource(path: string, files: HostFiles): PemSource {
  const read = async () => {
    const found = files.read(path);
    return found === null ? err(`there is nothing to read at ${path}`) : pemGroups(found);
  };
  return { isFixed: false, read, stamp: () => files.stamp(path) };
}

/** A block device: a tar of PEM files, or PEM up to the first zero. */
export function blockSource(device: BlockDevice): PemSource {
  const read = async (): Promise<Result<readonly PemGroup[], string>> => {
    const blocks = Math.min(device.blockCount, Math.floor(BLOCK_BYTES_MAX / device.blockBytes));
    const bytes = new Uint8Array(blocks * device.blockBytes);
    const done = await device.read(0, bytes);
    if (!done.ok) return err(`disk '${device.name}': ${formatBlockError(done.error)}`);
    if (looksLikeTar(bytes)) {
      const files = parseTar(bytes, TAR_FILES_MAX);
      if (!files.ok) return err(`disk '${device.name}' has a damaged tar`);
      return pemGroups(
        files.value.map(({ path, bytes: of }) => ({ path: `${device.name}/${path}`, bytes: of })),
      );
    }
    const end = bytes.indexOf(0);
    const text = hot.latin1(bytes, 0, end < 0 ? bytes.length : end);
    return pemGroup(`disk '${device.name}'`, text);
  };
  return { isFixed: false, read };
}

function pemGroups(
  files: readonly { readonly path: string; readonly bytes: Uint8Array }[],
): Result<readonly PemGroup[], string> {
  const groups: PemGroup[] = [];
  for (const { path, bytes } of files) {
    const found = pemGroup(path, hot.latin1(bytes, 0, bytes.length));
    if (!found.ok) return found;
    groups.push(...found.value);
  }
  return ok(groups);
}

/** None where there is no block: a directory may have a README. */
function pemGroup(name: string, text: string): Result<readonly PemGroup[], string> {
  const decoded = pemDecode(text);
  if (!decoded.ok) return err(`${name} has damaged PEM`);
  return ok(decoded.value.length > 0 ? [{ name, blocks: decoded.value }] : []);
}
