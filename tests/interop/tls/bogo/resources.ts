/**
 * The runner's certificates, made again: its own are expired, signed with SHA-1 or by themselves,
 * and our TLS has no switch to believe such. The keys stay.
 */

import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const EXTENSIONS = [
  'basicConstraints=critical,CA:FALSE',
  'keyUsage=critical,digitalSignature,keyEncipherment',
  'extendedKeyUsage=serverAuth,clientAuth',
  'subjectAltName=DNS:test',
];

/** Makes them in a directory of `cache`; anchors is a PEM file with who signed them. */
export function makeResources(
  source: string,
  cache: string,
): { readonly directory: string; readonly anchors: string } {
  const directory = join(cache, 'resources');
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  for (const name of readdirSync(source)) {
    if (name.endsWith('.pem')) copyFileSync(join(source, name), join(directory, name));
  }
  const anchors = join(directory, 'anchors.pem');
  const anchorKey = join(directory, 'anchors.key');
  const config = join(directory, 'openssl.cnf');
  writeFileSync(config, '[req]\ndistinguished_name=dn\n[dn]\n');
  const req = (...args: string[]): void => {
    const all = ['req', '-x509', '-config', config, '-days', '30', '-sha256', '-nodes', ...args];
    execFileSync('openssl', all, { stdio: 'pipe' });
  };
  req(
    ...['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-keyout', anchorKey],
    ...['-out', anchors, '-subj', '/CN=BoGo'],
    ...['-addext', 'basicConstraints=critical,CA:TRUE'],
    ...['-addext', 'keyUsage=critical,keyCertSign'],
  );
  for (const name of readdirSync(directory).filter((file) => file.endsWith('cert.pem'))) {
    const key = join(directory, name.replace('cert.pem', 'key.pem'));
    req(
      ...['-CA', anchors, '-CAkey', anchorKey, '-key', key, '-out', join(directory, name)],
      ...['-subj', `/CN=${name.replace(/_?cert.pem/, '')} test`],
      ...EXTENSIONS.flatMap((extension) => ['-addext', extension]),
    );
  }
  return { directory, anchors };
}
