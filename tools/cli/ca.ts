/** The CAs that a build links for what a program asks of others over TLS. */

import { existsSync, readFileSync } from 'node:fs';
import { Failure } from './failure.ts';
import { shown } from './places.ts';

/** Where distributions keep the bundle that all their programs trust. */
const SYSTEM_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

const BLOCK = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g;

/** The certificates of App's `ca`, each as base64 of DER, in the order of the file. */
export function readCa(ca: string): string[] {
  if (ca === 'none') return [];
  const file = ca === 'system' ? SYSTEM_BUNDLES.find((one) => existsSync(one)) : ca;
  if (file === undefined) {
    throw new Failure({
      what: "this machine has no bundle of CAs for ca: 'system'",
      mend: 'install ca-certificates, or name a PEM file',
    });
  }
  const text = readFileSync(file, 'latin1');
  const found = [...text.matchAll(BLOCK)].map(([, base64]) => base64!.replace(/\s+/g, ''));
  if (found.length > 0) return found;
  throw new Failure({ what: `${shown(file)} has no certificate`, mend: 'name a PEM file of CAs' });
}
