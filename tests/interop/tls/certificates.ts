/**
 * Keys and certificates of the TLS interoperability tests, made by openssl in a directory of its
 * own when the tests start; files, because that is how peers take them. The spoiled ones are each
 * wrong in one way only. Read first: RFC 5280 §4, §6.
 */

import { execFile } from 'node:child_process';
import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The kinds of key; each has a root, an intermediate and leaves signed by keys of its own kind. */
export const KEY_KINDS = ['p256', 'p384', 'rsa'] as const;
export type KeyKind = (typeof KEY_KINDS)[number];
export type Role = 'server' | 'client';

/** The name in every server's certificate. */
export const SERVER_NAME = 'server.test';

/** Why a spoiled certificate must be refused. */
export const SPOILED = [
  'self-signed',
  'expired',
  'not yet valid',
  'wrong extended key usage',
  'CA:true leaf',
  'wrong key',
  'missing link',
  'wrong anchor',
  'name constraint violated',
  'malformed DER',
  'BER boolean',
] as const;
export type Spoiled = (typeof SPOILED)[number];

export interface Credential {
  /** PEM files: the leaf, what follows it without the root ('' when nothing), both, the key. */
  readonly leaf: string;
  readonly links: string;
  readonly chain: string;
  readonly key: string;
}

export interface Certificates {
  /** PEM file with the roots that are trusted. */
  readonly anchors: string;
  good(role: Role, kind: KeyKind): Credential;
  spoiled(role: Role, why: Spoiled): Credential;
}

const NEW_KEY: Readonly<Record<KeyKind, readonly string[]>> = {
  p256: ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  p384: ['ec', '-pkeyopt', 'ec_paramgen_curve:P-384'],
  rsa: ['rsa:2048'],
};
const DIGEST: Readonly<Record<KeyKind, string>> = { p256: 'sha256', p384: 'sha384', rsa: 'sha256' };
const USAGE: Readonly<Record<Role, string>> = { server: 'serverAuth', client: 'clientAuth' };

const CA = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign'];
const leafOf = (role: Role): string[] => [
  'basicConstraints=critical,CA:FALSE',
  'keyUsage=critical,digitalSignature',
  `extendedKeyUsage=${USAGE[role]}`,
  `subjectAltName=DNS:${role}.test,DNS:*.wild.test,IP:127.0.0.1`,
];

/** A root of somebody's, PEM. */
export interface GivenRoot {
  readonly certificate: string;
  readonly key: string;
}

/** In a directory of the system's that `remove` removes. */
export async function temporaryCertificates(
  given: GivenRoot | null = null,
): Promise<Certificates & { remove(): void }> {
  const directory = mkdtempSync(join(tmpdir(), 'tls-interop-'));
  const made = await makeCertificates(directory, given);
  return { ...made, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

interface Made {
  readonly pem: string;
  readonly key: string;
}

/**
 * Makes all of them in `directory`, which exists; those of P-256 below `given`, unless it is null.
 * About a second of CPU time.
 */
async function makeCertificates(directory: string, given: GivenRoot | null): Promise<Certificates> {
  const make = new Maker(directory, given);
  const kinds = await Promise.all(KEY_KINDS.map((kind) => make.kind(kind)));
  const p256 = kinds[KEY_KINDS.indexOf('p256')]!;
  const pair = async (role: Role) => [role, await makeSpoiled(make, p256, role)] as const;
  const spoiled = new Map([await pair('server'), await pair('client')]);
  const anchors = join(directory, 'anchors.pem');
  writeFileSync(anchors, kinds.map(({ root }) => readFileSync(root.pem, 'utf8')).join(''));
  return {
    anchors,
    good: (role, kind) => kinds[KEY_KINDS.indexOf(kind)]!.leaves[role],
    spoiled: (role, why) => spoiled.get(role)!.get(why)!,
  };
}

interface Kind {
  readonly root: Made;
  readonly link: Made;
  readonly leaves: Readonly<Record<Role, Credential>>;
}

class Maker {
  private readonly directory: string;
  private readonly given: GivenRoot | null;

  constructor(directory: string, given: GivenRoot | null) {
    this.directory = directory;
    this.given = given;
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  async kind(kind: KeyKind): Promise<Kind> {
    const root = await this.root(kind);
    const link = await this.certificate(`${kind}-link`, kind, root, `/CN=Link ${kind}`, CA);
    const [server, client] = await Promise.all(
      (['server', 'client'] as const).map((role) =>
        this.leaf(`${kind}-${role}`, kind, link, role, leafOf(role)),
      ),
    );
    return { root, link, leaves: { server: server!, client: client! } };
  }

  private async root(kind: KeyKind): Promise<Made> {
    if (kind !== 'p256' || this.given === null) {
      return this.certificate(`${kind}-root`, kind, null, `/CN=Root ${kind}`, CA);
    }
    const made = { pem: this.path('given.pem'), key: this.path('given.key') };
    writeFileSync(made.pem, this.given.certificate);
    writeFileSync(made.key, this.given.key);
    return made;
  }

  /** A key and its certificate with just these extensions, signed by `by`, or by itself. */
  async certificate(
    name: string,
    kind: KeyKind,
    by: Made | null,
    subject: string,
    extensions: readonly string[],
  ): Promise<Made> {
    const made = { pem: this.path(`${name}.pem`), key: this.path(`${name}.key`) };
    const ca = by === null ? [] : ['-CA', by.pem, '-CAkey', by.key];
    await run('openssl', [
      ...['req', '-x509', ...ca, '-newkey', ...NEW_KEY[kind], '-nodes', '-days', '30'],
      ...['-config', this.config(), `-${DIGEST[kind]}`],
      ...['-keyout', made.key, '-out', made.pem, '-subj', subject],
      ...extensions.flatMap((extension) => ['-addext', extension]),
    ]);
    return made;
  }

  async leaf(
    name: string,
    kind: KeyKind,
    by: Made,
    role: Role,
    extensions: readonly string[],
  ): Promise<Credential> {
    const made = await this.certificate(name, kind, by, `/CN=${role} ${kind}`, extensions);
    return this.credential(name, made, [by]);
  }

  credential(name: string, { pem, key }: Made, above: readonly Made[]): Credential {
    const links = above.map((one) => readFileSync(one.pem, 'utf8')).join('');
    const chain = this.path(`${name}.chain.pem`);
    writeFileSync(chain, readFileSync(pem, 'utf8') + links);
    if (above.length > 0) writeFileSync(this.path(`${name}.links.pem`), links);
    return { leaf: pem, links: above.length > 0 ? this.path(`${name}.links.pem`) : '', chain, key };
  }

  /** `good` once more, valid between two times only ("YYMMDDHHMMSSZ"). */
  async valid(name: string, good: Credential, by: Made, role: Role, from: string, to: string) {
    const request = this.path(`${name}.csr`);
    const pem = this.path(`${name}.pem`);
    const extensions = this.path(`${name}.ext`);
    writeFileSync(this.path(`${name}.db`), '');
    writeFileSync(extensions, `[leaf]\n${leafOf(role).join('\n')}\n`);
    writeFileSync(this.path(`${name}.cnf`), caConfig(this.path(`${name}.db`)));
    await run('openssl', [
      ...['req', '-new', '-key', good.key, '-out', request, '-config', this.config()],
      ...['-subj', `/CN=${role} ${name}`],
    ]);
    await run('openssl', [
      ...['ca', '-batch', '-config', this.path(`${name}.cnf`), '-notext', '-create_serial'],
      ...['-cert', by.pem, '-keyfile', by.key, '-in', request, '-out', pem, '-md', 'sha256'],
      ...['-startdate', from, '-enddate', to, '-extfile', extensions, '-extensions', 'leaf'],
      ...['-outdir', this.directory],
    ]);
    return this.credential(name, { pem, key: good.key }, [by]);
  }

  private config(): string {
    const path = this.path('empty.cnf');
    writeFileSync(path, '[req]\ndistinguished_name=dn\n[dn]\n');
    return path;
  }
}

const caConfig = (database: string): string =>
  `[ca]\ndefault_ca=x\n[x]\ndatabase=${database}\nserial=${database}.serial\npolicy=any\nunique_subject=no\n[any]\nCN=supplied\n`;

async function makeSpoiled(
  make: Maker,
  { root, link, leaves }: Kind,
  role: Role,
): Promise<Map<Spoiled, Credential>> {
  const good = leaves[role];
  const name = (what: string): string => `spoiled-${role}-${what}`;
  const signedBy = (what: string, by: Made, extensions: readonly string[]): Promise<Credential> =>
    make.leaf(name(what), 'p256', by, role, extensions);
  const opposite = role === 'server' ? 'client' : 'server';
  const constrained = [...CA, 'nameConstraints=critical,permitted;DNS:elsewhere.test'];
  const links = await Promise.all([
    make.certificate(name('root'), 'p256', null, '/CN=Root p256', CA),
    make.certificate(name('narrow'), 'p256', root, '/CN=Narrow', constrained),
    make.certificate(name('self'), 'p256', null, `/CN=${role}.test`, leafOf(role)),
  ]);
  const [falseRoot, narrow, self] = links;
  const [expired, early, usage, authority, anchor, constraint] = await Promise.all([
    make.valid(name('expired'), good, link, role, '200101000000Z', '210101000000Z'),
    make.valid(name('early'), good, link, role, '400101000000Z', '410101000000Z'),
    signedBy(
      'usage',
      link,
      leafOf(role).map((one) => one.replace(USAGE[role], USAGE[opposite])),
    ),
    signedBy(
      'ca',
      link,
      leafOf(role).map((one) => one.replace('CA:FALSE', 'CA:TRUE')),
    ),
    signedBy('anchor', falseRoot, leafOf(role)),
    signedBy('constraint', narrow, leafOf(role)),
  ]);
  const bent = (what: string, from: Buffer, to: Buffer): Credential =>
    make.credential(name(what), respelled(make.path(name(what)), good, link, from, to), [link]);
  return new Map<Spoiled, Credential>([
    ['self-signed', make.credential(name('self'), self, [])],
    ['expired', expired],
    ['not yet valid', early],
    ['wrong extended key usage', usage],
    ['CA:true leaf', authority],
    ['wrong key', { ...good, key: keyThatLies(make.path(name('lie.key')), good, link) }],
    ['missing link', { ...good, links: '', chain: good.leaf }],
    ['wrong anchor', anchor],
    ['name constraint violated', constraint],
    // The extension's SEQUENCE claims one byte less than it has.
    ['malformed DER', bent('der', ...shorterAltName(good))],
    // X.690 §11.1: TRUE is 0xff in DER.
    ['BER boolean', bent('ber', hex('0603551d0f0101ff'), hex('0603551d0f010101'))],
  ]);
}

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

/**
 * A private key whose public half says that it belongs to `good`'s certificate, while it signs with
 * another number: openssl believes it (RFC 5915 §3 has the public key beside the private one).
 */
function keyThatLies(path: string, good: Credential, other: Made): string {
  const lie = createPrivateKey(readFileSync(other.key)).export({ type: 'pkcs8', format: 'der' });
  publicPoint(createPrivateKey(readFileSync(good.key))).copy(lie, lie.length - POINT_BYTES);
  writeFileSync(path, pemOf('PRIVATE KEY', lie));
  return path;
}

const POINT_BYTES = 65;

const publicPoint = (key: KeyObject): Buffer =>
  createPublicKey(key).export({ type: 'spki', format: 'der' }).subarray(-POINT_BYTES);

/** `good`'s certificate with `to` in place of `from`, of one length, and signed again by `link`. */
function respelled(path: string, good: Credential, link: Made, from: Buffer, to: Buffer): Made {
  const der = derOf(readFileSync(good.leaf, 'utf8'));
  const at = der.indexOf(from);
  if (at < 0 || from.length !== to.length) throw new Error('nothing to respell');
  to.copy(der, at);
  // Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature }; lengths of 2 bytes.
  const tbs = der.subarray(4, 8 + der.readUInt16BE(6));
  const algorithm = der.subarray(4 + tbs.length, 4 + tbs.length + 12);
  const signature = sign('sha256', tbs, createPrivateKey(readFileSync(link.key)));
  const body = Buffer.concat([
    tbs,
    algorithm,
    Buffer.from([0x03, signature.length + 1, 0]),
    signature,
  ]);
  const head = Buffer.from([0x30, 0x82, body.length >> 8, body.length & 0xff]);
  writeFileSync(`${path}.pem`, pemOf('CERTIFICATE', Buffer.concat([head, body])));
  return { pem: `${path}.pem`, key: good.key };
}

/** The subjectAltName extension of `good`, and the same with a shorter inner length. */
function shorterAltName(good: Credential): [Buffer, Buffer] {
  const der = derOf(readFileSync(good.leaf, 'utf8'));
  const at = der.indexOf(hex('0603551d1104'));
  const from = Buffer.from(der.subarray(at, at + 9));
  const to = Buffer.from(from);
  to[8]! -= 1;
  return [from, to];
}

const derOf = (pem: string): Buffer =>
  Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');

const pemOf = (label: string, der: Buffer): string =>
  `-----BEGIN ${label}-----\n${der.toString('base64').replace(/.{64}/g, '$&\n')}\n` +
  `-----END ${label}-----\n`;
