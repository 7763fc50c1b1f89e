/** `morgana cert`: certificates for development, from a CA of one's own. */

import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { domainToASCII } from 'node:url';
import { hostName, pemDecode } from '#x509';
import { EXIT_OK, Failure, usageFailure } from '../failure.ts';
import type { CommandLine } from '../flags.ts';
import { shown } from '../places.ts';
import type { VERBS } from '../verbs.ts';
import {
  authorityDirectory,
  DevelopmentAuthority,
  leafFiles,
  writeIssued,
} from './development-authority.ts';

const PURPOSES = {
  server: ['serverAuth'],
  client: ['clientAuth'],
  both: ['serverAuth', 'clientAuth'],
} as const;

export function certVerb(line: CommandLine<typeof VERBS.cert.flags>): number {
  const { out, ca, days, key, for: purpose, json } = line.flags;
  const names = line.words.map(checkedName);
  const authority = DevelopmentAuthority.open(authorityDirectory(ca));
  const [first] = names;
  if (first === undefined) {
    const trust = `Trust it with curl --cacert, or in your browser's settings.\n`;
    const text = json ? asJson({ ca: authority.file }) : `${shown(authority.file)}\n${trust}`;
    process.stdout.write(text);
    return EXIT_OK;
  }
  const directory = path.resolve(out ?? '.');
  const stem = first.replace('*', 'any').replaceAll(':', '-').replace(/^-/, 'ip-');
  checkReplaceable(authority, directory, stem);
  const options = { names, days, keyType: key, purposes: PURPOSES[purpose] };
  const issued = authority.issue(options);
  authority.destroy();
  const files = writeIssued(directory, stem, issued);
  const until = new Date(issued.notAfter).toISOString();
  if (json) {
    process.stdout.write(asJson({ ...files, names, notAfter: until, ca: authority.file }));
    return EXIT_OK;
  }
  process.stdout.write(`${shown(files.certificate)}
  for ${names.join(', ')}
  until ${until.slice(0, 10)}, by ${shown(authority.file)}
${shown(files.key)}
  its private key

Served:  morgana run APP --tls --tls-files=${shown(directory)}
Trusted: curl --cacert ${shown(authority.file)} https://${first.startsWith('*') ? stem : first}/
`);
  return EXIT_OK;
}

const asJson = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;

/** A word as a certificate has it: A-labels, small letters. */
function checkedName(word: string): string {
  const isAscii = /^[\x21-\x7e]+$/.test(word);
  const text = isAscii
    ? word
    : word.replace(/^(\*\.)?(.*)$/su, (_, wild = '', rest) => wild + domainToASCII(rest));
  const name = hostName(text);
  if (name === null) {
    throw usageFailure(
      `'${word}' is neither a host's name nor an address`,
      'as localhost, "*.example.test", 127.0.0.1 or ::1',
    );
  }
  return name.kind === 'dns' ? name.text : text;
}

/** Files that are there must be ours: someone's own certificate isn't written over. */
function checkReplaceable(authority: DevelopmentAuthority, directory: string, stem: string): void {
  const { certificate, key } = leafFiles(directory, stem);
  const mend = 'remove it, or name another directory with --out';
  if (statSync(certificate, { throwIfNoEntry: false }) === undefined) {
    if (statSync(key, { throwIfNoEntry: false }) === undefined) return;
    throw new Failure({ what: `${shown(key)} is there already, without a certificate`, mend });
  }
  const blocks = pemDecode(readFileSync(certificate, 'latin1'));
  const leaf = blocks.ok ? blocks.value[0] : undefined;
  if (leaf !== undefined && authority.hasIssued(leaf.bytes)) return;
  const what = `${shown(certificate)} is there already, and not from ${shown(authority.file)}`;
  throw new Failure({ what, mend });
}
