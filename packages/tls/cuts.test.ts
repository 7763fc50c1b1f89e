/** A session cut off at every byte, and handed over in pieces of any size; both versions. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimRandom } from '#targets/sim/index';
import { ClientStart } from './client-start.ts';
import type { TlsEnvironment, TlsVersion } from './config.ts';
import { ServerStart } from './server-start.ts';
import {
  clientConfig,
  deliver,
  makeCredentials,
  makeEnvironment,
  serverConfig,
  TestEnd,
} from './test-session.ts';

/** Its signatures are always the same, so a session can be had again. */
const credentials = makeCredentials('Ed25519');
const SAID = { client: 'from the client', server: 'from the server' } as const;
const ROLES = ['client', 'server'] as const;
type Role = (typeof ROLES)[number];

/** An end that draws the same chance each time. */
function makeEnd(role: Role, version: TlsVersion): TestEnd {
  const seed = role === 'client' ? 1 : 2;
  const env: TlsEnvironment = { ...makeEnvironment(), entropy: new SimRandom(seed) };
  const end = new TestEnd(env);
  const versions = [version];
  if (role === 'client') {
    new ClientStart(end.engine, clientConfig({ versions }), 'example.com 443').start();
  } else {
    const config = serverConfig({ versions, credentials: () => credentials });
    new ServerStart(end.engine, config);
  }
  return end;
}

/** What each end was sent, in the pieces in which it was sent, by a whole session. */
function record(version: TlsVersion): Record<Role, Uint8Array[]> {
  const ends = { client: makeEnd('client', version), server: makeEnd('server', version) };
  const sentTo: Record<Role, Uint8Array[]> = { client: [], server: [] };
  const run = () => {
    for (let round = 0; round < 6; round++) {
      for (const role of ROLES) {
        const bytes = ends[role === 'client' ? 'server' : 'client'].takeSent();
        if (bytes.length > 0) sentTo[role].push(bytes);
        deliver(ends[role], bytes);
      }
    }
  };
  run();
  for (const role of ROLES) {
    assert.ok(ends[role].session !== null, `${role}: ${ends[role].alert}`);
    ends[role].write(SAID[role]);
  }
  run();
  for (const role of ROLES) ends[role].engine.close();
  run();
  return sentTo;
}

for (const version of ['TLS 1.3', 'TLS 1.2'] as const) {
  const sentTo = record(version);
  for (const role of ROLES) {
    const bytes = new Uint8Array(Buffer.concat(sentTo[role]));
    const said = SAID[role === 'client' ? 'server' : 'client'];

    test(`${version}, ${role} › cut off at each byte › truncated, and nothing but a prefix`, () => {
      let opened = 0;
      for (let cut = 0; cut < bytes.length; cut++) {
        const end = makeEnd(role, version);
        deliver(end, bytes.subarray(0, cut));
        if (end.session !== null) opened++;
        assert.equal(end.isPeerClosed, false);
        end.engine.receiveEnd();
        assert.deepEqual(end.failure, { kind: 'truncated' }, `cut at ${cut}`);
        const text = end.takeText();
        assert.ok(text === '' || text === said);
        assert.ok(text === '' || end.session !== null);
      }
      assert.ok(opened > said.length && opened < 200);
    });

    test(`${version}, ${role} › one byte at a time, and all at once › the same session`, () => {
      for (const size of [1, bytes.length]) {
        const end = makeEnd(role, version);
        for (let at = 0; at < bytes.length; at += size) {
          deliver(end, bytes.subarray(at, at + size));
        }
        assert.equal(end.failure, null);
        assert.ok(end.session !== null && end.isPeerClosed);
        assert.equal(end.takeText(), said);
      }
    });
  }

  test(`${version} › pieces of any size, data both ways, paused now and then › all arrives`, () => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = new SimRandom(seed);
      const ends = { client: makeEnd('client', version), server: makeEnd('server', version) };
      const waiting: Record<Role, Uint8Array> = {
        client: new Uint8Array(0),
        server: new Uint8Array(0),
      };
      const data = new Uint8Array(random.between(0, 60_000));
      random.fill(data);
      const got: Record<Role, Uint8Array[]> = { client: [], server: [] };
      const written: Record<Role, number> = { client: 0, server: 0 };
      for (let step = 0; step < 4_000; step++) {
        for (const role of ROLES) {
          const end = ends[role];
          const other = ends[role === 'client' ? 'server' : 'client'];
          waiting[role] = new Uint8Array(Buffer.concat([waiting[role], other.takeSent()]));
          const count = random.between(0, random.pick([1, 5, 200, 20_000]));
          if (random.below(8) === 0) end.engine.reader.isStopped = true;
          else if (end.engine.reader.isStopped) end.engine.resume();
          deliver(end, waiting[role].subarray(0, count));
          waiting[role] = waiting[role].subarray(Math.min(count, waiting[role].length));
          got[role].push(end.takeBytes());
          const piece = Math.min(random.between(1, 30_000), data.length - written[role]);
          if (end.session !== null && piece > 0) {
            end.write(data.slice(written[role], written[role] + piece));
            written[role] += piece;
          }
        }
        if (ROLES.every((role) => total(got[role]) === data.length)) break;
      }
      for (const role of ROLES) {
        assert.equal(ends[role].failure, null, `seed ${seed}`);
        assert.ok(Buffer.concat(got[role]).equals(Buffer.from(data)), `seed ${seed}, ${role}`);
      }
    }
  });
}

const total = (arrays: readonly Uint8Array[]): number =>
  arrays.reduce((sum, { length }) => sum + length, 0);
