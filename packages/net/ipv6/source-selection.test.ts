/** RFC 6724: the examples of §10.1 and §10.2, and each rule by itself. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FOREVER, type Instant } from '#core';
import type { IpAddress } from '../ip.ts';
import { formatIpAddress, parseIpAddress } from '../ip-family.ts';
import type { OwnAddress } from './own-addresses.ts';
import { selectSource, sortDestinations } from './source-selection.ts';
import { ip6 } from './test-link.ts';

const NOW = 100 as Instant;

function own(text: string, more: Partial<OwnAddress> = {}): OwnAddress {
  return {
    address: ip6(text),
    prefixBits: 64,
    origin: 'advertised',
    attempt: 0,
    isOptimistic: false,
    preferredUntil: FOREVER,
    validUntil: FOREVER,
    ...more,
  };
}

function source(candidates: readonly OwnAddress[], destination: string): string {
  const to = ip6(destination);
  const [forward, backward] = [candidates, candidates.toReversed()].map((list) => {
    const chosen = selectSource(list, to, NOW);
    return chosen === null ? 'none' : formatIpAddress(chosen.address);
  });
  assert.equal(forward, backward, 'the order of candidates is no reason');
  return forward!;
}

const GLOBAL = own('2001:db8:1::1');
const LOCAL = own('fe80::1', { origin: 'link-local' });

const sources: readonly [string, OwnAddress[], string, string][] = [
  ['rule 1, the same', [GLOBAL, own('2001:db8:1::2')], '2001:db8:1::2', '2001:db8:1::2'],
  ['rule 2, large enough (§10.1)', [GLOBAL, LOCAL], '2001:db8:2::1', '2001:db8:1::1'],
  ['rule 2, not larger (§10.1)', [GLOBAL, LOCAL], 'fe80::9', 'fe80::1'],
  ['rule 2, groups of the link', [GLOBAL, LOCAL], 'ff02::1', 'fe80::1'],
  ['rule 2, groups of the site', [GLOBAL, LOCAL], 'ff05::1', '2001:db8:1::1'],
  [
    'rule 3, not deprecated',
    [own('2001:db8:2::9', { preferredUntil: NOW }), GLOBAL],
    '2001:db8:2::1',
    '2001:db8:1::1',
  ],
  [
    'rule 3, optimistic ones last but for those',
    [own('2001:db8:2::9', { isOptimistic: true }), own('2001:db8:1::1', { preferredUntil: NOW })],
    '2001:db8:1::2',
    '2001:db8:2::9',
  ],
  [
    'rule 6, label (§10.1)',
    [own('2002:c633:6401::1'), GLOBAL],
    '2002:c633:6401::9',
    '2002:c633:6401::1',
  ],
  ['rule 6, unique local', [GLOBAL, own('fd00::1')], 'fd00:1::1', 'fd00::1'],
  ['rule 8, longest prefix', [GLOBAL, own('2001:db8:3::1')], '2001:db8:3::9', '2001:db8:3::1'],
  ['the only one', [LOCAL], '2001:db8::1', 'fe80::1'],
  ['none', [], '2001:db8::1', 'none'],
];
for (const [name, candidates, destination, expected] of sources) {
  test(`source › ${name}`, () => assert.equal(source(candidates, destination), expected));
}

type Case = readonly [address: string, from: string | null, isDeprecated?: boolean];

function sorted(cases: readonly Case[]): string[] {
  const parse = (text: string): IpAddress => parseIpAddress(text)!;
  const list = cases.map(([address, from, isSourceDeprecated = false]) => ({
    address: parse(address),
    source: from === null ? null : parse(from),
    isSourceDeprecated,
  }));
  return sortDestinations(list).map(({ address }) => formatIpAddress(address));
}

const orders: readonly [string, Case[]][] = [
  [
    'rule 1, usable',
    [
      ['198.51.100.1', '198.51.100.9'],
      ['2001:db8::1', null],
    ],
  ],
  // §10.2.
  [
    'IPv6 before IPv4',
    [
      ['2001:db8::1', '2001:db8::2'],
      ['198.51.100.121', '198.51.100.117'],
    ],
  ],
  [
    'rule 2, IPv4 of its scope',
    [
      ['198.51.100.121', '198.51.100.117'],
      ['2001:db8:1::1', 'fe80::1'],
    ],
  ],
  [
    'rule 2, IPv4 of the link is worse',
    [
      ['2001:db8:1::1', '2001:db8:1::2'],
      ['198.51.100.121', '169.254.13.78'],
    ],
  ],
  [
    'rule 3',
    [
      ['198.51.100.1', '198.51.100.2'],
      ['2001:db8::1', '2001:db8::2', true],
    ],
  ],
  [
    'rule 5, label',
    [
      ['2002:c633:6401::1', '2002:c633:6401::2'],
      ['2001:db8:1::1', '2002:c633:6401::2'],
    ],
  ],
  [
    'rule 6, native before 6to4',
    [
      ['2001:db8:1::1', '2001:db8:1::2'],
      ['2002:c633:6401::1', '2002:c633:6401::2'],
    ],
  ],
  [
    'rule 6, loopback first',
    [
      ['::1', '::1'],
      ['2001:db8::1', '2001:db8::2'],
    ],
  ],
  [
    'rule 8, smaller scope',
    [
      ['fe80::1', 'fe80::2'],
      ['2001:db8:1::1', '2001:db8:1::2'],
    ],
  ],
  [
    'rule 9, longest prefix',
    [
      ['2001:db8:3ffe::1', '2001:db8:3f44::2'],
      ['2001:db8:1::1', '2001:db8:3f44::2'],
    ],
  ],
];
for (const [name, cases] of orders) {
  test(`destinations › ${name}`, () => {
    const expected = cases.map(([address]) => address);
    assert.deepEqual(sorted(cases), expected);
    assert.deepEqual(sorted(cases.toReversed()), expected);
  });
}

test('destinations › equals stay in order; IPv4 is never sorted by prefix', () => {
  const from = '198.51.100.9';
  const list: Case[] = [
    ['203.0.113.1', from],
    ['198.51.100.1', from],
    ['203.0.113.2', from],
  ];
  assert.deepEqual(
    sorted(list),
    list.map(([address]) => address),
  );
});
