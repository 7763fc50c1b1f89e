/** gnutls-cli and gnutls-serv. */

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  type ClientOutcome,
  type ClientSettings,
  type Group,
  type Outcome,
  type Party,
  type Scheme,
  type ServerSettings,
  type Serving,
  SUITES_12,
  SUITES_13,
  type Suite,
  type Talk,
  type Version,
} from './party.ts';
import { freePort, type Program, SERVER_MS, start } from './program.ts';

const GROUP: Readonly<Record<Group, string>> = {
  x25519: 'X25519',
  secp256r1: 'SECP256R1',
  secp384r1: 'SECP384R1',
};
const SCHEME: Readonly<Record<Scheme, string>> = {
  // In TLS 1.2 a curve isn't part of the scheme, and GnuTLS tells the two kinds apart.
  ecdsa_secp256r1_sha256: '+SIGN-ECDSA-SHA256:+SIGN-ECDSA-SECP256R1-SHA256',
  ecdsa_secp384r1_sha384: '+SIGN-ECDSA-SHA384:+SIGN-ECDSA-SECP384R1-SHA384',
  rsa_pss_rsae_sha256: '+SIGN-RSA-PSS-RSAE-SHA256',
  rsa_pss_rsae_sha384: '+SIGN-RSA-PSS-RSAE-SHA384',
  rsa_pss_rsae_sha512: '+SIGN-RSA-PSS-RSAE-SHA512',
  rsa_pkcs1_sha256: '+SIGN-RSA-SHA256',
  rsa_pkcs1_sha384: '+SIGN-RSA-SHA384',
  rsa_pkcs1_sha512: '+SIGN-RSA-SHA512',
};

const ALL_SUITES: readonly Suite[] = [...SUITES_13, ...SUITES_12];

/** "AES-128-GCM" and "ECDHE-RSA" (null in TLS 1.3) of a suite. */
function partsOf(suite: Suite): { cipher: string; exchange: string | null } {
  const found = /^TLS_(?:(ECDHE_\w+)_WITH_)?(\w+)_SHA\d+$/.exec(suite);
  return {
    cipher: (found?.[2] ?? '').replaceAll('_', '-'),
    exchange: found?.[1]?.replaceAll('_', '-') ?? null,
  };
}

function priority(settings: ClientSettings | ServerSettings): string {
  const parts = ['NONE', '+MAC-ALL', '+COMP-NULL'];
  for (const version of settings.versions) parts.push(`+VERS-TLS${version}`);
  const suites = (settings.suites ?? ALL_SUITES).map(partsOf);
  for (const { cipher } of suites) parts.push(`+${cipher}`);
  const exchanges = suites.map(({ exchange }) => exchange ?? '');
  for (const exchange of exchanges) if (exchange !== '') parts.push(`+${exchange}`);
  if (!settings.versions.includes('1.2')) parts.push('+ECDHE-ECDSA', '+ECDHE-RSA');
  if (settings.groups === null) parts.push('+GROUP-ALL');
  for (const group of settings.groups ?? []) parts.push(`+GROUP-${GROUP[group]}`);
  const schemes = 'schemes' in settings ? settings.schemes : null;
  if (schemes === null) parts.push('+SIGN-ALL');
  else parts.push(...schemes.map((scheme) => SCHEME[scheme]));
  parts.push('+CTYPE-ALL', '%PROFILE_MEDIUM');
  return parts.join(':');
}

async function serve(settings: ServerSettings): Promise<Serving> {
  const port = await freePort();
  const args = ['--port', `${port}`, '--echo', '--priority', priority(settings)];
  for (const { chain, key } of settings.credentials)
    args.push('--x509certfile', chain, '--x509keyfile', key);
  if (settings.clientAuth === 'none') args.push('--disable-client-cert');
  else args.push('--x509cafile', settings.anchors, '--verify-client-cert');
  if (settings.clientAuth === 'required') args.push('--require-client-cert');
  if (settings.resumption !== 'tickets') args.push('--noticket');
  if (settings.resumption === 'none') args.push('--nodb');
  if (settings.recordBytes !== null) args.push('--recordsize', `${settings.recordBytes}`);
  for (const name of settings.alpn) args.push('--alpn', name);
  if (settings.alpn.length > 0) args.push('--alpn-fatal');
  // Its output is a pipe: without stdbuf it would be kept back until there is a lot.
  const server = start('stdbuf', ['-oL', 'gnutls-serv', ...args], SERVER_MS);
  if (!(await server.listens(port))) throw new Error(`gnutls-serv: ${wordsOf(server)}`);
  return {
    port,
    outcomes: () => wordsOf(server).split('* Accepted connection').slice(1).map(outcomeOf),
    received: () => null,
    told: (count) =>
      server.until(() => {
        const last = wordsOf(server).split('* Accepted connection')[count];
        return last !== undefined && /Error|received cmd/.test(last);
      }),
    stop: () => server.stop(),
  };
}

const wordsOf = (program: Program): string =>
  `${program.output().toString('latin1')}\n${program.errors()}`;

let logs = 0;

async function connect(port: number, settings: ClientSettings, talk: Talk): Promise<ClientOutcome> {
  // Without a log what it says is among the data.
  const log = join(dirname(settings.anchors), `gnutls-cli-${logs++}.log`);
  const args = ['--port', `${port}`, '--priority', priority(settings), '--single-key-share'];
  args.push('--x509cafile', settings.anchors, '--logfile', log);
  if (settings.serverName === null) args.push('--disable-sni');
  else args.push('--sni-hostname', settings.serverName, '--verify-hostname', settings.serverName);
  if (!settings.verify) args.push('--insecure');
  if (settings.credential !== null) {
    const { chain, key } = settings.credential;
    args.push('--x509certfile', chain, '--x509keyfile', key);
  }
  if (settings.recordBytes !== null) args.push('--recordsize', `${settings.recordBytes}`);
  for (const name of settings.alpn) args.push('--alpn', name);
  const client = start('gnutls-cli', [...args, '127.0.0.1']);
  client.child.stdin?.write(talk.send);
  await client.wrote(talk.untilBytes);
  client.child.stdin?.end();
  await client.ended;
  const words = `${readFileSync(log, 'utf8')}${client.errors()}`;
  return { ...outcomeOf(words), received: client.output() };
}

function outcomeOf(words: string): Outcome {
  const line = (pattern: RegExp): string | null => pattern.exec(words)?.[1] ?? null;
  const version = line(/Description: \(TLS(1\.[23])/) as Version | null;
  const description = line(/Description: (.*)/) ?? '';
  const group = Object.entries(GROUP).find(([, name]) => description.includes(`ECDHE-${name})`));
  const alertIn = line(/Received alert ['[](\d+)/);
  return {
    // The server says the second, the client both.
    established: /Handshake was completed|- Description:/.test(words),
    version,
    suite: suiteOf(description, version),
    group: (group?.[0] as Group | undefined) ?? null,
    alpn: line(/Application protocol: (\S+)/),
    resumed: /This is a resumed session/.test(words),
    alertIn: alertIn === null ? null : Number(alertIn),
    alertOut: null,
    words,
  };
}

/** GnuTLS prints the parts: (TLS1.2)-(ECDHE-X25519)-(RSA-PSS-RSAE-SHA256)-(AES-128-GCM). */
function suiteOf(description: string, version: Version | null): Suite | null {
  const cipher = /\(([^()]*)\)$/.exec(description)?.[1];
  const signature = /-\(((?:ECDSA|RSA)[^()]*)\)-/.exec(description)?.[1]?.slice(0, 3);
  const candidates = ALL_SUITES.filter((suite) => partsOf(suite).cipher === cipher);
  if (version === '1.3')
    return candidates.find((suite) => partsOf(suite).exchange === null) ?? null;
  return (
    candidates.find((suite) => partsOf(suite).exchange?.startsWith(`ECDHE-${signature}`)) ?? null
  );
}

export const gnutls: Party = { name: 'gnutls', serve, connect };
