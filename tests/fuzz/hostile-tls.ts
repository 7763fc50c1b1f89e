/**
 * Two ends of TLS with somebody between them who flips, drops, repeats, swaps, cuts, splits and
 * invents records, in both versions and every kind of handshake. Nothing need arrive; nothing may
 * throw or go on for ever, all invariants hold, what is held is bounded, and what arrives is what
 * the other end wrote, from its beginning. Sessions that were left alone must come about.
 */

import { strict as assert } from 'node:assert';
import type { CryptoPrimitives } from '#device';
import { nodeCrypto } from '#targets/node/crypto';
import { SimRandom } from '#targets/sim/index';
import { ServerSessions, SessionCache, TicketKeys } from '#tls';
import { RECORD_HEADER_BYTES } from '#tls/wire';
import { CertificateAuthority, TrustAnchors } from '#x509';
import { quickCrypto } from '../../packages/tls/test-quick-crypto.ts';
import {
  makeEnvironment,
  type PairOptions,
  type TestEnd,
  TestPair,
  VALIDITY,
} from '../../packages/tls/test-session.ts';
import { recordOf, splitRecords } from '../../packages/tls/test-tamper.ts';
import type { HostileTally } from './hostile-stack.ts';
import { bytesOf } from './wire-case.ts';

/** The longest record that may be held, with its header (RFC 5246 §6.2.3). */
const HELD_BYTES_MAX = RECORD_HEADER_BYTES + 16_384 + 2_048;
/** With Ed25519, whose signatures are the same each time, so that a seed is replayed exactly. */
const tools = { crypto: nodeCrypto, entropy: new SimRandom(7_627) };
const root = CertificateAuthority.create(tools, {
  name: 'Root',
  keyType: 'Ed25519',
  ...VALIDITY,
});
const anchors = new TrustAnchors([root.certificate.raw]);
const key = nodeCrypto.generatePrivateKey('Ed25519', tools.entropy);
const credentials = {
  key,
  chain: [
    root.issue({
      names: ['example.com'],
      spki: key.spki,
      purposes: ['serverAuth', 'clientAuth'],
      ...VALIDITY,
    }),
  ],
};

const ROUNDS_MAX = 60;
const WRITES_MAX = 6;

export interface HostileTlsTally extends HostileTally {
  rewritten: number;
  opened: number;
  /** How sessions ended, by alert or another reason. */
  readonly ends: Map<string, number>;
}

/** Byte `index` of what an end writes. */
const byteAt = (index: number, isServer: boolean): number =>
  (index * 7 + (index >> 8) + (isServer ? 101 : 3)) & 255;

class WatchedEnd {
  readonly end: TestEnd;
  private readonly isServer: boolean;
  private writtenBytes = 0;
  private receivedBytes = 0;

  constructor(end: TestEnd, isServer: boolean, peer: () => WatchedEnd) {
    this.end = end;
    this.isServer = isServer;
    end.received = (bytes) => {
      assert.equal(end.failure, null, 'data after a failure');
      assert.notEqual(end.session, null, 'data before the handshake is complete');
      for (const byte of bytes) {
        assert.equal(byte, byteAt(this.receivedBytes++, !isServer), 'data that nobody wrote');
      }
      assert(this.receivedBytes <= peer().writtenBytes, 'more data than was written');
    };
  }

  hasAllOf(peer: WatchedEnd): boolean {
    return this.receivedBytes === peer.writtenBytes;
  }

  /** Something that an application or the engine does by itself. */
  act(random: SimRandom): void {
    const { engine } = this.end;
    if (!engine.isWritable) return;
    const choice = random.below(12);
    if (choice === 0) engine.close();
    else if (choice === 1 && this.end.session?.version === 'TLS 1.3') engine.isKeyUpdateDue = true;
    else {
      const count = random.pick([0, 1, 100, 20_000]);
      const bytes = new Uint8Array(count);
      for (let i = 0; i < count; i++) bytes[i] = byteAt(this.writtenBytes + i, this.isServer);
      this.writtenBytes += count;
      this.end.write(bytes);
    }
  }

  /** In pieces, in memory that is overwritten afterwards. */
  receive(bytes: Uint8Array, random: SimRandom): void {
    const { engine } = this.end;
    for (let at = 0; at < bytes.length; ) {
      const count = random.chance(0.7) ? bytes.length : 1 + random.below(40);
      const piece = bytes.slice(at, at + count);
      engine.receive(piece);
      piece.fill(0xa5);
      engine.checkInvariants();
      assert(engine.reader.waitingBytes <= HELD_BYTES_MAX, 'too much is held');
      at += count;
    }
  }
}

/** Somebody between two ends, one way. */
class Hostile {
  rewritten = 0;
  private readonly random: SimRandom;
  private readonly share: number;
  private readonly seen: Uint8Array[] = [];
  private late: Uint8Array | null = null;

  constructor(random: SimRandom, share: number) {
    this.random = random;
    this.share = share;
  }

  pass(bytes: Uint8Array): Uint8Array {
    const out: Uint8Array[] = [];
    for (const record of splitRecords(bytes)) {
      if (this.seen.length < 8) this.seen.push(record);
      const isLeft = !this.random.chance(this.share);
      out.push(...(isLeft ? [record] : this.rewrite(record)));
      if (this.late !== null && isLeft) {
        out.push(this.late);
        this.late = null;
      }
    }
    return new Uint8Array(Buffer.concat(out));
  }

  private rewrite(record: Uint8Array): readonly Uint8Array[] {
    const { random } = this;
    this.rewritten += 1;
    const b = record.slice();
    const at = random.below(b.length);
    switch (random.below(13)) {
      case 0:
        b[at] = b[at]! ^ (1 << random.below(8));
        return [b];
      case 1:
        return [];
      case 2:
        return [b, b];
      case 3:
        this.late = b;
        return [];
      case 4:
        return [b.subarray(0, at)];
      case 5:
        return [b, bytesOf(random, random.below(40))];
      case 6:
        b[0] = random.pick([20, 21, 22, 23, 24, 0]);
        return [b];
      case 7:
        b[3] = random.pick([0, 0x3f, 0x40, 0x48, 0xff]);
        return [b];
      case 8:
        return [random.pick(this.seen), b];
      case 9:
        return split(b, random);
      case 10:
        return [recordOf(random.pick([20, 21, 22, 23]), bytesOf(random, random.below(60))), b];
      case 11: {
        // A message that says to be longer than it is, or may be.
        const length = random.pick([0, 1, 0xff]);
        const header = Uint8Array.of(random.pick([1, 2, 11, 20]), length, 0xff, 0xff);
        return [recordOf(22, header), b];
      }
      default:
        return [recordOf(random.pick([20, 22, 23]), new Uint8Array(0)), b];
    }
  }
}

/** A record in two: within its rights while it isn't protected. */
function split(record: Uint8Array, random: SimRandom): Uint8Array[] {
  const content = record.subarray(RECORD_HEADER_BYTES);
  const at = random.below(content.length + 1);
  return [recordOf(record[0]!, content.slice(0, at)), recordOf(record[0]!, content.slice(at))];
}

function optionsOf(random: SimRandom, common: PairOptions): PairOptions {
  const asks = random.chance(0.3);
  return {
    ...common,
    server: {
      ...common.server,
      versions: random.chance(0.5) ? ['TLS 1.2'] : ['TLS 1.3', 'TLS 1.2'],
      groups: random.pick([['x25519'], ['secp256r1'], ['secp384r1']]),
      clientAuth: asks ? random.pick(['optional', 'required'] as const) : 'none',
      clientAnchors: anchors,
      credentials: () => ({ ...credentials, ocsp: Uint8Array.of(48, 0) }),
      recordSizeLimit: random.pick([64, 1_000, 16_385]),
      alpn: ['http/1.1'],
    },
    client: {
      ...common.client,
      anchors,
      credentials: random.chance(0.8) ? credentials : null,
      recordSizeLimit: random.pick([64, 1_000, 16_385]),
      alpn: random.chance(0.5) ? ['http/1.1'] : [],
    },
  };
}

function runSession(random: SimRandom, common: PairOptions, tally: HostileTlsTally): void {
  const options = optionsOf(random, common);
  const pair = new TestPair(options);
  const client: WatchedEnd = new WatchedEnd(pair.client, false, () => server);
  const server: WatchedEnd = new WatchedEnd(pair.server, true, () => client);
  const share = random.pick([0, 0.05, 0.3]);
  const up = new Hostile(random, share);
  const down = new Hostile(random, share);
  let writes = 0;
  let round = 0;
  for (; round < ROUNDS_MAX; round++) {
    const toServer = up.pass(pair.client.takeSent());
    const toClient = down.pass(pair.server.takeSent());
    server.receive(toServer, random);
    client.receive(toClient, random);
    if (writes++ < WRITES_MAX) {
      client.act(random);
      server.act(random);
    } else if (toServer.length === 0 && toClient.length === 0) break;
  }
  assert(round < ROUNDS_MAX, 'they never stop talking');
  const rewritten = up.rewritten + down.rewritten;
  check(pair, options, rewritten === 0);
  if (rewritten === 0 && pair.client.session !== null && pair.client.failure === null) {
    const isClosed = !pair.client.engine.isWritable || !pair.server.engine.isWritable;
    assert(isClosed || (client.hasAllOf(server) && server.hasAllOf(client)), 'lost');
  }
  for (const end of [pair.client, pair.server]) {
    end.engine.receiveEnd();
    end.engine.checkInvariants();
    const how = end.alert ?? end.failure?.kind ?? 'closed';
    tally.ends.set(how, (tally.ends.get(how) ?? 0) + 1);
    end.engine.destroy();
  }
  tally.rewritten += rewritten;
  if (pair.client.session !== null && pair.server.session !== null) tally.opened += 1;
}

/** Both agree if both are done; and they are done when nobody was in the way. */
function check(
  { client, server }: TestPair,
  { server: given }: PairOptions,
  isLeft: boolean,
): void {
  if (client.session !== null && server.session !== null) {
    const [ours, theirs] = [client.session, server.session].map(
      ({ version, suite, group, alpn, resumed }) => ({ version, suite, group, alpn, resumed }),
    );
    assert.deepEqual(ours, theirs, 'both think something else was agreed');
    const best = given?.versions?.[0];
    assert.equal(client.session.version, best, 'an older version than both have');
    return;
  }
  if (!isLeft) return;
  const alert = given?.versions?.[0] === 'TLS 1.2' ? 'handshake_failure' : 'certificate_required';
  assert.equal(server.alert, `sent ${alert}`, 'no handshake, though nobody was in the way');
}

/** Runs `sessions` from `seed`; throws whatever an engine throws, and what isn't as it must be. */
export function runHostileTls(
  seed: number,
  sessions: number,
  crypto: CryptoPrimitives = quickCrypto,
): HostileTlsTally {
  const random = new SimRandom(seed);
  const env = { ...makeEnvironment(crypto), entropy: random };
  const tally: HostileTlsTally = { rewritten: 0, opened: 0, ends: new Map() };
  const common: PairOptions = {
    env,
    server: {
      tickets: random.chance(0.7) ? new TicketKeys(crypto, random, env.timers.now) : null,
      sessions: random.chance(0.7) ? new ServerSessions(random, 8) : null,
    },
    client: { sessions: random.chance(0.7) ? new SessionCache(8) : null },
  };
  for (let i = 0; i < sessions; i++) runSession(random, common, tally);
  return tally;
}

/** Primitives that take a record whatever its tag: what is here must find that. */
export const carelessCrypto: CryptoPrimitives = {
  ...quickCrypto,
  aead(name, key) {
    const aead = quickCrypto.aead(name, key);
    return {
      seal: (...given) => aead.seal(...given),
      open: (...given) => aead.open(...given) || given[4] >= 16,
      destroy: () => aead.destroy(),
    };
  },
};
