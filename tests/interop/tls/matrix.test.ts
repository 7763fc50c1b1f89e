/** Our TLS with openssl's and GnuTLS', both ways: some of the matrix (main.ts has all of it). */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { allCells, eachValue, type Failure, pairwise, play } from './cells.ts';
import { type Certificates, SPOILED, temporaryCertificates } from './certificates.ts';
import { gnutls } from './gnutls.ts';
import { openssl } from './openssl.ts';
import { OUR_VERSIONS, ours } from './ours.ts';
import type { Party } from './party.ts';
import { REASONS, refusesClient, refusesServer, strictServer } from './rejection.ts';

let made: Certificates & { remove(): void };
before(async () => {
  made = await temporaryCertificates();
});
after(() => made.remove());

const shown = (failures: readonly Failure[]): string =>
  failures.map(({ cell, why }) => `${cell}\n${why}`).join('\n');

for (const version of OUR_VERSIONS) {
  for (const [peer, choose] of [
    [openssl, pairwise],
    [gnutls, eachValue],
  ] as const) {
    const cells = choose(allCells(version));
    test(`TLS ${version} › ${cells.length} settings, ${peer.name} as client › served`, async () => {
      assert.equal(shown(await play(cells, ours, peer, made)), '');
    });
    test(`TLS ${version} › ${cells.length} settings, ${peer.name} as server › used`, async () => {
      assert.equal(shown(await play(cells, peer, ours, made)), '');
    });
  }
}

for (const version of OUR_VERSIONS) {
  describe(`TLS ${version} › certificate of the peer`, () => {
    test('clients', async () => {
      const serving = await ours.serve(strictServer(made));
      for (const peer of [openssl, gnutls]) {
        for (const reason of REASONS) {
          if (!canShow(peer, reason)) continue;
          const verdict = await refusesClient(serving, peer, version, reason, made);
          assert.equal(verdict, null, `${peer.name} with ${reason}`);
        }
      }
      assert.equal(serving.received()?.length, 0);
      await serving.stop();
    });
    test('servers', async () => {
      for (const peer of [openssl, gnutls]) {
        for (const reason of SPOILED) {
          // Openssl has no cipher of TLS 1.2 for extensions that it can't read itself.
          if (version === '1.2' && reason === 'malformed DER') continue;
          if (!canShow(peer, reason)) continue;
          const verdict = await refusesServer(peer, ours, version, reason, made);
          assert.equal(verdict, null, `${peer.name} with ${reason}`);
        }
      }
    });
  });
}

/** GnuTLS refuses to read what isn't right in itself. */
const canShow = (peer: Party, reason: string): boolean =>
  peer !== gnutls || (reason !== 'wrong key' && reason !== 'malformed DER');
