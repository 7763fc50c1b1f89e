/**
 * The certificate of an application over TLS that was given none, for `run --tls` and `dev --tls`:
 * from the development CA (cert/), for the names by which this machine reaches it, as boot-time
 * arguments, which every target takes.
 */

import { hostname } from 'node:os';
import { hostName } from '#x509';
import type { DeviceNode } from '../../packages/morgana/devices.ts';
import { authorityDirectory, DevelopmentAuthority } from './cert/development-authority.ts';
import { usageFailure } from './failure.ts';
import { shown } from './places.ts';

const DAYS = 30;

export interface CertificateWish {
  /** The flag --tls. */
  readonly isWanted: boolean;
  /** The program's, and those of them that have files, linked or read where they are. */
  readonly devices: readonly Pick<DeviceNode, 'kind' | 'name'>[];
  readonly content: readonly string[];
  /** What it is given: names of disks. */
  readonly disks: readonly string[];
  readonly bootArguments: readonly string[];
  /** What it is called on networks. */
  readonly name: string;
  say(text: string): void;
}

/** None when there is no wish, or there are certificates already. */
export function certificateArguments(wish: CertificateWish): string[] {
  const { isWanted, devices, content, disks, bootArguments, name } = wish;
  if (!isWanted || bootArguments.includes('--help')) return [];
  // It gets its own.
  if (devices.some(({ kind }) => kind === 'tls.acme')) return [];
  const server = devices.find(({ kind }) => kind === 'tls.server');
  if (server === undefined) {
    throw usageFailure(
      '--tls: it was built without TLS',
      'declare it in morgana.config.ts: tls: tls.server(); or build it with --tls',
    );
  }
  const hasOwn =
    content.includes(server.name) ||
    disks.includes('tls') ||
    bootArguments.some((word) => /^--tls-(certificate|key)=/.test(word));
  if (hasOwn) return [];
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
