/** The store behind the table, where what an application brought to it fails. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ArpHost, Hosts } from './test-hosts.ts';

test('collect rejects › said, and what is learned next is committed', async () => {
  const collect = () => Promise.reject(new Error('no room'));
  const net = await Hosts.started(1, { commitsKept: 5, collect });
  const [a] = net.hosts as [ArpHost];
  for (let i = 0; i < 12; i++) {
    assert(a.arp.setStatic(`10.0.1.${i}`, '02:00:00:00:00:01'));
    await net.pass(2);
  }
  assert(a.lines.some((line) => line.includes('no room')));
  assert(Number(a.arp.counters().historyCuts) >= 1);
  const log = await a.log();
  assert.equal(log[0], 'set 10.0.1.11 is 02:00:00:00:00:01: static, by command');
});
