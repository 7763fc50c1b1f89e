/**
 * The development CA of whoever works here: a key and a certificate in a directory of their own,
 * made when they are first needed. Browsers and curl trust what it issues once they are told to
 * trust it; so its key is for its owner's eyes only.
 *
 * $MORGANA_CA_DIR names the directory; else $XDG_DATA_HOME/morgana/ca; else
 * ~/.local/share/morgana/ca.
 */

import { randomFillSync } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, hostname, userInfo } from 'node:os';
import path from 'node:path';
import { type WallTime, wallTimeOfMillis } from '#core';
import type { Entropy, PrivateKeyType } from '#device';
import { nodeCrypto } from '#targets/node/crypto';
import {
  CertificateAuthority,
  credentialsFromPem,
  type Purpose,
  parseCertificate,
  pemEncode,
  privateKeyToPem,
} from '#x509';
import { Failure, systemReason } from '../failure.ts';
import { shown, writeProgram } from '../places.ts';

const AUTHORITY_FILE = 'ca.pem';
const KEY_FILE = 'ca-key.pem';
const AUTHORITY_DAYS = 3_650;
const PRIVATE_FILE_MODE = 0o600;
const PUBLIC_FILE_MODE = 0o644;
const OTHERS_MASK = 0o077;
const DAY_MS = 86_400_000;
/** Machines' clocks differ a little, a unikernel's most of all. */
const EARLIER_MS = 3_600_000;

const entropy: Entropy = { fill: (out) => void randomFillSync(out) };
const tools = { crypto: nodeCrypto, entropy };

/** The directory where the CA is kept; `chosen` goes first. */
export function authorityDirectory(chosen: string | null): string {
  const { MORGANA_CA_DIR: own, XDG_DATA_HOME: data } = process.env;
  const home = data || path.join(homedir(), '.local', 'share');
  return path.resolve(chosen ?? (own || path.join(home, 'morgana', 'ca')));
}

export interface IssueOptions {
  readonly names: readonly string[];
  readonly days: number;
  readonly keyType: PrivateKeyType;
  readonly purposes: readonly Purpose[];
}

/** PEM texts. */
export interface Issued {
  readonly certificate: string;
  readonly key: string;
  readonly notAfter: WallTime;
}

export class DevelopmentAuthority {
  /** The file to tell others to trust. */
  readonly file: string;
  private readonly authority: CertificateAuthority;

  private constructor(file: string, authority: CertificateAuthority) {
    this.file = file;
    this.authority = authority;
  }

  /** The one in `directory`, made when there is none. */
  static open(directory: string): DevelopmentAuthority {
    const file = path.join(directory, AUTHORITY_FILE);
    try {
      if (lstatSync(file, { throwIfNoEntry: false }) === undefined) make(directory);
    } catch (error) {
      const reason = systemReason(error);
      if (reason === null) throw error;
      const what = `the development CA can't be made in ${shown(directory)}: ${reason}`;
      const mend = 'name another directory by $MORGANA_CA_DIR or "morgana cert --ca=DIR"';
      throw new Failure({ what, mend });
    }
    return new DevelopmentAuthority(file, read(directory));
  }

  /** With a new key; it ends when the CA does, if that is sooner. Names must have been checked. */
  issue({ names, days, keyType, purposes }: IssueOptions): Issued {
    const now = Date.now();
    const { notBefore, notAfter: end } = this.authority.certificate;
    const notAfter = wallTimeOfMillis(Math.min(end, now + days * DAY_MS));
    const begin = wallTimeOfMillis(Math.max(notBefore, now - EARLIER_MS));
    const key = nodeCrypto.generatePrivateKey(keyType, entropy);
    const { spki } = key;
    const raw = this.authority.issue({ names, spki, purposes, notBefore: begin, notAfter });
    const issued = {
      certificate: pemEncode('CERTIFICATE', raw),
      key: privateKeyToPem(key),
      notAfter,
    };
    key.destroy();
    return issued;
  }

  /** Whether a certificate says that it is from here. */
  hasIssued(raw: Uint8Array): boolean {
    const parsed = parseCertificate(raw);
    const { subject } = this.authority.certificate;
    return parsed.ok && Buffer.compare(parsed.value.issuer, subject) === 0;
  }

  destroy(): void {
    this.authority.destroy();
  }
}

/** All at once: who makes one at the same time gets the first one's. */
function make(directory: string): void {
  const now = Date.now();
  const authority = CertificateAuthority.create(tools, {
    name: nameOfOwner(),
    notBefore: wallTimeOfMillis(now - EARLIER_MS),
    notAfter: wallTimeOfMillis(now + AUTHORITY_DAYS * DAY_MS),
  });
  const key = pemEncode('PRIVATE KEY', authority.privateKey());
  const certificate = pemEncode('CERTIFICATE', authority.certificate.raw);
  authority.destroy();
  mkdirSync(path.dirname(directory), { recursive: true });
  const fresh = mkdtempSync(`${directory}-`);
  try {
    writeFileSync(path.join(fresh, KEY_FILE), key, { mode: PRIVATE_FILE_MODE });
    writeFileSync(path.join(fresh, AUTHORITY_FILE), certificate, { mode: PUBLIC_FILE_MODE });
    renameSync(fresh, directory);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    const { code } = error as NodeJS.ErrnoException;
    const isThere = code === 'ENOTEMPTY' || code === 'EEXIST';
    if (!isThere) throw error;
    if (lstatSync(path.join(directory, AUTHORITY_FILE), { throwIfNoEntry: false })) return;
    const what = `${shown(directory)} has other files in it, and no CA`;
    throw new Failure({ what, mend: 'name an empty directory, or one that is to be made' });
  }
}

/** Several people's CAs can be told apart in a browser. */
function nameOfOwner(): string {
  const name = `Morgana development CA ${userInfo().username}@${hostname()}`;
  return name.length <= 64 ? name : name.slice(0, 64).trimEnd();
}

function read(directory: string): CertificateAuthority {
  const keyFile = path.join(directory, KEY_FILE);
  const file = path.join(directory, AUTHORITY_FILE);
  if ((lstatSync(keyFile).mode & OTHERS_MASK) !== 0) {
    const what = `others may read the CA's key ${shown(keyFile)}`;
    throw new Failure({ what, mend: `make a new CA, or chmod 600 it if nobody did` });
  }
  const mend = 'remove that directory: a new CA is made in its place';
  const found = credentialsFromPem(
    nodeCrypto,
    readFileSync(file, 'latin1'),
    readFileSync(keyFile, 'latin1'),
  );
  if (!found.ok) {
    const what = `the CA in ${shown(directory)} can't be used (${found.error.fault})`;
    throw new Failure({ what, mend });
  }
  const { chain, key } = found.value;
  const parsed = parseCertificate(chain[0]!);
  const certificate = parsed.ok ? parsed.value : null;
  if (certificate?.extensions.basicConstraints?.ca !== true) {
    throw new Failure({ what: `${shown(file)} is no CA's certificate`, mend });
  }
  if (certificate.notAfter < Date.now()) {
    throw new Failure({ what: `the CA in ${shown(directory)} has expired`, mend });
  }
  return new CertificateAuthority(tools, certificate, key);
}

/** Makes `directory` for a leaf's files; its key's file is the owner's alone. */
export function writeIssued(directory: string, stem: string, issued: Issued): LeafFiles {
  const files = leafFiles(directory, stem);
  mkdirSync(directory, { recursive: true });
  writeProgram(files.key, issued.key, PRIVATE_FILE_MODE);
  writeProgram(files.certificate, issued.certificate, PUBLIC_FILE_MODE);
  return files;
}

export interface LeafFiles {
  readonly certificate: string;
  readonly key: string;
}

export const leafFiles = (directory: string, stem: string): LeafFiles => ({
  certificate: path.join(directory, `${stem}.pem`),
  key: path.join(directory, `${stem}-key.pem`),
});
