/**
 * Openssl and GnuTLS's certtool beside our own: what we make they believe, what they make we read,
 * and both refuse the same chains.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { type WallTime, wallTimeOfMillis } from '#core';
import type { PrivateKeyType } from '#device';
import { nodeCrypto } from '#targets/node/crypto';
import { SimRandom } from '#targets/sim/index';
import {
  alternativeNames,
  CertificateAuthority,
  commonName,
  createCertificateRequest,
  formatName,
  hostName,
  makeName,
  parseCertificate,
  parseCertificateRequest,
  parseRevocationList,
  pemDecode,
  pemEncode,
  privateKeyFromPem,
  privateKeyToPem,
  TrustAnchors,
  validatePath,
  verifyRequest,
} from '#x509';

const TOOLS = ['/usr/bin/openssl', '/usr/bin/certtool'];
const missing = TOOLS.filter((tool) => !existsSync(tool));
const skip = missing.length === 0 ? false : `not installed: ${missing.join(', ')}; npm run setup`;

const directory = mkdtempSync(path.join(tmpdir(), 'morgana-x509-'));
after(() => rmSync(directory, { recursive: true }));
const at = (name: string): string => path.join(directory, name);
function put(name: string, text: string): string {
  writeFileSync(at(name), text);
  return at(name);
}
const get = (name: string): string => readFileSync(at(name), 'latin1');
const run = (tool: string, ...args: readonly string[]): string =>
  execFileSync(tool, args, { cwd: directory, encoding: 'utf8', stdio: 'pipe' });
const openssl = (...args: readonly string[]): string => run('openssl', ...args);
const fails = (run: () => unknown): boolean => {
  try {
    run();
    return false;
  } catch {
    return true;
  }
};

const NOW = wallTimeOfMillis(Date.now());
const days = (count: number): WallTime => wallTimeOfMillis(NOW + count * 86_400_000);
const validity = { notBefore: days(-1), notAfter: days(30) };
const entropy = new SimRandom(9_525);
const tools = { crypto: nodeCrypto, entropy };
const certificate = (raw: Uint8Array): string => pemEncode('CERTIFICATE', raw);
function firstBlock(text: string): Uint8Array {
  const blocks = pemDecode(text);
  assert.ok(blocks.ok && blocks.value.length > 0);
  return blocks.value[0]!.bytes;
}

describe('what we make', { skip }, () => {
  const names = ['example.com', '*.example.com', '192.0.2.1', '2001:db8::1'];
  for (const keyType of ['P-256', 'P-384', 'Ed25519', 'RSA-2048'] satisfies PrivateKeyType[]) {
    test(`${keyType} › openssl and certtool believe the chain`, () => {
      const root = CertificateAuthority.create(tools, {
        name: 'Piñata root',
        keyType,
        pathLength: 1,
        constraints: {
          permitted: [
            { kind: 'dns', text: 'example.com' },
            { kind: 'ip', bytes: Uint8Array.of(192, 0, 2, 0, 255, 255, 255, 0) },
            {
              kind: 'ip',
              bytes: Uint8Array.of(
                0x20,
                1,
                13,
                0xb8,
                ...new Array(12).fill(0),
                255,
                255,
                255,
                255,
                ...new Array(12).fill(0),
              ),
            },
          ],
          excluded: [{ kind: 'dns', text: 'secret.example.com' }],
        },
        ...validity,
      });
      const middle = root.createIntermediate({ name: 'Middle', keyType, ...validity });
      const { spki } = nodeCrypto.generatePrivateKey(keyType, entropy);
      const leaf = middle.issue({ names, spki, purposes: ['serverAuth'], ...validity });
      put('root.pem', certificate(root.certificate.raw));
      put('middle.pem', certificate(middle.certificate.raw));
      put('leaf.pem', certificate(leaf));
      const common = ['verify', '-x509_strict', '-check_ss_sig', '-CAfile', 'root.pem'];
      const chain = [...common, '-untrusted', 'middle.pem', '-purpose', 'sslserver'];
      openssl(...chain, '-verify_hostname', 'a.example.com', 'leaf.pem');
      openssl(...chain, '-verify_ip', '2001:db8::1', 'leaf.pem');
      assert.ok(fails(() => openssl(...chain, '-verify_hostname', 'a.b.example.com', 'leaf.pem')));
      put('chain.pem', get('leaf.pem') + get('middle.pem') + get('root.pem'));
      if (keyType === 'P-256' || keyType === 'RSA-2048')
        run(
          'certtool',
          '--verify',
          '--infile=chain.pem',
          '--load-ca-certificate=root.pem',
          '--verify-hostname=a.example.com',
        );
      const text = openssl('x509', '-in', 'leaf.pem', '-noout', '-text');
      assert.match(text, /Basic Constraints: critical\n +CA:FALSE/);
      assert.match(
        text,
        /DNS:example.com, DNS:\*.example.com, IP Address:192.0.2.1, IP Address:2001/,
      );
      // Every length is minimal, and every default left out: openssl would write the same.
      const again = openssl('x509', '-in', 'leaf.pem', '-outform', 'PEM');
      assert.equal(again, get('leaf.pem'));
    });
  }

  test('a request › openssl and certtool verify it', () => {
    const key = nodeCrypto.generatePrivateKey('P-256', entropy);
    const extensions = [alternativeNames([hostName('example.com')!, hostName('192.0.2.1')!])];
    const request = createCertificateRequest(
      { subject: commonName('a'), extensions },
      key,
      entropy,
    );
    put('request.pem', pemEncode('CERTIFICATE REQUEST', request));
    const text = openssl('req', '-in', 'request.pem', '-verify', '-noout', '-text');
    assert.match(text, /DNS:example.com, IP Address:192.0.2.1/);
    assert.match(run('certtool', '--crq-info', '--infile=request.pem'), /Self signature: verified/);
  });

  test('a revocation list › openssl refuses what is on it', () => {
    const root = CertificateAuthority.create(tools, { name: 'Root', ...validity });
    const { spki } = nodeCrypto.generatePrivateKey('P-256', entropy);
    const [bad, good] = ['bad', 'good'].map((name) => {
      const raw = root.issue({ names: [name], spki, purposes: ['clientAuth'], ...validity });
      put(`${name}.pem`, certificate(raw));
      const parsed = parseCertificate(raw);
      assert.ok(parsed.ok);
      return parsed.value;
    });
    put('root.pem', certificate(root.certificate.raw));
    put('crl.pem', pemEncode('X509 CRL', root.revoke([bad!.serial], days(-1), days(1), 7)));
    const verify = ['verify', '-CAfile', 'root.pem', '-CRLfile', 'crl.pem', '-crl_check'];
    openssl(...verify, 'good.pem');
    assert.ok(fails(() => openssl(...verify, 'bad.pem')));
    assert.ok(good!.serial.length === 20);
    assert.match(
      openssl('crl', '-in', 'crl.pem', '-CAfile', 'root.pem', '-noout', '-text'),
      /Revoked/,
    );
  });

  test('keys › openssl reads them, and their certificate’s key is theirs', () => {
    for (const type of ['P-384', 'Ed25519'] as const) {
      const key = nodeCrypto.generatePrivateKey(type, entropy);
      put('key.pem', privateKeyToPem(key));
      const spki = openssl('pkey', '-in', 'key.pem', '-pubout');
      assert.equal(spki, pemEncode('PUBLIC KEY', key.spki));
    }
  });
});

describe('what openssl makes', { skip }, () => {
  const config = `[req]
distinguished_name = dn
[dn]
[ca]
basicConstraints = critical, CA:TRUE, pathlen:1
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[middle]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign, digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid, issuer
nameConstraints = critical, @allowed
certificatePolicies = 2.23.140.1.2.1
extendedKeyUsage = serverAuth, clientAuth
crlDistributionPoints = URI:http://crl.example.com/a.crl
authorityInfoAccess = caIssuers;URI:http://ca.example.com/a.cer
[allowed]
permitted;DNS.0 = .example.com
permitted;DNS.1 = example.com
permitted;IP.0 = 192.0.2.0/255.255.255.0
permitted;dirName.0 = names
[names]
O = Example
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth
subjectAltName = DNS:a.example.com, DNS:*.b.example.com, IP:192.0.2.7
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid, issuer
tlsfeature = status_request
[asked]
subjectAltName = DNS:a.example.com, IP:192.0.2.7, email:a@example.com
keyUsage = digitalSignature
[client]
basicConstraints = CA:FALSE
extendedKeyUsage = clientAuth
subjectAltName = DNS:a.example.com
`;
  const signer = (issuer: string): string[] =>
    issuer === '' ? [] : ['-CA', `${issuer}.pem`, '-CAkey', `${issuer}.key`];
  /** As "openssl req -x509", with a key by "newkey". */
  function make(
    name: string,
    issuer: string,
    section: string,
    newkey: readonly string[],
    more: readonly string[] = [],
  ): void {
    put('openssl.cnf', config);
    openssl(
      ...['req', '-x509', '-config', 'openssl.cnf', '-extensions', section, '-nodes', '-utf8'],
      ...['-subj', `/O=Example/CN=${name}`, '-days', '10', '-keyout', `${name}.key`],
      ...['-out', `${name}.pem`, '-newkey', ...newkey, ...signer(issuer), ...more],
    );
  }
  const P256 = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  const P384 = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-384'];
  const PSS = ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:digest'];
  const read = (name: string): Uint8Array => firstBlock(get(`${name}.pem`));
  const believes = (names: readonly string[], root: string, host: string): string => {
    const found = validatePath({
      crypto: nodeCrypto,
      chain: names.map(read),
      anchors: new TrustAnchors([read(root)]),
      at: wallTimeOfMillis(Date.now() + 1_000),
      purpose: 'serverAuth',
      name: host,
    });
    return found.ok ? 'valid' : found.error.kind;
  };

  const openSslBelieves = (leaf: string, middle: string, root: string, host: string): boolean =>
    !fails(() =>
      openssl(
        ...['verify', '-CAfile', `${root}.pem`, '-untrusted', `${middle}.pem`],
        ...['-purpose', 'sslserver', '-verify_hostname', host, `${leaf}.pem`],
      ),
    );

  test('chains of all kinds of keys › we believe what it believes', () => {
    make('root', '', 'ca', ['rsa:2048'], PSS);
    make('middle', 'root', 'middle', P384, PSS);
    make('leaf', 'middle', 'leaf', ['rsa:2048'], ['-sha512']);
    make('edroot', '', 'ca', ['ed25519']);
    make('ecmiddle', 'edroot', 'middle', P256);
    make('client', 'ecmiddle', 'client', ['ed25519'], ['-sha384']);
    for (const host of [
      'a.example.com',
      'x.b.example.com',
      'example.com',
      'a.b.example.com.evil',
    ]) {
      const isFine = believes(['leaf', 'middle'], 'root', host) === 'valid';
      assert.equal(isFine, openSslBelieves('leaf', 'middle', 'root', host), host);
    }
    assert.equal(believes(['leaf', 'middle'], 'root', '192.0.2.7'), 'valid');
    assert.equal(believes(['leaf', 'middle'], 'root', '192.0.2.8'), 'name mismatch');
    assert.equal(believes(['leaf', 'middle'], 'edroot', 'a.example.com'), 'unknown issuer');
    assert.equal(believes(['client', 'ecmiddle'], 'edroot', 'a.example.com'), 'wrong purpose');
    assert.equal(believes(['leaf', 'ecmiddle'], 'edroot', 'a.example.com'), 'unknown issuer');
  });

  test('weak keys and hashes › refused', () => {
    make('weak', '', 'ca', ['rsa:1024']);
    make('leafofweak', 'weak', 'leaf', P256);
    assert.equal(believes(['leafofweak'], 'weak', 'a.example.com'), 'weak key');
    make('strong', '', 'ca', ['rsa:2048']);
    make('sha1', 'strong', 'leaf', P256, ['-sha1']);
    assert.equal(believes(['sha1'], 'strong', 'a.example.com'), 'weak signature');
    make('p521', 'strong', 'leaf', ['ec', '-pkeyopt', 'ec_paramgen_curve:P-521']);
    assert.equal(believes(['p521'], 'strong', 'a.example.com'), 'unsupported');
    make('short', 'strong', 'leaf', ['rsa:1024']);
    assert.equal(believes(['short'], 'strong', 'a.example.com'), 'weak key');
  });

  test('requests and keys › read', () => {
    put('openssl.cnf', config);
    openssl('ecparam', '-name', 'prime256v1', '-genkey', '-out', 'sec1.key');
    openssl(
      ...['req', '-new', '-config', 'openssl.cnf', '-reqexts', 'asked', '-key', 'sec1.key'],
      ...['-subj', '/O=Exämple/CN=a', '-utf8', '-out', 'r.pem'],
    );
    const parsed = parseCertificateRequest(firstBlock(get('r.pem')));
    assert.ok(parsed.ok && verifyRequest(nodeCrypto, parsed.value));
    assert.equal(formatName(parsed.value.subject), 'O=Exämple, CN=a');
    assert.equal(parsed.value.extensions.subjectAltNames?.length, 3);
    const key = privateKeyFromPem(nodeCrypto, get('sec1.key'));
    assert.ok(key.ok);
    assert.deepEqual(key.value.spki, parsed.value.spki);
    openssl('rsa', '-in', 'leaf.key', '-traditional', '-out', 'pkcs1.key');
    assert.ok(privateKeyFromPem(nodeCrypto, get('pkcs1.key')).ok);
  });

  test('a revocation list of certtool › read, and believed', () => {
    put('crl.cfg', 'crl_next_update = 10\ncrl_number = 5\n');
    run(
      'certtool',
      ...['--generate-crl', '--load-ca-privkey=strong.key', '--load-ca-certificate=strong.pem'],
      ...['--load-certificate=p521.pem', '--template=crl.cfg', '--outfile=list.pem'],
    );
    const parsed = parseRevocationList(firstBlock(get('list.pem')));
    assert.ok(parsed.ok);
    assert.equal(parsed.value.revoked.size, 1);
    make('fresh', 'strong', 'leaf', P256);
    const options = {
      crypto: nodeCrypto,
      anchors: new TrustAnchors([read('strong')]),
      at: wallTimeOfMillis(Date.now() + 1_000),
      purpose: 'serverAuth',
      name: null,
      revocationLists: [parsed.value],
    } as const;
    assert.ok(validatePath({ ...options, chain: [read('fresh')] }).ok);
  });
});

test('the CAs of this machine › all read, all keys but odd curves known', () => {
  const bundle = '/etc/ssl/certs/ca-certificates.crt';
  const anchors = TrustAnchors.fromPem(readFileSync(bundle, 'latin1'));
  assert.ok(anchors.ok);
  assert.ok(anchors.value.certificates.length > 100);
  assert.equal(anchors.value.malformed, 0);
  for (const one of anchors.value.certificates) {
    assert.equal(one.extensions.unhandledCritical, null, formatName(one.subject));
    assert.ok(nodeCrypto.importPublicKey(one.spki), formatName(one.subject));
  }
  assert.deepEqual(anchors.value.withSubject(makeName([])), []);
});
