/** Clients and a server in virtual time, on channels that are cut at random: they converge. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BODY_QUEUE_BYTES_BROKEN,
  CHANNEL_QUEUE_BYTES_MAX,
  NAME_LETTERS_MAX,
  PIECE_BYTES_MAX,
  PIECE_COST_BYTES,
  TEXT_LETTERS_MAX,
  WHY_LETTERS_MAX,
} from './limits.ts';
import { BodyQueue, type SyncChannel, type SyncChannelHandler } from './sync-link.ts';
import { formatSyncMessage, parseSyncMessage, type SyncMessage } from './sync-message.ts';
import { add, countsOf, headOf, Network, type TestClient } from './test-network.ts';

const inSync =
  (...clients: readonly TestClient[]) =>
  (): boolean =>
    clients.every(({ client }) => client.state === 'in sync');

test('two clients › what one commits is at the other, without being asked', async () => {
  const net = new Network(1);
  const [a, b] = [net.client(net.repository()), net.client(net.repository())];
  await net.until(inSync(a, b));
  assert.equal(await headOf(a.repository), null);
  await add(a.repository, 'x', 1);
  await net.until(() => inSync(a, b)() && b.client.counters.merged === 1, 1);
  assert.deepEqual(await countsOf(b.repository), { x: 1 });
  const rounds = [a, b].map(({ client }) => client.counters.rounds);
  await net.pass(1e6);
  assert.deepEqual(
    [a, b].map(({ client }) => client.counters.rounds),
    rounds,
    'and then it is quiet',
  );
  a.client.stop();
  b.client.stop();
  assert.equal(net.server.counters.asks > 0, true);
});

test('both change while cut off › merged when they are back, each increment once', async () => {
  const net = new Network(2);
  const [a, b] = [net.client(net.repository()), net.client(net.repository())];
  await add(a.repository, 'x', 1);
  await net.until(inSync(a, b));
  net.isDown = true;
  net.cutSome(1);
  await net.until(() => a.client.state === 'offline' && b.client.state === 'offline');
  for (let i = 0; i < 5; i++) {
    await add(a.repository, 'x', 1);
    await add(b.repository, 'x', 10);
    await add(b.repository, `b${i}`, 1);
  }
  net.isDown = false;
  await net.until(
    () => inSync(a, b)() && a.client.counters.connections > 1 && b.client.counters.connections > 1,
  );
  const expected = { b0: 1, b1: 1, b2: 1, b3: 1, b4: 1, x: 56 };
  await net.until(() => inSync(a, b)(), 5);
  assert.deepEqual(await countsOf(a.repository), expected);
  assert.deepEqual(await countsOf(b.repository), expected);
  assert.equal(await headOf(a.repository), await headOf(b.repository));
  for (const { client } of [a, b]) client.stop();
});

for (const seed of [1, 2]) {
  test(`replicas, random edits, random cuts, seed ${seed} › all the same, every increment exact`, async () => {
    const net = new Network(seed);
    const clients = Array.from({ length: 4 }, () => net.client(net.repository()));
    const sums: Record<string, number> = {};
    for (let step = 0; step < 20; step++) {
      const { repository } = clients[net.random.below(4)]!;
      const name = `n${net.random.below(3)}`;
      await add(repository, name, step);
      sums[name] = (sums[name] ?? 0) + step;
      await net.pass(net.random.below(20_000));
      if (net.random.below(3) === 0) net.cutSome(0.5);
    }
    await net.until(inSync(...clients));
    for (let i = 0; i < 3; i++) await net.until(inSync(...clients));
    const heads = new Set(await Promise.all(clients.map(({ repository }) => headOf(repository))));
    assert.equal(heads.size, 1);
    for (const { repository } of clients) assert.deepEqual(await countsOf(repository), sums);
    assert.equal(net.server.counters.broken, 0);
    for (const { client } of clients) client.stop();
    await net.until(() => net.server.counters.channels === 0, 5);
  });
}

test('another protocol, hash or schema › refused with a sentence, and not tried again', async () => {
  const net = new Network(3);
  const a = net.client(net.repository(), { schema: 'counts 2' });
  await net.until(() => a.client.state === 'refused');
  assert.deepEqual(a.whys, ['schema counts 2: this server has counts 1']);
  await net.pass(60e6);
  assert.equal(a.client.counters.connections, 1);
  for (const [hello, why] of [
    [{ protocol: 2, hash: 'SHA-1', schema: 'counts 1' }, 'protocol 2: this server speaks 1'],
    [{ protocol: 1, hash: 'SHA-256', schema: 'counts 1' }, 'hash SHA-256: this server has SHA-1'],
  ] as const) {
    const peer = hostile(net);
    peer.channel.send(formatSyncMessage({ say: 'hello', ...hello }));
    await net.until(() => peer.closes.length > 0);
    assert.deepEqual(peer.heard, [JSON.stringify({ say: 'refused', why })]);
    assert.deepEqual(peer.closes, [`4001 ${why}`]);
  }
});

test('a server that takes no pushes, or refuses ours › refused, and our commits stay', async () => {
  const net = new Network(4, { push: { accept: () => 'not on Sundays' } });
  const repository = net.repository();
  await add(repository, 'x', 1);
  const a = net.client(repository);
  await net.until(() => a.client.state === 'refused');
  assert.match(a.whys.join(), /not on Sundays/);
  assert.deepEqual(await countsOf(repository), { x: 1 });
});

test('what does not merge › conflict, nothing pushed; mended here › in sync', async () => {
  const net = new Network(5);
  const a = net.client(net.repository());
  await add(a.repository, 'x', 1);
  await net.until(inSync(a));
  a.client.stop();
  const [other, mine] = [net.repository(net.backend), net.repository()];
  const set = (where: typeof other, bytes: string) =>
    where.branch('main').withTree([], (tree) => tree.patch(['note'], note(bytes)));
  assert((await set(other, 'theirs')).ok);
  assert((await set(mine, 'ours')).ok);
  const b = net.client(mine);
  await net.until(() => b.client.state === 'conflict');
  assert.match(b.whys.join(), /conflict/);
  const before = await headOf(other);
  await net.pass(30e6);
  assert.equal(await headOf(other), before);
  assert((await set(mine, 'theirs')).ok);
  await net.until(inSync(b));
  assert.deepEqual(await countsOf(b.repository), { x: 1 });
  b.client.stop();
});

const note = (text: string) => ({ mode: 0o100644 as const, bytes: Buffer.from(text) });

/** A client that says what a test says. */
function hostile(net: Network) {
  const [channel, server] = net.connect();
  const heard: (string | Uint8Array)[] = [];
  const closes: string[] = [];
  const handler: SyncChannelHandler = {
    message: (message) => heard.push(message),
    drained() {},
    closed: (code, reason) => closes.push(`${code} ${reason}`),
  };
  channel.attach(handler);
  net.server.accept(server, 'hostile');
  return { channel, heard, closes };
}

const HELLO = formatSyncMessage({ say: 'hello', protocol: 1, hash: 'SHA-1', schema: 'counts 1' });
const ASK = formatSyncMessage({
  say: 'ask',
  what: 'call',
  service: 'git-upload-pack',
  version: 2,
});
const HOSTILE: readonly [string, readonly (string | Uint8Array)[], string][] = [
  ['no hello', [ASK], '4002 no hello'],
  ['nonsense', ['{'], '4002 no message of this protocol'],
  ['a long text', ['x'.repeat(TEXT_LETTERS_MAX + 1)], '4002 no message of this protocol'],
  ['bytes of nothing', [HELLO, new Uint8Array(3)], '4002 bytes that belong to nothing'],
  ['the end of nothing', [HELLO, '{"say":"end"}'], '4002 the end of nothing'],
  ['two hellos', [HELLO, HELLO], '4002 hello from a client'],
  ['what servers say', [HELLO, '{"say":"moved"}'], '4002 moved from a client'],
  ['two questions', [HELLO, ASK, ASK], '4002 two questions at once'],
];
for (const [what, messages, close] of HOSTILE) {
  test(`hostile › ${what} › cut off, and counted`, async () => {
    const net = new Network(6);
    const peer = hostile(net);
    for (const message of messages) peer.channel.send(message);
    await net.until(() => peer.closes.length > 0);
    assert.deepEqual(peer.closes, [close]);
    assert.equal(net.server.counters.channels, 0);
    assert.equal(net.server.counters.broken, 1);
  });
}

test('hostile › silence › refused after three seconds', async () => {
  const net = new Network(7);
  const peer = hostile(net);
  await net.until(() => peer.closes.length > 0);
  assert.deepEqual(peer.closes, ['4001 no hello came']);
  assert.equal(Math.round(net.timers.now / 1e6), 3);
});

test('as many channels as may be › taken; one more › 1013, and taken when one has ended', async () => {
  const net = new Network(17, { channelsMax: 2 });
  const [first, second] = [hostile(net), hostile(net)];
  first.channel.send(HELLO);
  second.channel.send(HELLO);
  await net.pass(10_000);
  const third = net.client(net.repository());
  await net.pass(10_000);
  assert.equal(net.server.counters.channels, 2);
  assert.equal(net.server.counters.full, 1);
  assert.deepEqual([first.closes, second.closes], [[], []]);
  first.channel.close();
  await net.until(inSync(third), 60);
  third.client.stop();
});

test('a peer that reads nothing › little waits for it, and it is cut off after 30 s', async () => {
  const net = new Network(18);
  const closes: string[] = [];
  let handler: SyncChannelHandler | null = null;
  const channel = {
    queuedBytes: 0,
    attach: (own: SyncChannelHandler) => {
      handler = own;
    },
    send: (message: string | Uint8Array) => {
      channel.queuedBytes += message.length;
    },
    close: (code: number, reason: string) => void closes.push(`${code} ${reason}`),
    pause() {},
    resume() {},
  };
  const upload = net.server.upload as { serve: (typeof net.server.upload)['serve'] };
  let made = 0;
  upload.serve = async function* () {
    for (; made < 1_000; made++) yield new Uint8Array(PIECE_BYTES_MAX / 4);
  };
  net.server.accept(channel as unknown as SyncChannel, 'slow');
  for (const message of [HELLO, ASK, '{"say":"end"}']) handler!.message(message);
  await net.pass(30e6 - 1_000);
  assert.deepEqual(closes, []);
  assert(channel.queuedBytes <= CHANNEL_QUEUE_BYTES_MAX + PIECE_BYTES_MAX);
  assert(made < 10, `${made} pieces were made`);
  await net.pass(1_000);
  assert.deepEqual(closes, ['1013 you do not read']);
  assert.equal(net.server.counters.stalled, 1);
  assert.equal(net.server.counters.channels, 0);
});

test('hostile › a question that is no Git › an answer that says so, and the next one is answered', async () => {
  const net = new Network(8);
  const peer = hostile(net);
  for (const message of [
    HELLO,
    ASK,
    Buffer.from('zzzz'),
    new Uint8Array(PIECE_BYTES_MAX),
    '{"say":"end"}',
  ]) {
    peer.channel.send(message);
  }
  await net.until(() => peer.heard.includes('{"say":"end"}'));
  assert.match(Buffer.from(peer.heard[1] as Uint8Array).toString(), /^....ERR /);
  peer.heard.length = 0;
  peer.channel.send(ASK.replace('call', 'discover'));
  await net.until(() => peer.heard.includes('{"say":"end"}'));
  assert.match(Buffer.from(peer.heard[0] as Uint8Array).toString(), /version 2/);
});

test('a server that says nonsense › a client goes on trying, later and later', async () => {
  const net = new Network(9);
  let connections = 0;
  const a = net.client(net.repository(), {
    connect: async () => {
      connections += 1;
      const [client, server] = net.connect();
      server.attach({ message: () => server.send('{"say":"bread"}'), drained() {}, closed() {} });
      return client;
    },
  });
  await net.until(() => connections === 5, 60);
  assert(net.timers.now > 3e6, `${net.timers.now}`);
  a.client.stop();
  assert.equal(a.states.includes('in sync'), false);
});

test('a connection that throws, a server that says anything › a client goes on trying', async () => {
  const net = new Network(10);
  const words = [
    '{"say":"end"}',
    '{"say":"moved"}',
    '{"say":"failed","why":"x"}',
    HELLO,
    ASK,
    '{}',
  ];
  let tries = 0;
  const a = net.client(net.repository(), {
    connect: async () => {
      tries += 1;
      if (tries === 1) throw new Error('no network');
      if (tries > 40) return null;
      const [client, server] = net.connect();
      const say = (): void => {
        const what = net.random.below(words.length + 3);
        if (what < words.length) server.send(words[what]!);
        else
          server.send(
            Uint8Array.from({ length: 1 + net.random.below(40) }, () => net.random.below(256)),
          );
      };
      server.attach({ message: say, drained() {}, closed() {} });
      server.send(HELLO);
      for (let i = 0; i < 3; i++) say();
      return client;
    },
  });
  await net.until(() => tries > 40, 3_600);
  a.client.stop();
  assert.equal(await headOf(a.repository), null);
});

test('a server that falls silent › connected anew, in the middle of a round and after it', async () => {
  const net = new Network(11);
  const a = net.client(net.repository());
  await net.until(inSync(a));
  const mute = (): void => {
    for (const channel of net.channels) channel.pause();
  };
  mute();
  await add(a.repository, 'x', 1);
  await net.until(() => a.client.counters.connections === 2 && inSync(a)(), 40);
  assert.deepEqual(await countsOf(net.repository(net.backend)), { x: 1 });
  mute();
  await net.until(() => a.client.counters.connections === 3 && inSync(a)(), 100);
  a.client.stop();
});

test('edits while offline › no more tries than without', async () => {
  const net = new Network(12);
  net.isDown = true;
  const a = net.client(net.repository());
  for (let i = 0; i < 30; i++) {
    await add(a.repository, 'x', 1);
    await net.pass(1e6);
  }
  await net.pass(60e6);
  net.isDown = false;
  await net.until(inSync(a), 60);
  assert.equal(a.client.counters.connections, 1);
  assert.deepEqual(await countsOf(net.repository(net.backend)), { x: 30 });
  a.client.stop();
});

test('a server that packs and unpacks › waits for a turn of the loop in between', async () => {
  const net = new Network(1);
  for (const { options } of [net.server.upload, net.server.receive!]) {
    let isOver = false;
    const over = options.turn!().then(() => {
      isOver = true;
    });
    await Promise.resolve();
    assert.equal(isOver, false);
    net.timers.run(net.timers.now);
    await over;
  }
});

test('messages › read as they were written; others are none', () => {
  const messages: SyncMessage[] = [
    { say: 'hello', protocol: 1, hash: 'SHA-1', schema: 's' },
    { say: 'refused', why: 'so' },
    { say: 'ask', what: 'call', service: 'git-receive-pack', version: 0 },
    { say: 'end' },
    { say: 'failed', why: '' },
    { say: 'moved' },
  ];
  for (const message of messages)
    assert.deepEqual(parseSyncMessage(formatSyncMessage(message)), message);
  for (const text of [
    '',
    'null',
    '[]',
    '{}',
    '{"say":1}',
    '{"say":"hello"}',
    '{"say":"refused"}',
    '1e999',
  ]) {
    assert.equal(parseSyncMessage(text), null, text);
  }
});

test('messages › at each bound read, one letter more none; ours are cut to it', () => {
  const end = '{"say":"end"}';
  assert.deepEqual(parseSyncMessage(end.padEnd(TEXT_LETTERS_MAX)), { say: 'end' });
  assert.equal(parseSyncMessage(end.padEnd(TEXT_LETTERS_MAX + 1)), null);
  const hello = (letters: number): SyncMessage => {
    return { say: 'hello', protocol: 1, hash: 'SHA-1', schema: 's'.repeat(letters) };
  };
  const failed = (letters: number): SyncMessage => ({ say: 'failed', why: 'w'.repeat(letters) });
  for (const [message, max] of [
    [hello, NAME_LETTERS_MAX],
    [failed, WHY_LETTERS_MAX],
  ] as const) {
    assert.deepEqual(parseSyncMessage(JSON.stringify(message(max))), message(max));
    assert.equal(parseSyncMessage(JSON.stringify(message(max + 1))), null);
    assert.deepEqual(parseSyncMessage(formatSyncMessage(message(max + 1))), message(max));
  }
});

test('a peer that can’t be held back › as much as may wait, then broken', () => {
  const channel = { pause() {}, resume() {} } as unknown as SyncChannel;
  const whole = new Uint8Array(BODY_QUEUE_BYTES_BROKEN / 4 - PIECE_COST_BYTES);
  const body = new BodyQueue(channel);
  for (let i = 0; i < 4; i++) assert(body.push(whole), 'at the bound');
  assert(!body.push(new Uint8Array(0)), 'one past it');
});

test('a body byte by byte, and nobody reads › the peer is held back after some thousand', async () => {
  const calls: string[] = [];
  const channel = {
    pause: () => calls.push('pause'),
    resume: () => calls.push('resume'),
  } as unknown as SyncChannel;
  const body = new BodyQueue(channel);
  let count = 0;
  for (; calls.length === 0 && count < 200_000; count++) assert(body.push(Uint8Array.of(1)));
  assert(count > 5_000 && count < 10_000, `${count} pieces`);
  body.finish(null);
  let left = count;
  for await (const piece of body) left -= piece.length;
  assert.equal(left, 0);
  assert.deepEqual(calls, ['pause', 'resume']);
});
