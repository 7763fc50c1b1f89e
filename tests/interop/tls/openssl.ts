/** openssl s_client and s_server. */

import { ALERTS } from './alerts.ts';
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
import { freePort, SERVER_MS, start } from './program.ts';

const GROUP: Readonly<Record<Group, string>> = {
  x25519: 'X25519',
  secp256r1: 'P-256',
  secp384r1: 'P-384',
};
const SCHEME: Readonly<Record<Scheme, string>> = {
  ecdsa_secp256r1_sha256: 'ECDSA+SHA256',
  ecdsa_secp384r1_sha384: 'ECDSA+SHA384',
  rsa_pss_rsae_sha256: 'RSA-PSS+SHA256',
  rsa_pss_rsae_sha384: 'RSA-PSS+SHA384',
  rsa_pss_rsae_sha512: 'RSA-PSS+SHA512',
  rsa_pkcs1_sha256: 'RSA+SHA256',
  rsa_pkcs1_sha384: 'RSA+SHA384',
  rsa_pkcs1_sha512: 'RSA+SHA512',
};

const is13 = (suite: Suite): boolean => (SUITES_13 as readonly Suite[]).includes(suite);

/** OpenSSL's name of a suite; those of TLS 1.3 have the RFC's. */
const cipherOf = (suite: Suite): string =>
  is13(suite)
    ? suite
    : suite
        .replace(/^TLS_/, '')
        .replace('_WITH', '')
        .replace(/_(128|256)_/, '$1_')
        .replace('CHACHA20_POLY1305_SHA256', 'CHACHA20_POLY1305')
        .replaceAll('_', '-');

const suiteOf = (cipher: string): Suite | null =>
  [...SUITES_13, ...SUITES_12].find((suite) => cipherOf(suite) === cipher) ?? null;

function common(settings: ClientSettings | ServerSettings): string[] {
  const args = ['-no_tls1', '-no_tls1_1', '-state', '-CAfile', settings.anchors];
  if (!settings.versions.includes('1.2')) args.push('-no_tls1_2');
  if (!settings.versions.includes('1.3')) args.push('-no_tls1_3');
  const { suites, groups } = settings;
  if (suites !== null) {
    const suites13 = suites.filter(is13);
    const suites12 = suites.filter((suite) => !is13(suite));
    if (suites13.length > 0) args.push('-ciphersuites', suites13.join(':'));
    if (suites12.length > 0) args.push('-cipher', suites12.map(cipherOf).join(':'));
  }
  if (groups !== null) args.push('-groups', groups.map((group) => GROUP[group]).join(':'));
  if (settings.alpn.length > 0) args.push('-alpn', settings.alpn.join(','));
  return args;
}

const identity = (
  { leaf, links, key }: { leaf: string; links: string; key: string },
  prefix = '',
): string[] => [
  ...[`-${prefix}cert`, leaf, `-${prefix}key`, key],
  ...(links === '' ? [] : [`-${prefix}cert_chain`, links]),
];

async function serve(settings: ServerSettings): Promise<Serving> {
  const [first, second] = settings.credentials;
  if (first === undefined) throw new Error('a server needs a credential');
  const args = [...common(settings), ...identity(first)];
  if (second !== undefined) args.push(...identity(second, 'd'));
  if (settings.clientAuth === 'optional') args.push('-verify', '5', '-verify_return_error');
  if (settings.clientAuth === 'required') args.push('-Verify', '5', '-verify_return_error');
  if (settings.resumption !== 'tickets') args.push('-no_ticket');
  if (settings.resumption === 'none') args.push('-no_cache');
  const port = await freePort();
  const accept = ['-accept', `127.0.0.1:${port}`, '-brief'];
  const server = start('openssl', ['s_server', ...accept, ...args], SERVER_MS);
  if (!(await server.listens(port))) throw new Error(`openssl s_server: ${server.errors()}`);
  // What it reads from its input goes to the connection that there is.
  server.child.stdout?.on('data', (bytes: Buffer) => server.child.stdin?.write(bytes));
  return {
    port,
    outcomes: () => connectionsOf(server.errors()).map(outcomeOf),
    received: () => server.output(),
    told: (count) =>
      server.until(() => {
        const last = connectionsOf(server.errors())[count - 1];
        return last !== undefined && /ERROR|close notify/.test(last);
      }),
    stop: () => server.stop(),
  };
}

/** What it said of each connection; the last may go on. A hello is begun twice, see -state. */
const connectionsOf = (words: string): string[] =>
  words
    .split('SSL_accept:before SSL initialization')
    .slice(1)
    .filter((part) => part.trim() !== '');

async function connect(port: number, settings: ClientSettings, talk: Talk): Promise<ClientOutcome> {
  const args = [...common(settings), '-brief', '-nocommands', '-connect', `127.0.0.1:${port}`];
  if (settings.serverName === null) args.push('-noservername');
  else args.push('-servername', settings.serverName, '-verify_hostname', settings.serverName);
  if (settings.schemes !== null)
    args.push('-sigalgs', settings.schemes.map((scheme) => SCHEME[scheme]).join(':'));
  if (settings.verify) args.push('-verify_return_error');
  if (settings.credential !== null) args.push(...identity(settings.credential));
  const client = start('openssl', ['s_client', ...args]);
  client.child.stdin?.write(talk.send);
  await client.wrote(talk.untilBytes);
  client.child.stdin?.end();
  await client.ended;
  return { ...outcomeOf(client.errors()), received: client.output() };
}

/** What both programs print the same way; neither tells of resumption, nor the client of ALPN. */
function outcomeOf(words: string): Outcome {
  const line = (pattern: RegExp): string | null => pattern.exec(words)?.[1] ?? null;
  const version = line(/Protocol version: TLSv(1\.[23])/) as Version | null;
  const temporary = line(/Server Temp Key: (?:ECDH, )?([^,\n]+)/);
  const named = { X25519: 'x25519', prime256v1: 'secp256r1', secp384r1: 'secp384r1' } as const;
  const alertIn = line(/SSL alert number (\d+)/);
  const alertOut = line(/SSL3 alert write:fatal:([a-z A-Z]+)/);
  return {
    established: version !== null,
    version,
    suite: suiteOf(line(/Ciphersuite: (\S+)/) ?? ''),
    group: named[temporary as keyof typeof named] ?? null,
    alpn: line(/ALPN protocols selected: (\S+)/),
    resumed: null,
    alertIn: alertIn === null ? null : Number(alertIn),
    alertOut: alertOut === null ? null : (ALERTS[alertOut.toLowerCase().replaceAll(' ', '_')] ?? 0),
    words,
  };
}

export const openssl: Party = { name: 'openssl', serve, connect };
