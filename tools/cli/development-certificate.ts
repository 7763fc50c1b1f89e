/**
 * The certificate of an application over TLS that was given none, for `run --tls` and `dev --tls`:
 * from the development CA (cert/), for the names by which this machine reaches it, as boot-time
 * arguments, which every target takes.
 */

import { hostname } from 'node:os';
import { hostName } from '#x509';
import type { ArgSpecs } from '../../packages/morgana/arguments.ts';
import { authorityDirectory, DevelopmentAuthority } from './cert/development-authority.ts';
import { usageFailure } from './failure.ts';
import { shown } from './places.ts';

const DAYS = 30;

export interface CertificateWish {
  /** The flag --tls. */
  readonly isWanted: boolean;
  /** What the program takes, and is given. */
  readonly args: ArgSpecs;
  readonly bootArguments: readonly string[];
  /** Certificates are linked, or on a disk. */
  readonly hasOwn: boolean;
  /** What it is called on networks. */
  readonly name: string;
  say(text: string): void;
}

/** None when there is no wish, or there are certificates already. */
export function certificateArguments(wish: CertificateWish): string[] {
  const { isWanted, args, bootArguments, hasOwn, name } = wish;
  // ACME gets its own.
  if (!isWanted || args['acme-names'] !== undefined) return [];
  if (args['tls-certificate'] === undefined) {
    throw usageFailure(
      '--tls: it was built without TLS',
      'declare it in morgana.config.ts: tls: tls.server(); or build it with --tls',
    );
  }
  if (hasOwn || bootArguments.some((word) => /^--tls-(certificate|key)=/.test(word))) return [];
  const authority = DevelopmentAuthority.open(authorityDirectory(null));
  const names = ['localhost', '127.0.0.1', '::1', name, `${name}.internal`, hostname()].filter(
    (one) => hostName(one) !== null,
  );
  const { certificate, key } = authority.issue({
    names: [...new Set(names)],
    days: DAYS,
    keyType: 'P-256',
    purposes: ['serverAuth'],
  });
  authority.destroy();
  wish.say(`certificate for ${names[0]} from the development CA; trust ${shown(authority.file)}`);
  return [`--tls-certificate=${bodyOf(certificate)}`, `--tls-key=${bodyOf(key)}`];
}

/** The base64 of a PEM block. */
const bodyOf = (pem: string): string => pem.replace(/-----[^-]+-----|\s/g, '');
