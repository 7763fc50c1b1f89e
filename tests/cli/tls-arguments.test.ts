import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { HTTPS_ARGS } from '../../packages/morgana/standard-args.ts';
import {
  type CertificateWish,
  certificateArguments,
} from '../../tools/cli/development-certificate.ts';
import { httpsArguments, numberArgument } from '../../tools/cli/tls-arguments.ts';
import { Workspace } from './cli.ts';

const ARGS = { port: { kind: 'port', default: 443, doc: '' }, ...HTTPS_ARGS } as const;
const port = (hostPort: number, guestPort: number) =>
  ({ hostAddress: '127.0.0.1', hostPort, guestPort, protocol: 'tcp' }) as const;
const asked = (
  publish: ReturnType<typeof port>[],
  bootArguments: string[] = [],
  isOnHost = false,
): string[] => httpsArguments({ args: ARGS, bootArguments, publish, isOnHost });

test('published elsewhere › clients are sent there, unless the user says where', () => {
  assert.deepEqual(asked([port(8443, 443), port(8080, 80)]), ['--public-port=8443']);
  assert.deepEqual(asked([port(443, 443)]), []);
  assert.deepEqual(asked([]), []);
  assert.deepEqual(asked([port(8443, 443)], ['--public-port=9443']), []);
  assert.deepEqual(asked([port(8443, 4433)], ['--port=4433']), ['--public-port=8443']);
  assert.deepEqual(asked([port(8443, 443)], ['--port=4433']), []);
});

test('on host sockets › plain HTTP only where it is published or asked for', () => {
  assert.deepEqual(asked([port(443, 443)], [], true), ['--http-port=0']);
  assert.deepEqual(asked([port(443, 443), port(8080, 80)], [], true), []);
  assert.deepEqual(asked([port(443, 443)], ['--http-port=81'], true), []);
});

test('another program › nothing', () => {
  const place = { args: {}, bootArguments: [], publish: [port(8443, 443)], isOnHost: true };
  assert.deepEqual(httpsArguments(place), []);
});

test('numbers of arguments › given, by default, or none', () => {
  assert.equal(numberArgument('port', ARGS, ['--port=4433']), 4433);
  assert.equal(numberArgument('http-port', ARGS, []), 80);
  for (const word of ['--port=x', '--port=', '--port=65536', '--port=-1', '--port=1.5']) {
    assert.equal(numberArgument('port', ARGS, [word]), word === '--port=' ? 0 : null, word);
  }
  assert.equal(numberArgument('none', ARGS, []), null);
});

const work = new Workspace();
after(() => work.remove());

/** The names of the arguments that a program over TLS is given. */
function certificateFor(wish: Partial<CertificateWish>): (string | undefined)[] {
  process.env.MORGANA_CA_DIR = work.path('ca');
  const none = { content: [], disks: [], bootArguments: [], name: 'app', say: () => {} };
  const server = { kind: 'tls.server', name: 'secure' } as const;
  const given = certificateArguments({ isWanted: true, devices: [server], ...none, ...wish });
  return given.map((word) => /^--[a-z-]+/.exec(word)?.[0]);
}

test('--tls without a certificate › one of the development CA; with one, or without --tls › none', () => {
  const both = ['--tls-certificate', '--tls-key'];
  assert.deepEqual(certificateFor({}), both);
  assert.deepEqual(certificateFor({ content: ['site'], disks: ['acme'] }), both);
  const acme = [{ kind: 'tls.acme', name: 'secure' }] as const;
  for (const wish of [
    { isWanted: false },
    { content: ['secure'] },
    { disks: ['tls'] },
    { bootArguments: ['--tls-key=x'] },
    { bootArguments: ['--help'] },
    { devices: acme },
  ]) {
    assert.deepEqual(certificateFor(wish), [], JSON.stringify(wish));
  }
  assert.throws(() => certificateFor({ devices: [] }), /it was built without TLS/);
});
