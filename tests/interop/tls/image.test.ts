/** A booted image's TLS, on the base's own primitives: its suites, groups and signatures. */

import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { buildImage, cannotBoot, startMachine } from '../../helpers/machine.ts';
import { allCells, clientOf, eachValue, nameOf } from './cells.ts';
import { KEY_KINDS, temporaryCertificates } from './certificates.ts';
import { openssl } from './openssl.ts';
import { type Talk, VERSIONS } from './party.ts';

const REQUEST: Talk = {
  send: Buffer.from('GET / HTTP/1.1\r\nHost: server.test\r\nConnection: close\r\n\r\n'),
  untilBytes: Number.POSITIVE_INFINITY,
};

test('booted › openssl, every suite, group and signature › served', {
  skip: cannotBoot,
}, async () => {
  const made = await temporaryCertificates();
  after(() => made.remove());
  const [site, files] = ['site', 'files'].map((name) => join(made.anchors, '..', name));
  mkdirSync(site!);
  mkdirSync(files!);
  writeFileSync(join(site!, 'index.html'), 'hello from the image\n');
  for (const kind of KEY_KINDS) {
    const { chain, key } = made.good('server', kind);
    copyFileSync(chain, join(files!, `${kind}.crt`));
    copyFileSync(key, join(files!, `${kind}.key`));
  }
  const image = await buildImage(site!, '--tls', `--tls-files=${files}`);
  after(() => rmSync(image));
  assert.equal(statSync(image).mode & 0o077, 0, 'private keys are in it');
  const bootArguments = ['--port=80', '--http-port=0'];
  const machine = await startMachine({ image, memoryMib: 16, bootArguments });
  after(() => machine.stop());
  await machine.wrote(/\(HTTPS\)/);
  const port = Number(new URL(machine.url).port);
  for (const version of VERSIONS) {
    const all = allCells(version).filter((cell) => cell.clientAuth === 'none');
    // A share of the group came along, so there is nothing to ask again for.
    for (const cell of eachValue(all.filter((one) => one.hello === 'share'))) {
      const outcome = await openssl.connect(port, clientOf(cell, made), REQUEST);
      const what = `${nameOf(cell)}\n${outcome.words}`;
      assert.match(outcome.received.toString(), /^HTTP\/1\.1 200 OK[\s\S]*hello from/, what);
      assert.equal(outcome.suite, cell.suite, what);
      // In TLS 1.2 the server's order decides.
      if (version === '1.3') assert.equal(outcome.group, cell.group, what);
    }
  }
});
