/** The smoke budget of whole networks, canaries that must fail, and what the parts of it do. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { after, instantOfMicros, seconds } from '#core';
import { type Ipv4Address, parseIpv4Address } from '#net';
import { SimWorld } from '#targets/sim/index';
import { drawNetwork } from './network-options.ts';
import { SimRouter } from './router.ts';
import { runSeed } from './scenario.ts';
import { StackHost } from './stack-host.ts';

const SMOKE_SEEDS = 40;
const address = (text: string): Ipv4Address => parseIpv4Address(text)!;

test(`networks 1 to ${SMOKE_SEEDS} › bad links, crashes, then healed › all is done, nothing is left`, () => {
  for (let seed = 1; seed <= SMOKE_SEEDS; seed++) {
    const { verdict, error, replay } = runSeed(seed, () => {}, 'network');
    assert.equal(verdict, 'passed', `${verdict}: ${error}\nreplay: ${replay}`);
  }
});

for (const [seed, what] of [
  [87, 'a black hole takes the full segment and not the small one after it'],
  [144, 'a black hole takes a segment that is not full, from a link with large frames'],
  [30418, 'a black hole takes all but the smallest, from a link with frames of 9,000 bytes'],
  [30463, 'a black hole takes all but the smallest, from an ordinary link'],
] as const) {
  test(`network ${seed} › ${what} › it is found`, () => {
    const { verdict, error } = runSeed(seed, () => {}, 'network');
    assert.equal(verdict, 'passed', String(error));
  });
}

test('the options of many seeds › each kind of network and trouble is among them', () => {
  const drawn = Array.from({ length: 200 }, (_, seed) => drawNetwork(seed));
  assert.ok(drawn.some(({ routers }) => routers === 0));
  assert.ok(drawn.some(({ routers, links }) => routers === 4 && links.length === 5));
  assert.ok(drawn.some(({ hosts }) => hosts.length === 20));
  assert.ok(drawn.some(({ hosts }) => hosts.some(({ crash }) => crash !== null)));
  assert.ok(drawn.some(({ blackHoles }) => blackHoles.length > 0));
  assert.ok(drawn.some(({ hosts }) => hosts.some(({ hasIpv6 }) => hasIpv6)));
  assert.ok(drawn.some(({ cuts }) => cuts.length > 1));
  assert.ok(
    drawn.some(({ links }) => links.some(({ there, back }) => there.weight !== back.weight)),
  );
});

/** A network with two routers, hosts on both segments, and work to do. */
const CROSSING_SEED = 2;

test('canary › a router that changes a byte and mends the checksum › correctness', () => {
  const report = runSeed(
    CROSSING_SEED,
    (world) => {
      world.network.tap = (frame) => {
        const isEchoReply = frame[12] === 8 && frame[23] === 1 && frame[34] === 0;
        if (!isEchoReply || frame.length < 80) return;
        // The sum of two bytes of opposite place stays the same when they change places.
        const [a, b] = [frame[70]!, frame[72]!];
        frame[70] = b;
        frame[72] = a;
      };
    },
    'network',
  );
  assert.equal(report.verdict, 'correctness');
});

test('canary › one host is cut off for good › liveness', () => {
  const report = runSeed(
    CROSSING_SEED,
    (world) => {
      const add = world.addSwitch.bind(world);
      world.addSwitch = () => {
        const network = add();
        network.heal = () => {
          network.faults.lossShare = 1;
        };
        return network;
      };
    },
    'network',
  );
  assert.equal(report.verdict, 'liveness');
});

test('the same network › twice › the same run', () => {
  const [first, second] = [runSeed(4, () => {}, 'network'), runSeed(4, () => {}, 'network')];
  assert.deepEqual(second, first);
});

/** Two hosts with a router between them; its second segment has another MTU. */
function routed(mtuBytes: number) {
  const world = new SimWorld(1);
  const near = world.addSwitch();
  const far = world.addSwitch();
  const router = new SimRouter(world, 'router');
  router.addInterface(near, address('10.0.0.254'), 24, {});
  router.addInterface(far, address('10.1.0.254'), 24, { mtuBytes });
  const a = new StackHost(world, 'a', {}, {}, near);
  const b = new StackHost(world, 'b', {}, {}, far);
  a.configure(address('10.0.0.1'), 24, address('10.0.0.254'));
  b.configure(address('10.1.0.1'), 24, address('10.1.0.254'));
  return { world, near, router, a, b };
}

test('router › a smaller MTU ahead › ICMP says so, and everything still arrives', () => {
  const { world, router, a, b } = routed(700);
  let received = 0;
  b.tcp.listen(80, (flow) => {
    flow.attach({
      data: (bytes) => {
        received += bytes.length;
      },
      drained() {},
      end: () => flow.shutdown(),
      closed() {},
    });
  });
  a.tcp.connect(address('10.1.0.1'), 80, (result) => {
    assert.ok(result.ok);
    result.value.attach({ data() {}, drained() {}, end() {}, closed() {} });
    result.value.write(new Uint8Array(100_000));
    result.value.shutdown();
  });
  world.run(instantOfMicros(60e6));
  assert.equal(received, 100_000);
  assert.ok(router.counters.errors > 0);
  assert.ok((a.tcp.counters().pathMtu ?? 0) > 0);
});

test('router › a host that is not there, a network that is not › connect says unreachable', () => {
  const { world, a } = routed(1_500);
  const kinds: string[] = [];
  for (const text of ['10.1.0.77', '10.9.0.1']) {
    a.tcp.connect(address(text), 80, (result) => kinds.push(result.ok ? 'ok' : result.error.kind));
  }
  world.run(instantOfMicros(240e6));
  assert.deepEqual(kinds.sort(), ['unreachable', 'unreachable']);
});

test('router › echo of 56 and 3,000 bytes › whole replies, from fragments too', () => {
  const { world, router } = routed(576);
  const heard: number[] = [];
  router.onEchoReply = (_from, _number, body) => heard.push(body.length);
  for (const bytes of [56, 3_000]) router.ping(address('10.1.0.1'), bytes, new Uint8Array(bytes));
  world.run(instantOfMicros(10e6));
  assert.deepEqual(heard, [56, 3_000]);
});

test('a host › crashes and boots › its peer gets a RST, and a new connection works', () => {
  const { world, a, b } = routed(1_500);
  const ends: string[] = [];
  b.run(() => {
    b.tcp.listen(80, (flow) => flow.attach({ data() {}, drained() {}, end() {}, closed() {} }));
    if (b.boots > 1) b.configure(address('10.1.0.1'), 24, address('10.1.0.254'));
  });
  let write = (): void => {};
  const connect = (): void => {
    a.tcp.connect(address('10.1.0.1'), 80, (result) => {
      assert.ok(result.ok);
      const flow = result.value;
      ends.push('open');
      flow.attach({ data() {}, drained() {}, end() {}, closed: (how) => ends.push(how) });
      write = () => flow.write(new Uint8Array(10));
    });
  };
  connect();
  world.run(instantOfMicros(5e6));
  b.crash();
  write();
  world.run(after(world.timers.now, seconds(1)));
  assert.deepEqual(ends, ['open']);
  b.boot();
  world.run(after(world.timers.now, seconds(5)));
  assert.deepEqual(ends, ['open', 'reset']);
  connect();
  world.run(after(world.timers.now, seconds(5)));
  assert.deepEqual(ends, ['open', 'reset', 'open']);
});
