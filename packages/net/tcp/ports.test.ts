/** Ephemeral ports: none is lost, however many connections come and go. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seqOf } from '#core';
import type { ConnectError, Flow } from '#device';
import { EPHEMERAL_PORT_FIRST, EPHEMERAL_PORT_LAST } from './limits.ts';
import { THERE } from './test-link.ts';
import { Journal, Script } from './test-script.ts';

const MILLI = 1_000;
const COUNT = EPHEMERAL_PORT_LAST - EPHEMERAL_PORT_FIRST + 1;

/** Connects to port 80; the peer answers. */
function open(s: Script): { flow: Flow; ourPort: number; iss: number } {
  let flow: Flow | null = null;
  let why: ConnectError | null = null;
  s.out = [];
  s.stack.connect(THERE, 80, (result) => {
    if (!result.ok) {
      why = result.error;
      return;
    }
    flow = result.value;
    flow.attach(new Journal());
  });
  const syn = s.out[0]?.repr;
  s.out = [];
  if (syn === undefined) assert.fail(JSON.stringify(why));
  const ourPort = syn.sourcePort;
  const iss = seqOf(syn.seq - s.firstSeq);
  s.inject('S.', 0, seqOf(iss + 1), { peerPort: 80, ourPort });
  if (flow === null) assert.fail(`${ourPort} ${iss} ${JSON.stringify(s.stack.counters())}`);
  return { flow, ourPort, iss };
}

test('70,000 connections one after the other › all open; ports and memory come back', () => {
  const s = new Script();
  const used = new Set<number>();
  for (let i = 0; i < 70_000; i++) {
    const { flow, ourPort, iss } = open(s);
    used.add(ourPort);
    flow.shutdown();
    s.stack.flush();
    // The FIN is acknowledged, and the peer's own follows: we wait, as who closes first does.
    s.inject('F.', 1, seqOf(iss + 2), { peerPort: 80, ourPort });
    s.stack.flush();
    s.out = [];
    if (i % 100 === 0) s.wait(100 * MILLI);
  }
  assert.ok(used.size > COUNT / 2, 'ports are chosen at random');
  assert.equal(s.count('connections'), 0);
  assert.ok(s.count('timeWaitEvicted') > 0);
  s.wait(20e6);
  assert.equal(s.stack.memory.usedBytes, 0);
  assert.equal(s.timers.size, 0);
});

test('connections to one peer › as many as ports, one more › open, no port', () => {
  const s = new Script({ memoryBytes: 64 * 1_048_576 });
  const used = new Set<number>();
  for (let i = 0; i < COUNT; i++) used.add(open(s).ourPort);
  assert.equal(used.size, COUNT);
  const kinds: string[] = [];
  s.stack.connect(THERE, 80, (result) => kinds.push(result.ok ? 'ok' : result.error.kind));
  assert.deepEqual(kinds, ['no port']);
  // Another port of the peer has them all again.
  s.stack.connect(THERE, 81, (result) => kinds.push(result.ok ? 'ok' : result.error.kind));
  assert.equal(s.last().destinationPort, 81);
});

test('every port waits › the SYN reuses one, with a number beyond the last, RFC 1122 §4.2.2.13', () => {
  const s = new Script({ memoryBytes: 128 * 1_048_576 });
  const last = new Map<number, number>();
  for (let i = 0; i < COUNT; i++) {
    const { flow, ourPort, iss } = open(s);
    last.set(ourPort, iss + 2);
    flow.shutdown();
    s.stack.flush();
    s.inject('F.', 1, seqOf(iss + 2), { peerPort: 80, ourPort });
    s.stack.flush();
    s.out = [];
  }
  assert.equal(s.count('timeWait'), COUNT);
  const { ourPort, iss } = open(s);
  assert.equal(iss, seqOf(last.get(ourPort)! + 0x2_0000));
  assert.equal(s.count('timeWait'), COUNT - 1);
  s.check();
});
