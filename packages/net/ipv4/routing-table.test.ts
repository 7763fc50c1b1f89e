import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Ipv4Address } from '../ip.ts';
import { ipv4AddressOf, netmaskOf } from '../ip-address.ts';
import { tableRoutesMax } from '../limits.ts';
import { ip } from '../test-link.ts';
import { type Ipv4RouteEntry, RoutingTable } from './routing-table.ts';

function entry(cidr: string, gateway: string | null, metric = 0): Ipv4RouteEntry {
  const [prefix = '', bits] = cidr.split('/');
  const via = gateway === null ? null : ip(gateway);
  return { prefix: ip(prefix), prefixBits: Number(bits), gateway: via, metric };
}

function tableOf(...entries: Ipv4RouteEntry[]): RoutingTable {
  const table = new RoutingTable();
  table.set(entries);
  return table;
}

test('lookup › the longest prefix, whatever the order and metric', () => {
  const table = tableOf(
    entry('0.0.0.0/0', '10.0.0.1'),
    entry('10.1.2.0/24', '10.0.0.3', 100),
    entry('10.1.0.0/16', '10.0.0.2'),
    entry('10.1.2.3/32', null),
  );
  const ways = ['8.8.8.8', '10.1.9.9', '10.1.2.9', '10.1.2.3'].map(
    (text) => table.lookup(ip(text))?.gateway ?? null,
  );
  assert.deepEqual(ways, [ip('10.0.0.1'), ip('10.0.0.2'), ip('10.0.0.3'), null]);
});

test('lookup › one prefix twice › the least metric, of equals the first', () => {
  const table = tableOf(
    entry('10.0.0.0/8', '10.0.0.1', 5),
    entry('10.0.0.0/8', '10.0.0.2', 3),
    entry('10.0.0.0/8', '10.0.0.3', 3),
  );
  assert.equal(table.lookup(ip('10.9.9.9'))?.gateway, ip('10.0.0.2'));
});

test('lookup › nothing matches › null', () => {
  assert.equal(tableOf(entry('10.0.0.0/8', null)).lookup(ip('11.0.0.1')), null);
  assert.equal(tableOf().lookup(ip('11.0.0.1')), null);
});

test('set › as many as fit; one more, bits after the prefix, a gateway that no host has › refused', () => {
  const many = Array.from({ length: tableRoutesMax + 1 }, () => entry('10.0.0.0/8', null));
  assert.equal(tableOf(...many.slice(1)).list.length, tableRoutesMax);
  assert.throws(() => tableOf(...many));
  assert.throws(() => tableOf(entry('10.0.0.1/8', null)));
  assert.throws(() => tableOf(entry('10.0.0.0/33', null)));
  assert.throws(() => tableOf(entry('10.0.0.0/8', '224.0.0.1')));
});

/** The definition, read out: every match, then the best of them. */
function naive(entries: readonly Ipv4RouteEntry[], to: Ipv4Address): Ipv4RouteEntry | null {
  let best: Ipv4RouteEntry | null = null;
  for (const it of entries) {
    const mask = netmaskOf(it.prefixBits);
    if ((it.prefix & mask) !== (to & mask)) continue;
    if (best !== null && best.prefixBits > it.prefixBits) continue;
    if (best?.prefixBits === it.prefixBits && (best.metric ?? 0) <= (it.metric ?? 0)) continue;
    best = it;
  }
  return best;
}

test('lookup › any table › what a naive search finds', () => {
  // Few addresses, so that prefixes nest and collide.
  const bits = fc.integer({ min: 0, max: 7 }).map((value) => ipv4AddressOf(value << 29));
  const any = fc
    .record({ prefix: bits, prefixBits: fc.integer({ min: 0, max: 4 }), metric: fc.nat(2) })
    .map((it) => ({
      ...it,
      prefix: ipv4AddressOf(it.prefix & netmaskOf(it.prefixBits)),
      gateway: null,
    }));
  fc.assert(
    fc.property(fc.array(any, { maxLength: 12 }), bits, (entries, to) => {
      assert.equal(tableOf(...entries).lookup(to), naive(entries, to));
    }),
    { seed: 1, numRuns: 500 },
  );
});
