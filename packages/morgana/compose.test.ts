import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineCompose, type NetworkSpec, type UnikernelSpec } from './compose.ts';
import {
  COMPOSE_MILLIS_MAX,
  COMPOSE_NETWORKS_MAX,
  COMPOSE_UNIKERNELS_MAX,
} from './compose-limits.ts';

/** As a file without types has it. */
const define = (
  unikernels: Record<string, unknown>,
  networks: Record<string, unknown> = {},
  name = 'shop',
): ReturnType<typeof defineCompose> =>
  defineCompose({
    name,
    networks: networks as Record<string, NetworkSpec>,
    unikernels: unikernels as Record<string, UnikernelSpec>,
  });

test('defaults › filled in; a file without networks has one, on which all are', () => {
  const config = defineCompose({
    name: 'shop',
    unikernels: { web: { app: './web.ts', args: { port: 8_080 } } },
  });
  assert.deepEqual(config, {
    name: 'shop',
    networks: { default: {} },
    order: ['web'],
    unikernels: {
      web: {
        app: './web.ts',
        target: 'pvh',
        networks: ['default'],
        args: { port: 8_080 },
        publish: [],
        memoryMib: 16,
        disks: {},
        after: {},
        restart: 'no',
      },
    },
  });
});

test('order › behind those that it starts after, else that of the file', () => {
  const { order } = define({
    web: { app: 'a', after: { db: 'started', cache: 'started' } },
    cache: { app: 'a', after: { db: 'started' } },
    log: { app: 'a' },
    db: { app: 'a' },
  });
  assert.deepEqual(order, ['db', 'cache', 'web', 'log']);
});

test('types › names of networks and unikernels must exist', () => {
  const app = './a';
  assert.throws(() =>
    defineCompose({
      name: 'shop',
      networks: { lab: {} },
      // @ts-expect-error: there is no network 'lap'.
      unikernels: { a: { app, networks: ['lap'] } },
    }),
  );
  assert.throws(() =>
    defineCompose({
      name: 'shop',
      // @ts-expect-error: there is no unikernel 'bb'.
      unikernels: { a: { app, after: { bb: 'started' } }, b: { app } },
    }),
  );
  assert.throws(() =>
    defineCompose({
      name: 'shop',
      // @ts-expect-error: misspelt.
      unikernels: { a: { app, adress: '10.0.0.3' } },
    }),
  );
  defineCompose({
    name: 'shop',
    networks: { lab: {}, dmz: {} },
    unikernels: {
      a: { app, networks: ['lab', 'dmz'], after: { b: 'started' } },
      b: { app, networks: ['dmz'] },
    },
  });
});

const app = './a';
const lab = { subnet: '10.77.0.0/24' };
const health = { tcp: 80 };

const MISTAKES: readonly [Record<string, unknown>, Record<string, unknown>, string][] = [
  [{}, {}, 'unikernels: there is none'],
  [{ Web: { app } }, {}, "unikernels.Web: 'Web' is no name: it must be lower-case letters"],
  [{ 'a-': { app } }, {}, "unikernels.a-: 'a-' is no name"],
  [{ ['x'.repeat(59)]: { app } }, {}, `unikernels.${'x'.repeat(59)}: 'shop-`],
  [{ gateway: { app } }, {}, 'unikernels.gateway: every network calls another so'],
  [{ a: './a' }, {}, 'unikernels.a: must be an object'],
  [{ a: {} }, {}, 'unikernels.a.app: must name a directory or a module'],
  [{ a: { app, adress: '' } }, {}, "unikernels.a: there is no 'adress', only app, target,"],
  [{ a: { app, target: 'xen' } }, {}, "unikernels.a.target: 'xen' is none of pvh, process, node"],
  [{ a: { app, restart: 'yes' } }, {}, "unikernels.a.restart: 'yes' is none of no, on-failure"],
  [{ a: { app, memoryMib: 2 } }, {}, 'unikernels.a.memoryMib: 2 is not an integer from 3 to 4096'],
  [{ a: { app, memoryMib: 4_097 } }, {}, 'unikernels.a.memoryMib: 4097 is not'],
  [{ a: { app, memoryMib: 16.5 } }, {}, 'unikernels.a.memoryMib: 16.5 is not'],
  [{ a: { app, args: [] } }, {}, 'unikernels.a.args: must be an object'],
  [{ a: { app, args: { x: {} } } }, {}, 'unikernels.a.args.x: must be a text, a number or'],
  [{ a: { app, publish: '80' } }, {}, 'unikernels.a.publish: must be an array of texts'],
  [{ a: { app, publish: [80] } }, {}, "unikernels.a.publish[0]: '80' is no text"],
  [{ a: { app } }, { x: {}, y: {} }, 'unikernels.a.networks: must say on which of x, y it is'],
  [{ a: { app, networks: ['z'] } }, { x: {} }, "a.networks[0]: there is no network 'z'"],
  [{ a: { app, networks: ['x', 'x'] } }, { x: {} }, "a.networks[1]: 'x' is named twice"],
  [{ a: { app, networks: [], publish: ['1:1'] } }, {}, 'a.publish: it is on no network'],
  [{ a: { app, networks: [], health } }, {}, 'a.health: it is on no network'],
  [{ a: { app, health } }, { x: { gateway: 'off' } }, "a.health: network 'x' has no gateway"],
  [{ a: { app, publish: ['1:1'] } }, { x: { gateway: 'off' } }, "publish: network 'x' has no"],
  [{ a: { app, address: '10.0.0' } }, { lab }, "unikernels.a.address: '10.0.0' is no IPv4"],
  [{ a: { app, address: '10.0.0.3' } }, { x: {} }, 'address: its network must say its subnet'],
  [{ a: { app, address: '10.76.0.3' } }, { lab }, '10.76.0.3 is not in its network, 10.77.0.0'],
  [{ a: { app, address: '10.77.0.2' } }, { lab }, "10.77.0.2 is the network's own"],
  [{ a: { app, address: '10.77.0.255' } }, { lab }, "10.77.0.255 is the network's own"],
  [{ a: { app, address: '10.77.0.3', networks: [] } }, { lab }, 'address: it is on no network'],
  [{ a: { app, address: '10.77.0.3' } }, { x: { gateway: 'off' } }, 'which gives it: use args'],
  [{ a: { app, mac: '01:00:00:00:00:01' } }, { lab }, 'is no address of a station'],
  [{ a: { app, mac: '02:00:00:00:00:01', networks: [] } }, { lab }, 'mac: it is on no network'],
  [{ a: { app, health: null } }, {}, 'unikernels.a.health: null is no value: leave it out'],
  [{ a: { app, health: 'http' } }, {}, 'unikernels.a.health: must be an object'],
  [{ a: { app, publish: null } }, {}, 'unikernels.a.publish: null is no value: leave it out'],
  [{ a: { app, disks: 'd' } }, {}, 'unikernels.a.disks: must be an object'],
  [{ a: null }, {}, 'unikernels.a: must be an object'],
  [{ a: { app, health: {} } }, {}, 'unikernels.a.health: must have one of http, tcp, log'],
  [{ a: { app, health: { tcp: 1, log: /x/ } } }, {}, 'health: must have one of http, tcp, log'],
  [{ a: { app, health: { tcp: 0 } } }, {}, 'unikernels.a.health.tcp: 0 is not an integer'],
  [{ a: { app, health: { tcp: 1, port: 2 } } }, {}, 'unikernels.a.health.port: goes with http'],
  [{ a: { app, health: { http: 'ready' } } }, {}, "health.http: 'ready' is no path, as /ready"],
  [{ a: { app, health: { http: '/a\r\nb' } } }, {}, 'is no path'],
  [{ a: { app, health: { log: 'x' } } }, {}, 'health.log: must be a regular expression'],
  [{ a: { app, health: { tcp: 1, every: 5 } } }, {}, "health: there is no 'every', only http"],
  [{ a: { app, health: { tcp: 1, timeoutMs: 0 } } }, {}, 'health.timeoutMs: 0 is not an integer'],
  [{ a: { app, after: 'b' } }, {}, 'unikernels.a.after: must be an object'],
  [{ a: { app, after: { b: 'started' } } }, {}, "unikernels.a.after.b: there is no unikernel 'b'"],
  [{ a: { app, after: { b: 'up' } }, b: { app } }, {}, "a.after.b: 'up' is none of started,"],
  [{ a: { app, after: { b: 'healthy' } }, b: { app } }, {}, "'b' has no health to wait for"],
  [{ a: { app, after: { a: 'started' } } }, {}, 'unikernels.a.after: a circle: a after a'],
  [{ a: { app } }, { x: { subnet: '10.0.0.0' } }, "networks.x.subnet: '10.0.0.0' is not a priv"],
  [{ a: { app } }, { x: { subnet: '10.0.0.1/24' } }, "'10.0.0.1/24' is not a private network"],
  [{ a: { app } }, { x: { subnet: '10.0.0.0/28' } }, "'10.0.0.0/28' is not a private network"],
  [{ a: { app } }, { x: { subnet: '8.8.0.0/16' } }, "'8.8.0.0/16' is not a private network"],
  [{ a: { app } }, { x: { subnet: '172.32.0.0/16' } }, "'172.32.0.0/16' is not a private network"],
  [{ a: { app } }, { x: { host: true, gateway: 'off' } }, 'host: has no meaning without a gat'],
  [{ a: { app } }, { x: { host: 'yes' } }, "networks.x.host: 'yes' is none of true, false"],
  [{ a: { app } }, { x: { ...lab, gateway: 'off' } }, 'subnet: has no meaning without a gateway'],
  [{ a: { app } }, { x: { gateway: 'no' } }, "networks.x.gateway: 'no' is none of on, off"],
  [{ a: { app } }, { x: { loss: 1.1 } }, 'networks.x.loss: 1.1 is not a number from 0 to 1'],
  [{ a: { app } }, { x: { delayMs: 60_001 } }, 'delayMs: 60001 is not a number from 0 to 60000'],
  [{ a: { app } }, { x: { delayMs: -1 } }, 'networks.x.delayMs: -1 is not a number from 0 to'],
  [{ a: { app } }, { x: { rate: 1 } }, "networks.x: there is no 'rate', only subnet, gateway"],
];

for (const [unikernels, networks, message] of MISTAKES) {
  test(`a mistake › ${message}`, () => {
    assert.throws(
      () => define(unikernels, networks),
      (error) => error instanceof TypeError && error.message.includes(message),
    );
  });
}

test('what is no project › one sentence', () => {
  const all = [null, undefined, 7, 'shop'] as unknown as Parameters<typeof defineCompose>[0][];
  for (const value of all) {
    assert.throws(() => defineCompose(value), /^TypeError: defineCompose: must be an object/);
  }
  const odd = { name: 'shop', network: {}, unikernels: { a: { app } } };
  assert.throws(() => defineCompose(odd), /^TypeError: defineCompose: there is no 'network', only/);
  const none = { name: 'shop' } as unknown as typeof odd;
  assert.throws(() => defineCompose(none), /^TypeError: unikernels: must be an object/);
});

test('undefined › as if it were not there', () => {
  const spec = { app, target: undefined, networks: undefined, restart: undefined };
  const { a } = define({ a: spec }).unikernels;
  assert.deepEqual([a!.target, a!.networks, a!.restart], ['pvh', ['default'], 'no']);
});

test('a circle › told as a chain', () => {
  const circle = {
    a: { app, after: { b: 'started' } },
    b: { app, after: { c: 'started' } },
    c: { app, after: { b: 'started' } },
  };
  assert.throws(
    () => define(circle),
    /^TypeError: unikernels\.c\.after: a circle: b after c after b/,
  );
});

test('one address for two › refused on one network, not on two', () => {
  const address = '10.77.0.3';
  const two = { a: { app, address }, b: { app, address } };
  assert.throws(() => define(two, { lab }), /b\.address: 10\.77\.0\.3 is that of 'a' already/);
  const on = (name: string) => ({ app, address, networks: [name] });
  define({ a: on('x'), b: on('y') }, { x: lab, y: lab });
  const mac = '02:00:00:00:00:01';
  const macs = { a: { app, mac, networks: ['x'] }, b: { app, mac, networks: ['y'] } };
  assert.throws(() => define(macs, { x: {}, y: {} }), /b\.mac: .* is that of 'a' already/);
});

test("the project's name › checked", () => {
  for (const name of ['', 'Shop', '-a', 'a-', 'a b', 'a'.repeat(64)]) {
    assert.throws(() => define({ a: { app } }, {}, name), /^TypeError: name: '/, name);
  }
  assert.throws(() => define({ ab: { app } }, { n: {} }, 'a'.repeat(61)), /63 are the most/);
  assert.equal(define({ a: { app } }, { n: {} }, 'a'.repeat(61)).name.length, 61);
});

test('bounds › taken at the bound, refused one past it', () => {
  const many = (prefix: string, count: number, value: object): Record<string, object> =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`${prefix}${i}`, value]));
  const [one, networks] = [{ app, networks: [] }, COMPOSE_NETWORKS_MAX];
  assert.equal(define(many('u', COMPOSE_UNIKERNELS_MAX, one)).order.length, COMPOSE_UNIKERNELS_MAX);
  assert.throws(() => define(many('u', COMPOSE_UNIKERNELS_MAX + 1, one)), /65 are too many, 64/);
  define({ a: one }, many('n', networks, {}));
  assert.throws(() => define({ a: one }, many('n', networks + 1, {})), /17 are too many, 16/);
  const wait = (ms: number) => ({ a: { app, health: { tcp: 1, startPeriodMs: ms } } });
  define(wait(COMPOSE_MILLIS_MAX));
  assert.throws(() => define(wait(COMPOSE_MILLIS_MAX + 1)), /startPeriodMs: 3600001 is not/);
});
