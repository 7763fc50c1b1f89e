import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arg, defineUnikernel, disk, kv, net, store, tls } from './config.ts';
import { deviceOrder } from './devices.ts';

const define = (config: Partial<Parameters<typeof defineUnikernel>[0]>): unknown =>
  defineUnikernel({ name: 'site', main: './main.ts', ...config });

test('names, devices and arguments are kept', () => {
  const stack = net.stack();
  const config = defineUnikernel({
    name: 'site-2',
    main: './main.ts',
    devices: { stack },
    args: { port: arg.port({ default: 80, doc: '' }) },
  });
  assert.equal(config.devices.stack, stack);
  assert.equal(config.args.port.default, 80);
  assert.deepEqual(define({}), { name: 'site', main: './main.ts', devices: {}, args: {} });
});

test('two stores on one disk › refused; on two, and in memory › kept', () => {
  const data = disk();
  const both = { data, a: store.on(data), b: store.on(data) };
  assert.throws(() => define({ devices: both }), /stores 'a' and 'b' are both on disk 'data'/);
  const other = disk();
  const apart = { data, other, a: store.on(data), b: store.on(other), c: store.memory() };
  const nodes = deviceOrder(defineUnikernel({ name: 's', main: 'm', devices: apart }).devices);
  assert.deepEqual(
    nodes.map(({ kind }) => kind),
    ['disk', 'disk', 'store.block', 'store.block', 'store.memory'],
  );
});

test('a bad name › refused', () => {
  for (const name of ['', 'Site', 'a b', '-a', 'a'.repeat(64)]) {
    assert.throws(() => define({ name }), /lower-case letters/, name);
  }
});

test('reserved and malformed names › refused', () => {
  assert.throws(() => define({ devices: { args: net.stack() } }), /'args' is reserved/);
  assert.throws(() => define({ args: { ipv4: arg.string({ doc: '' }) } }), /'ipv4' is reserved/);
  assert.throws(() => define({ args: { ipv6: arg.string({ doc: '' }) } }), /'ipv6' is reserved/);
  assert.throws(() => define({ args: { 'a b': arg.string({ doc: '' }) } }), /letters, digits/);
});

test('an interface with two owners › refused', () => {
  const two = { a: net.stack(), b: net.stack() };
  assert.throws(() => define({ devices: two }), /'a' and 'b' both use Ethernet interface 0/);
  const wire = net.ethernet();
  assert.throws(() => define({ devices: { wire, stack: net.stack(wire) } }), /both use/);
  const raw = { wire: net.ethernet({ index: 1 }), stack: net.stack() };
  assert.doesNotThrow(() => define({ devices: raw }));
});

test('one device under two names › refused', () => {
  const site = kv.directory('./a');
  assert.throws(() => define({ devices: { a: site, b: site } }), /two names/);
});

test('tls.acme › whom to trust must be said, and there is one server', () => {
  const stack = net.stack();
  const devices = { stack, tls: tls.acme(stack) };
  assert.throws(() => define({ devices }), /tls\.acme needs to know whom to trust/);
  assert.doesNotThrow(() => define({ devices, ca: 'system' }));
  const two = { ...devices, other: tls.server() };
  assert.throws(() => define({ devices: two, ca: 'system' }), /one tls.server has all/);
  assert.throws(() => define({ args: { 'acme-names': arg.string({ doc: '' }) } }), /is reserved/);
});

test('static ARP entries › as an argument has them; what no neighbour can be › refused', () => {
  const fixed = { '10.0.0.3': '52:54:00:00:00:03', '10.0.0.4': '52:54:00:00:00:04' };
  const [node] = deviceOrder({ arp: net.versionedArp({ static: fixed }) });
  assert.equal(node?.options.static, '10.0.0.3=52:54:00:00:00:03,10.0.0.4=52:54:00:00:00:04');
  for (const wrong of [{ '10.0.0': '52:54:00:00:00:03' }, { '10.0.0.3': 'ff:ff:ff:ff:ff:ff' }]) {
    assert.throws(() => net.versionedArp({ static: wrong }), /static ARP entry '10\.0\.0.*must be/);
  }
  assert.throws(() => define({ args: { arp: arg.string({ doc: '' }) } }), /is reserved/);
});

test('a declaration knows its line', () => {
  assert.match(kv.directory('./a').declaredAt ?? '', /config\.test\.ts:\d+$/);
});

test('order › what is needed stands before, once', () => {
  const wire = net.ethernet({ index: 1 });
  const order = deviceOrder({ stack: net.stack(wire), site: kv.directory('./htdocs'), wire });
  const shown = order.map(({ name, kind, needs, named }) => ({ name, kind, needs, named }));
  assert.deepEqual(shown, [
    { name: 'wire', kind: 'net.ethernet', needs: [], named: true },
    { name: 'stack', kind: 'net.stack', needs: [0], named: true },
    { name: 'site', kind: 'kv.directory', needs: [], named: true },
  ]);
});

test('order › an implied device is not named', () => {
  const [first] = deviceOrder({ stack: net.stack() });
  assert.deepEqual([first!.name, first!.named, first!.declaredAt], ['net.ethernet', false, null]);
});
