/**
 * Histories that are cut while hosts share them: names stay, what is common is found as long as it
 * is there, and what was removed doesn't come back, beside a model that keeps every word for ever.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkRepository, MemoryBackend, type ObjectId } from '#git';
import { nodeCrypto } from '#targets/node/crypto';
import { reachable } from './reachable.ts';
import { ArpHost, Hosts, ip } from './test-hosts.ts';

const LIFE = 60;

/** A host that gives the memory of what is cut off back at once, or seldom. */
class Cutting extends ArpHost {
  cuts = 0;
  constructor(net: Hosts, number: number, commitsKept: number, collectsEach: number) {
    const backend = new MemoryBackend();
    const collect = async () => {
      this.cuts += 1;
      if (this.cuts % collectsEach !== 0) return;
      const reached = await reachable(this.repository);
      assert(reached.ok);
      backend.keepOnly(reached.value);
    };
    super(net.world, number, { commitsKept, collect }, backend);
    net.hosts.push(this);
  }

  async check(): Promise<void> {
    const report = await checkRepository(this.backend, { crypto: nodeCrypto });
    assert(report.ok);
    // What was cut off may lack what it comes from; nothing else may.
    const reached = await reachable(this.repository);
    assert(reached.ok, JSON.stringify(reached));
  }

  async ids(): Promise<ObjectId[]> {
    const ids: ObjectId[] = [];
    for await (const commit of this.repository.branch('main').history()) {
      assert(commit.ok);
      ids.push(commit.value.id);
    }
    return ids;
  }
}

test('cut › names stay, and whoever pulled before merges with a common ancestor', async () => {
  const net = new Hosts(0);
  const [a, b] = [new Cutting(net, 1, 10, 1), new Cutting(net, 2, 100, 1)];
  for (const { arp } of [a, b]) assert((await arp.start()).ok);
  for (let i = 0; i < 18; i++) {
    assert(a.arp.setStatic(`10.0.1.${i}`, '02:00:00:00:00:01'));
    await net.pass(0.1);
  }
  assert((await b.arp.pull(a.remote)).ok);
  const before = await a.ids();
  assert.equal(a.cuts, 0);
  assert(a.arp.setStatic('10.0.1.18', '02:00:00:00:00:01'));
  await net.pass(0.1);
  assert.equal(a.cuts, 1);
  const after = await a.ids();
  assert.equal(after.length, 10);
  assert.deepEqual(after.slice(1), before.slice(0, 9));
  assert((await b.arp.pull(a.remote)).ok);
  const common = await b.repository.branch('main').commonAncestors(after[0]!);
  assert.deepEqual(common, { ok: true, value: [after[0]] });
  // B comes from before the cut, whose older half it still has, and nothing ends early there.
  assert((await b.ids()).length > 20);
  assert.deepEqual(await b.backend.listShallow!(), { ok: true, value: new Set() });
  assert((await a.arp.pull(b.remote)).ok);
  assert.equal(await a.committed(), await b.committed());
  for (const host of [a, b]) await host.check();
});

test('both cut since they met › merged without a base: what was removed stays away', async () => {
  const net = new Hosts(0);
  const [a, b] = [new Cutting(net, 1, 4, 1), new Cutting(net, 2, 4, 1)];
  for (const { arp } of [a, b]) assert((await arp.start()).ok);
  const learn = (host: ArpHost, address: string, last: number) => {
    const { table } = host.arp.policy;
    const until = (net.world.timers.now + LIFE * 1e6) as typeof net.world.timers.now;
    table.learned(ip(address), Uint8Array.of(2, 0, 0, 0, 0, last), 'answer', until);
  };
  learn(a, '10.0.0.50', 1);
  assert(a.arp.setStatic('10.0.0.60', '02:00:00:00:00:60'));
  await net.pass(1);
  assert((await b.arp.pull(a.remote)).ok);
  assert.deepEqual(b.known(), ['10.0.0.50', '10.0.0.60']);
  assert(a.arp.remove('10.0.0.50') && a.arp.remove('10.0.0.60'));
  for (let i = 0; i < 12; i++) {
    for (const host of [a, b]) learn(host, `10.0.0.${10 + host.cuts}`, i + 2);
    await net.pass(1);
  }
  assert(a.cuts >= 1 && b.cuts >= 1);
  const head = await b.repository.headOf('main');
  assert(head.ok && head.value !== null);
  for (const [one, other] of [
    [b, a],
    [a, b],
  ] as const) {
    assert((await one.arp.pull(other.remote)).ok);
    assert(!one.known().some((address) => address.endsWith('50') || address.endsWith('60')));
    await one.check();
  }
  assert.equal(await a.committed(), await b.committed());
});

/** What was said of an address, and until when it counts. */
interface Word {
  readonly address: string;
  readonly mac: string | null;
  readonly end: number;
}

test('any hosts that learn, remove, pull and are cut, then all from all › as the model', async () => {
  const step = fc.record({
    what: fc.constantFrom('learn', 'learn', 'remove', 'pull', 'pull', 'fix', 'unfix', 'pass'),
    host: fc.nat(9),
    other: fc.nat(9),
    address: fc.integer({ min: 50, max: 53 }),
  } as const);
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 2, max: 4 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 3 }),
      fc.array(step, { minLength: 10, maxLength: 60 }),
      async (count, kept, collectsEach, steps) => {
        const net = new Hosts(0);
        const hosts = Array.from(
          { length: count },
          (_, i) => new Cutting(net, i + 1, kept, collectsEach),
        );
        for (const { arp } of hosts) assert((await arp.start()).ok);
        const words: Set<Word>[] = hosts.map(() => new Set());
        const fixed: { set: ReadonlySet<number>; at: number }[][] = hosts.map(() =>
          hosts.map(() => ({ set: new Set(), at: 0 })),
        );
        const now = () => net.world.timers.now / 1e6;
        let said = 0;
        const last = (i: number, address: string): Word | undefined =>
          [...words[i]!]
            .filter((word) => word.address === address)
            .sort((x, y) => y.end - x.end)[0];
        const pull = async (i: number, j: number): Promise<void> => {
          const pulled = await hosts[i]!.arp.pull(hosts[j]!.remote);
          assert(pulled.ok, JSON.stringify(pulled));
          for (const word of words[j]!) words[i]!.add(word);
          for (const [k, theirs] of fixed[j]!.entries()) {
            if (theirs.at > fixed[i]![k]!.at) fixed[i]![k] = theirs;
          }
        };
        for (const { what, host, other, address: number } of steps) {
          // So that no two words are of the same second.
          await net.pass(1);
          said += 1;
          const [i, j] = [host % count, other % count];
          const { arp } = hosts[i]!;
          const address = `10.0.0.${number}`;
          const known = last(i, address);
          const isKnown = known !== undefined && known.mac !== null && known.end > now();
          if (what === 'pass') await net.pass(7);
          if (what === 'pull' && i !== j) await pull(i, j);
          if (what === 'learn') {
            const mac = `02:00:00:00:00:${String(said).padStart(2, '0')}`;
            const until = net.world.timers.now + LIFE * 1e6;
            const bytes = Uint8Array.of(2, 0, 0, 0, 0, Number.parseInt(mac.slice(-2), 16));
            arp.policy.table.learned(ip(address), bytes, 'answer', until as never);
            words[i]!.add({ address, mac, end: now() + LIFE });
          }
          if (what === 'remove') {
            assert.equal(arp.remove(address), isKnown, `${address} on ${i}`);
            if (isKnown) words[i]!.add({ address, mac: null, end: now() + LIFE });
          }
          if (what === 'fix' || what === 'unfix') {
            const set = new Set(fixed[i]![i]!.set);
            const at = `10.9.${i}.${number}`;
            if (what === 'fix') assert(arp.setStatic(at, '02:00:00:00:00:77'));
            else assert.equal(arp.remove(at), set.has(number));
            if (what === 'fix') set.add(number);
            else set.delete(number);
            fixed[i]![i] = { set, at: said };
          }
          await arp.history.settled();
        }
        for (let round = 0; round < 2; round++) {
          for (const i of hosts.keys()) {
            for (const j of hosts.keys()) if (i !== j) await pull(i, j);
          }
        }
        const model = new Map<string, string>();
        for (const address of ['10.0.0.50', '10.0.0.51', '10.0.0.52', '10.0.0.53']) {
          const word = last(0, address);
          if (word !== undefined && word.mac !== null && word.end > now()) {
            model.set(address, word.mac);
          }
        }
        for (const [k, { set }] of fixed[0]!.entries()) {
          for (const number of set) model.set(`10.9.${k}.${number}`, '02:00:00:00:00:77');
        }
        for (const one of hosts) {
          await one.arp.history.settled();
          assert.deepEqual(new Map(one.arp.neighbors()), model);
          assert.equal(await one.committed(), await hosts[0]!.committed());
          assert((await one.log()).length < 2 * kept + count + 2);
          await one.check();
        }
      },
    ),
    { numRuns: 8 },
  );
});
