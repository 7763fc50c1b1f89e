/** Whole stacks in virtual time: what is committed, and why; what hosts learn from each other. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { err, type Result } from '#core';
import { type BackendError, MemoryBackend, nameObject } from '#git';
import { formatIpv4Address, ipv4AddressOf } from '#net';
import { nodeCrypto } from '#targets/node/crypto';
import { pulledChangesMax, recordsMax } from './limits.ts';
import { reachable } from './reachable.ts';
import { encodeRecord } from './record.ts';
import { ArpHost, Hosts, ip } from './test-hosts.ts';

const EVIL = Uint8Array.of(2, 0, 0, 0, 0, 0x66);
const [A, B, C] = ['10.0.0.1', '10.0.0.2', '10.0.0.3'] as const;

test('created › one commit, an empty table; created again on it › the same', async () => {
  const { world, hosts } = await Hosts.started(1);
  const [a] = hosts as [ArpHost];
  assert.deepEqual(await a.log(), ['begin: an empty cache']);
  const again = new ArpHost(world, 9, {}, a.backend);
  assert((await again.arp.start()).ok);
  assert.deepEqual(await again.log(), ['begin: an empty cache']);
  assert.deepEqual(again.known(), []);
});

test('asked, answered, silent for a minute › three commits that say why, no branch left', async () => {
  const net = await Hosts.started(2);
  const [a, b] = net.hosts as [ArpHost, ArpHost];
  await net.pass(3);
  a.send(B);
  await net.pass(1);
  assert.deepEqual([a.known(), b.known()], [[B], [A]]);
  await net.pass(62);
  assert.deepEqual([a.known(), b.known()], [[], []]);
  assert.deepEqual(await a.log(), [
    `expire ${B}`,
    `learn ${B} is 52:54:00:00:00:02: it answered our question`,
    'begin: an empty cache',
  ]);
  assert.equal((await b.log())[1], `learn ${A} is 52:54:00:00:00:01: it asked for us`);
  const branches = await a.repository.branches();
  assert(branches.ok);
  assert.deepEqual(branches.value, ['main']);
});

test('nobody says anything › no commit in six virtual hours, and no timer', async () => {
  const net = await Hosts.started(3);
  const [a] = net.hosts as [ArpHost];
  assert(a.arp.setStatic(B, '52:54:00:00:00:02'));
  await net.pass(100);
  const before = await Promise.all(net.hosts.map((host) => host.repository.headOf('main')));
  await net.pass(6 * 3_600);
  const after = await Promise.all(net.hosts.map((host) => host.repository.headOf('main')));
  assert.deepEqual(after, before);
  assert.equal(net.world.timers.size, 0);
});

test('one pair talks for twenty minutes › commits by the life of the entry, not by the packet', async () => {
  const net = await Hosts.started(2);
  const [a] = net.hosts as [ArpHost];
  await net.pass(3);
  for (let i = 0; i < 1_200; i += 10) {
    a.send(B);
    await net.pass(10);
  }
  const log = await a.log();
  assert.deepEqual(a.known(), [B]);
  assert(log.length <= 2 + 1_200 / 45, `${log.length}`);
  assert.equal(log[0], `refresh ${B}`);
});

test('static › answers without a question; removed by command › asked for', async () => {
  const net = await Hosts.started(2);
  const [a] = net.hosts as [ArpHost];
  assert(a.arp.setStatic('10.0.0.77', '02:00:00:00:00:77'));
  for (const [address, mac] of [
    ['10.0.0.77', '03:00:00:00:00:77'],
    ['10.0.0.77', 'ff:ff:ff:ff:ff:ff'],
    ['10.0.0.77', '02:00:00:00:00'],
    ['10.0.0', '02:00:00:00:00:77'],
  ] as const) {
    assert(!a.arp.setStatic(address, mac), `${address} ${mac}`);
  }
  await net.pass(300);
  const sent = a.host.net.counters().ipv4Queued;
  a.send('10.0.0.77');
  assert.equal(a.host.net.counters().ipv4Queued, sent, 'nothing waits');
  assert(a.arp.remove('10.0.0.77'));
  assert(!a.arp.remove('10.0.0.77'));
  a.send('10.0.0.77');
  assert.equal(a.host.net.counters().ipv4Queued, Number(sent) + 1);
  await net.pass(10);
  assert.deepEqual((await a.log()).slice(0, 2), [
    'remove 10.0.0.77: by command',
    'set 10.0.0.77 is 02:00:00:00:00:77: static, by command',
  ]);
});

test('unasked replies and announcements › not believed, unless it is asked for', async () => {
  for (const believesUnasked of [false, true]) {
    const net = await Hosts.started(2, { believesUnasked });
    const [a, b] = net.hosts as [ArpHost, ArpHost];
    await net.pass(3);
    b.forge(2, '10.0.0.50', EVIL, A);
    b.forge(1, '10.0.0.51', EVIL, '10.0.0.51');
    b.forge(2, '10.0.0.52', Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff), A);
    b.forge(2, '10.0.0.53', Uint8Array.of(1, 0, 0x5e, 0, 0, 5), A);
    await net.pass(1);
    // Who believes has heard the others announce themselves, too.
    const forged = a.known().filter((address) => address.startsWith('10.0.0.5'));
    assert.deepEqual(forged, believesUnasked ? ['10.0.0.50', '10.0.0.51'] : []);
  }
});

test('another says our address › noted with who it was, once, defended, never learned', async () => {
  const net = await Hosts.started(2);
  const [a, b] = net.hosts as [ArpHost, ArpHost];
  await net.pass(3);
  for (let i = 0; i < 5; i++) b.forge(2, A, EVIL, B);
  await net.pass(1);
  assert.deepEqual(await a.log(), [
    `note a conflict: 02:00:00:00:00:66 says that it is ${A}, ours`,
    'begin: an empty cache',
  ]);
  assert.equal(a.host.net.counters().arpConflicts, 5);
  const note = a.arp.records().get(`conflicts/${A}`);
  assert.equal(note?.mac, '02:00:00:00:00:66');
});

test('seeded from another › its neighbours answer without a packet', async () => {
  const net = await Hosts.started(2);
  const [a] = net.hosts as [ArpHost];
  await net.pass(3);
  a.send(B);
  await net.pass(1);
  const late = new ArpHost(net.world, 3);
  assert((await late.arp.start([a.remote])).ok);
  assert.deepEqual(late.known(), [B]);
  late.send(B);
  assert.equal(late.host.net.counters().ipv4Queued, 0);
  assert.deepEqual(await late.log(), [
    'merge what host-1 knows',
    'begin: an empty cache',
    `learn ${B} is 52:54:00:00:00:02: it answered our question`,
    'begin: an empty cache',
  ]);
});

test('a seed that is no store of neighbours, or fails › refused, and ours as it was', async () => {
  const { hosts } = await Hosts.started(3);
  const [a, b, c] = hosts as [ArpHost, ArpHost, ArpHost];
  const nonsense = Buffer.from('mac what\n');
  await b.repository.branch('main').set(['neighbors', '10.0.0.9'], nonsense);
  await c.repository.branch('main').set(['readme'], Buffer.from('hello'));
  const [one, two] = [await a.arp.pull(b.remote), await a.arp.pull(c.remote)];
  assert(!one.ok && !two.ok);
  assert.match(one.error, /^host-2: neighbors\/10\.0\.0\.9 isn't neighbor: malformed/);
  assert.equal(two.error, "host-3: readme is no neighbour's");
  const failing = { ...b.remote, fetch: async () => err('no way there') };
  const three = await a.arp.pull(failing);
  assert.deepEqual(three, err('host-2: no way there'));
  assert.deepEqual(await a.log(), ['begin: an empty cache']);
  assert.deepEqual([a.arp.counters().pullFailures, a.arp.counters().storeFailures], [3, 0]);
  assert.equal(a.lines.filter((line) => line.includes('not pulled from host-2')).length, 2);
  assert.deepEqual(await a.arp.pull(failing), three);
  assert.equal(a.lines.length, 3, 'the same again is not told again');
  const throwing = { ...b.remote, fetch: () => Promise.reject(new Error('no such thing')) };
  assert.deepEqual(await a.arp.pull(throwing), err('Error: no such thing'));
  assert((await a.arp.pull(a.remote)).ok, 'and what comes next is done');
});

test('a peer’s directories that hold each other many times › refused at the first', async () => {
  const { hosts } = await Hosts.started(2);
  const [a, b] = hosts as [ArpHost, ArpHost];
  for (const { backend } of [a, b]) {
    let count = 0;
    const reads = backend.readObject.bind(backend);
    backend.readObject = async (id) => {
      count++;
      assert(count < 10_000, 'it unfolds');
      return reads(id);
    };
  }
  for (const top of ['neighbors', 'readme']) {
    let { id } = nameObject(nodeCrypto, 'SHA-1', 'tree', new Uint8Array(0));
    await b.writeTree([], 'tree', id);
    for (let depth = 0; depth < 20; depth++) {
      const names = depth === 19 ? [top] : ['10.0.0.8', '10.0.0.9'];
      id = await b.writeTree(names, 'tree', id);
    }
    await b.commitTree(id);
    const pulled = await a.arp.pull(b.remote);
    const what = top === 'readme' ? top : `${top}/10.0.0.8`;
    assert.deepEqual(pulled, err(`host-2: ${what} is no neighbour's`));
    // Somebody pushed it to that one's own branch.
    await b.arp.history.settled();
    assert(b.lines.some((line) => line.includes(`${what} is no neighbour's`)));
  }
});

test('a store with nonsense in it › does not start', async () => {
  const { world, hosts } = await Hosts.started(1);
  const [a] = hosts as [ArpHost];
  await a.repository.branch('main').set(['neighbors', B], Buffer.from('nonsense'));
  const again = new ArpHost(world, 9, {}, a.backend);
  assert(!(await again.arp.start()).ok);
});

test('pushed › the other knows at once, and its stack asks nobody; behind › merged first', async () => {
  const net = await Hosts.started(3);
  const [a, b, c] = net.hosts as [ArpHost, ArpHost, ArpHost];
  await net.pass(3);
  a.send(C);
  b.send(C);
  await net.pass(1);
  assert((await a.arp.push(b.remote)).ok);
  await net.pass(0.1);
  assert.deepEqual(b.known(), [C]);
  assert((await c.arp.push(a.remote)).ok);
  await net.pass(0.1);
  assert.deepEqual(a.known(), [B, C], 'and not itself');
  assert.deepEqual([...a.arp.records().keys()].length, 3);
  a.send(B);
  assert.equal(a.host.net.counters().ipv4Queued, 1, 'only the question for the third');
  const head = await a.repository.headOf('main');
  assert((await a.arp.push(c.remote)).ok);
  assert.deepEqual(await c.repository.headOf('main'), head);
});

/** What everybody should know: of each address the record that ends last. */
test('any hosts that learn, expire and pull, then all from all › the same tables', async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('send' as const), from: fc.nat(9), to: fc.nat(9) }),
    fc.record({ do: fc.constant('pull' as const), from: fc.nat(9), to: fc.nat(9) }),
    fc.record({ do: fc.constant('set' as const), from: fc.nat(9), to: fc.nat(9) }),
    fc.record({ do: fc.constant('pass' as const), from: fc.nat(30), to: fc.nat(9) }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 2, max: 10 }),
      fc.array(step, { maxLength: 25 }),
      async (count, steps) => {
        const net = await Hosts.started(count);
        await net.pass(3);
        for (const { do: what, from, to } of steps) {
          if (what === 'pass') await net.pass(from);
          const [one, other] = [net.hosts[from % count]!, net.hosts[to % count]!];
          if (one === other) continue;
          if (what === 'send') one.send(other.address);
          if (what === 'set')
            one.arp.setStatic(`10.0.0.${100 + to}`, `02:00:00:00:0${from % 10}:01`);
          if (what === 'pull') assert((await one.arp.pull(other.remote)).ok);
        }
        await net.pass(0.5);
        for (let round = 0; round < 2; round++) {
          for (const one of net.hosts) {
            for (const other of net.hosts)
              if (one !== other) assert((await one.arp.pull(other.remote)).ok);
          }
        }
        for (const host of net.hosts) await host.arp.history.settled();
        const tables = new Set(await Promise.all(net.hosts.map((host) => host.committed())));
        assert.equal(tables.size, 1);
      },
    ),
    { numRuns: 6 },
  );
});

test('a poisoned entry › is in one commit, of the host that believed it', async () => {
  const net = await Hosts.started(3, { believesUnasked: true });
  const [a, b, c] = net.hosts as [ArpHost, ArpHost, ArpHost];
  await net.pass(5);
  b.forge(2, '10.0.0.77', EVIL, A);
  await net.pass(1);
  for (const other of [a, b]) assert((await c.arp.pull(other.remote)).ok);
  const commits: string[] = [];
  for await (const commit of c.repository.branch('main').history()) {
    assert(commit.ok);
    if (commit.value.message.includes('02:00:00:00:00:66')) {
      commits.push(`${commit.value.author.name}: ${commit.value.message}`);
    }
  }
  assert.deepEqual(
    commits.map((text) => text.split('\n')[0]),
    [
      'host-3: learn 10.0.0.77 is 02:00:00:00:00:66: it said so, unasked',
      'host-1: learn 10.0.0.77 is 02:00:00:00:00:66: it said so, unasked',
    ],
  );
  assert.match(
    commits[1]!,
    /\n\nStation: 02:.*:66\nInterface: 52:54:00:00:00:01\nUptime: 5\.\d+ s\n$/,
  );
});

/** Fails while told to. */
class Flaky extends MemoryBackend {
  isDown = false;
  override async writeObjects(
    ...args: Parameters<MemoryBackend['writeObjects']>
  ): Promise<Result<void, BackendError>> {
    return this.isDown ? err({ kind: 'device', what: 'it is down' }) : super.writeObjects(...args);
  }
}

test('the store fails › ARP goes on, what was learned is committed when it works again', async () => {
  const net = await Hosts.started(2);
  const backend = new Flaky();
  const late = new ArpHost(net.world, 3, {}, backend);
  net.hosts.push(late);
  assert((await late.arp.start()).ok);
  backend.isDown = true;
  await net.pass(3);
  late.send(A);
  await net.pass(20);
  late.send(A);
  assert.deepEqual(late.known(), [A]);
  assert.equal(late.host.net.counters().ipv4Queued, 1);
  const failures = Number(late.arp.counters().storeFailures);
  assert(failures >= 4, `${failures} ${late.lines.join()}`);
  backend.isDown = false;
  await net.pass(60);
  await late.arp.history.settled();
  assert.equal(
    (await late.log()).at(-2),
    `learn ${A} is 52:54:00:00:00:01: it answered our question`,
  );
});

test('a flood of claims to our address’s neighbours › few commits, bounded history', async () => {
  const net = await Hosts.started(2, { commitsKept: 50 });
  const [a, b] = net.hosts as [ArpHost, ArpHost];
  await net.pass(3);
  for (let i = 0; i < 800; i++) {
    b.forge(1, `10.0.0.${10 + (i % 200)}`, Uint8Array.of(2, 0, 0, 0, i >> 8, i & 255), A);
    if (i % 200 === 199) await net.pass(1);
  }
  await net.pass(130);
  const log = await a.log();
  assert(log.length < 100, `${log.length} commits`);
  assert(Number(a.arp.counters().changesCoalesced) > 0);
  assert.deepEqual(a.known(), []);
});

test('history at twice its bound › the newest half stays, whole; pulls still merge', async () => {
  const net = await Hosts.started(2, { commitsKept: 10 });
  const [a, b] = net.hosts as [ArpHost, ArpHost];
  assert((await b.arp.pull(a.remote)).ok);
  for (let i = 0; i < 18; i++) {
    assert(a.arp.setStatic(`10.0.1.${i}`, '02:00:00:00:00:01'));
    await net.pass(0.1);
  }
  assert.equal((await a.log()).length, 19);
  assert.equal(a.arp.counters().historyCuts, 0);
  const before = await a.committed();
  assert(a.arp.setStatic('10.0.1.18', '02:00:00:00:00:01'));
  await net.pass(0.1);
  const log = await a.log();
  assert.deepEqual([log.length, a.arp.counters().historyCuts], [10, 1]);
  assert.equal(log[0], 'set 10.0.1.18 is 02:00:00:00:00:01: static, by command');
  assert.notEqual(await a.committed(), before);
  assert((await b.arp.pull(a.remote)).ok);
  assert.equal(await b.committed(), await a.committed());
  assert.equal(b.known().length, 19);
});

test('ten times the history that is kept › memory stays what two of them take', async () => {
  const net = new Hosts(0);
  const backend = new MemoryBackend();
  const host: ArpHost = new ArpHost(
    net.world,
    1,
    {
      commitsKept: 20,
      collect: async () => {
        const reached = await reachable(host.repository);
        assert(reached.ok);
        backend.keepOnly(reached.value);
      },
    },
    backend,
  );
  net.hosts.push(host);
  assert((await host.arp.start()).ok);
  let most = 0;
  for (let i = 0; i < 200; i++) {
    assert(host.arp.setStatic('10.0.1.1', `02:00:00:00:00:${10 + (i % 90)}`));
    await net.pass(0.1);
    if (i === 45) most = backend.objectBytes;
  }
  assert(Number(host.arp.counters().historyCuts) >= 8);
  assert(backend.objectBytes < 2 * most, `${backend.objectBytes}, ${most} at first`);
  assert.equal((await host.log())[0], 'set 10.0.1.1 is 02:00:00:00:00:29: static, by command');
});

test('our addresses change › each is announced at once, the table stays, the old one is no longer ours', async () => {
  const net = await Hosts.started(2);
  const [a, b] = net.hosts as [ArpHost, ArpHost];
  await net.pass(3);
  a.send(B);
  await net.pass(1);
  const before = a.host.net.counters().arpAnnouncements;
  const none = { gateway: null, dnsServers: [], domain: null, mtuBytes: null };
  const addresses = ['10.0.0.21', '10.0.0.22'].map((text) => ({
    address: ip(text),
    prefixBits: 24,
  }));
  a.host.net.configure({ addresses, ...none });
  await net.pass(0.1);
  assert.equal(a.host.net.counters().arpAnnouncements, Number(before) + 2);
  assert.deepEqual(a.known(), [B]);
  a.send(B);
  assert.equal(a.host.net.counters().ipv4Queued, 1, 'the first question only');
  b.forge(2, A, EVIL, B);
  b.forge(2, '10.0.0.22', EVIL, B);
  await net.pass(0.1);
  assert.deepEqual([...a.arp.records().keys()], [`neighbors/${B}`, 'conflicts/10.0.0.22']);
});

test('garbage for ARP, in whole frames › dropped and counted, nothing learned or committed', async () => {
  const net = await Hosts.started(2, { believesUnasked: true });
  const [a, b] = net.hosts as [ArpHost, ArpHost];
  await net.pass(5);
  const [head, known] = [await a.repository.headOf('main'), a.known()];
  for (let i = 0; i < 200; i++) {
    const payload = Uint8Array.from({ length: 20 + (i % 40) }, () => net.world.random.below(256));
    b.sendFrame(a.mac, payload);
    if (i % 20 === 0) await net.pass(0.01);
  }
  await net.pass(0.1);
  assert.deepEqual([await a.repository.headOf('main'), a.known()], [head, known]);
  assert.equal(Number(a.host.net.counters().arpMalformed), 200);
});

test('a pulled table as different as may be › taken as far as there is room; one more › refused', async () => {
  const { hosts } = await Hosts.started(2);
  const [a, b] = hosts as [ArpHost, ArpHost];
  const record = encodeRecord({
    mac: '02:00:00:00:00:01',
    expires: 1_999_999_999,
    reason: 'answer',
    host: 'b',
  });
  const blob = nameObject(nodeCrypto, 'SHA-1', 'blob', record);
  assert((await b.backend.writeObjects([blob])).ok);
  const addresses = Array.from({ length: pulledChangesMax + 1 }, (_, i) =>
    formatIpv4Address(ipv4AddressOf(ip('10.1.0.0') + i)),
  );
  const neighbors = await b.writeTree(addresses, 'blob', blob.id);
  await b.commitTree(await b.writeTree(['neighbors'], 'tree', neighbors));
  const refused = await a.arp.pull(b.remote);
  assert.deepEqual(refused, err(`host-2: it differs in more than ${pulledChangesMax} records`));
  await b.repository.branch('main').remove(['neighbors', '10.1.0.0']);
  assert((await a.arp.pull(b.remote)).ok);
  await a.arp.history.settled();
  assert.equal(a.arp.records().size, recordsMax);
  assert.deepEqual(a.known(), [], 'none of them is on its link');
  assert.equal((await a.committed()).split('\n').length, recordsMax);
});
