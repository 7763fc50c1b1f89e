/** What comes beyond a handshake, with openssl and GnuTLS at the other end: both versions. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { TlsFlow } from '#tls';
import { type Certificates, SERVER_NAME, temporaryCertificates } from './certificates.ts';
import { gnutls } from './gnutls.ts';
import { openssl } from './openssl.ts';
import {
  clientConfigOf,
  connectWith,
  OUR_VERSIONS,
  type OurServing,
  ours,
  serverConfigOf,
  serveWith,
} from './ours.ts';
import {
  type ClientSettings,
  ECHO,
  type Party,
  type ServerSettings,
  type Talk,
  type Version,
} from './party.ts';
import { start } from './program.ts';
import { recordWatch } from './record-watch.ts';

let made: Certificates & { remove(): void };
/** Echoes. */
let serving: OurServing;
/** Says SOME to everybody. */
let source: OurServing;
before(async () => {
  made = await temporaryCertificates();
  serving = await serveWith(serverConfigOf(serverSettings()));
  source = await serveWith(serving.config, (flow) => {
    flow.attach({ data() {}, drained() {}, end() {}, closed() {} });
    flow.write(Uint8Array.from(SOME));
    flow.shutdown();
  });
});
after(async () => {
  await Promise.all([serving.stop(), source.stop()]);
  made.remove();
});

const serverSettings = (change: Partial<ServerSettings> = {}): ServerSettings => ({
  credentials: [made.good('server', 'p256')],
  versions: OUR_VERSIONS,
  suites: null,
  groups: null,
  alpn: [],
  anchors: made.anchors,
  clientAuth: 'none',
  resumption: 'tickets',
  recordBytes: null,
  ...change,
});

const clientSettings = (
  version: Version,
  change: Partial<ClientSettings> = {},
): ClientSettings => ({
  versions: [version],
  suites: null,
  groups: null,
  alpn: [],
  anchors: made.anchors,
  serverName: SERVER_NAME,
  schemes: null,
  credential: null,
  verify: true,
  recordBytes: null,
  ...change,
});

const pattern = (count: number): Buffer => {
  const bytes = Buffer.alloc(count);
  for (let at = 0; at < count; at++) bytes[at] = (at * 7 + (at >>> 8)) & 0xff;
  return bytes;
};
const LARGE = pattern(1_500_000);
/** Gnutls-cli writes what it receives byte by byte: not too much. */
const SOME = LARGE.subarray(0, 80_000);
const LISTEN: Talk = { send: Buffer.alloc(0), untilBytes: SOME.length };
const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Runs s_client to its end; `say` are the lines that it is told, each after `after` was seen. */
async function client(
  port: number,
  version: Version,
  args: readonly string[],
  say: readonly (readonly [after: RegExp, line: string])[],
): Promise<string> {
  const command = ['s_client', '-connect', `127.0.0.1:${port}`, `-tls${version.replace('.', '_')}`];
  const program = start('openssl', [...command, '-CAfile', made.anchors, ...args]);
  const words = (): string => `${program.output().toString('latin1')}\n${program.errors()}`;
  for (const [seen, line] of say) {
    await program.until(() => seen.test(words()));
    program.child.stdin?.write(line);
  }
  await program.ended;
  return words();
}

for (const version of OUR_VERSIONS) {
  describe(`TLS ${version} › resumption`, () => {
    test('openssl as client › a ticket › resumed', async () => {
      const file = join(made.anchors, `../session-${version}.pem`);
      const talk = [
        [/Cipher is/, 'first\n'],
        [/^first$/m, 'Q\n'],
      ] as const;
      const first = await client(serving.port, version, ['-sess_out', file], talk);
      assert.match(first, /^New, TLS/m);
      const second = await client(serving.port, version, ['-sess_in', file], talk);
      assert.match(second, /^Reused, TLS/m);
    });

    test('GnuTLS as client › a ticket › resumed', async () => {
      const args = ['--resume', '--waitresumption', '--port', `${serving.port}`];
      args.push('--x509cafile', made.anchors, '--verify-hostname', SERVER_NAME);
      args.push('--priority', `NORMAL:-VERS-ALL:+VERS-TLS${version}`, '127.0.0.1');
      const program = start('gnutls-cli', args);
      await program.until(() => /resumed session/.test(program.output().toString()));
      program.child.stdin?.end();
      await program.ended;
      assert.match(program.output().toString(), /\*\*\* This is a resumed session/);
    });

    for (const resumption of ['tickets', 'session ids'] as const) {
      for (const peer of [openssl, gnutls]) {
        if (peer === gnutls && resumption === 'session ids') continue;
        test(`${peer.name} as server › ${resumption} › resumed by us`, async () => {
          const server = await peer.serve(serverSettings({ resumption }));
          const config = clientConfigOf(clientSettings(version), true);
          const first = await connectWith(server.port, config, ECHO);
          await server.told(1);
          const second = await connectWith(server.port, config, ECHO);
          await server.stop();
          assert.equal(first.resumed, false);
          assert.equal(second.resumed, true);
          assert.deepEqual(second.received, ECHO.send);
        });
      }
    }
  });

  describe(`TLS ${version} › extensions`, () => {
    test('ALPN › one in common › the server’s first; none › no_application_protocol', async () => {
      const settings = serverSettings({ alpn: ['two', 'one'] });
      for (const [server, peer] of [
        [ours, gnutls],
        [openssl, ours],
        [gnutls, ours],
      ] as const) {
        const running = await server.serve(settings);
        const alpn = ['one', 'other'];
        const outcome = await peer.connect(running.port, clientSettings(version, { alpn }), ECHO);
        assert.equal(outcome.alpn, 'one', `${server.name} ${peer.name}`);
        const none = clientSettings(version, { alpn: ['other'] });
        const refused = await peer.connect(running.port, none, ECHO);
        assert.equal(refused.alertIn, 120, `${server.name} ${peer.name}`);
        await running.stop();
      }
    });

    test('SNI › a name we have no certificate for › unrecognized_name, no bytes', async () => {
      const config = serverConfigOf(serverSettings());
      const own = await serveWith({
        ...config,
        credentials: (name, ...rest) =>
          name === SERVER_NAME ? config.credentials(name, ...rest) : null,
      });
      for (const peer of [openssl, gnutls]) {
        const known = await peer.connect(own.port, clientSettings(version), ECHO);
        assert.deepEqual(known.received, ECHO.send);
        const other = clientSettings(version, { serverName: 'other.test' });
        const refused = await peer.connect(own.port, other, ECHO);
        assert.deepEqual([refused.alertIn, refused.received.length], [112, 0]);
      }
      await own.stop();
    });

    test('record size limit › GnuTLS takes 512 bytes › no record of ours is larger', async () => {
      const limited = clientSettings(version, { recordBytes: 512 });
      const watch = await recordWatch(source.port);
      const outcome = await gnutls.connect(watch.port, limited, LISTEN);
      watch.stop();
      assert.equal(digestOf(outcome.received), digestOf(SOME));
      // With a tag, a nonce of TLS 1.2 and the type of TLS 1.3.
      assert.ok(watch.largestFromServer() <= 512 + 16 + 8 + 1, `${watch.largestFromServer()}`);
    });

    test('fragments › openssl sends 512 bytes a record, and small pieces › all arrives', async () => {
      const args = ['-max_send_frag', '512', '-split_send_frag', '512'];
      const text = `${'x'.repeat(5_000)}\n`;
      const out = await client(serving.port, version, args, [
        [/Cipher is/, text],
        [/x{5000}\n/, 'Q\n'],
      ]);
      assert.match(out, /x{5000}\n/);
    });
  });

  describe(`TLS ${version} › much data`, () => {
    test('openssl at the other end › there and back › the same bytes', async () => {
      await checkEcho(ours, openssl, version);
      await checkEcho(openssl, ours, version);
    });

    test('GnuTLS as client › from us › the same bytes', async () => {
      const outcome = await gnutls.connect(source.port, clientSettings(version), LISTEN);
      assert.equal(digestOf(outcome.received), digestOf(SOME));
    });
  });
}

async function checkEcho(server: Party, peer: Party, version: Version): Promise<void> {
  const talk: Talk = { send: LARGE, untilBytes: LARGE.length };
  const running = await server.serve(serverSettings());
  const outcome = await peer.connect(running.port, clientSettings(version), talk);
  await running.stop();
  assert.equal(outcome.received.length, talk.send.length);
  assert.equal(digestOf(outcome.received), digestOf(talk.send));
}

test('TLS 1.3 › openssl as client › KeyUpdate, asked for and not › data goes on', async () => {
  const out = await client(
    serving.port,
    '1.3',
    ['-state'],
    [
      [/Cipher is/, 'before\n'],
      [/^before$/m, 'k\n'],
      [/KEYUPDATE/, 'between\n'],
      [/^between$/m, 'K\n'],
      [/KEYUPDATE[\s\S]*KEYUPDATE/, 'behind\n'],
      [/^behind$/m, 'Q\n'],
    ],
  );
  assert.match(out, /^behind$/m);
  assert.doesNotMatch(out, /alert write:fatal/);
});

test('TLS 1.3 › GnuTLS ends its side first › what we say then arrives', async () => {
  const answering = await serveWith(serverConfigOf(serverSettings()), answerAtEnd);
  const talk: Talk = { send: LARGE, untilBytes: 0 };
  const outcome = await gnutls.connect(answering.port, clientSettings('1.3'), talk);
  await answering.stop();
  assert.equal(outcome.received.toString(), `${digestOf(LARGE)}\n`);
});

/** Reads to the end, then says what it read. */
function answerAtEnd(flow: TlsFlow): void {
  const hash = createHash('sha256');
  flow.attach({
    data: (bytes) => void hash.update(bytes),
    drained() {},
    end() {
      flow.write(Uint8Array.from(Buffer.from(`${hash.digest('hex')}\n`)));
      flow.shutdown();
    },
    closed() {},
  });
}
