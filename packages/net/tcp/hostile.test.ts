/** A peer that sends anything: no assertion of ours may fail, and the bounds hold. Seeds replay. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seqOf } from '#core';
import type { Flow } from '#device';
import { Random, THERE } from './test-link.ts';
import { Journal, PEER_ISS, Script } from './test-script.ts';

const USUAL = ['S', '.', 'P.', 'P.'];
const RARE = ['S.', 'F.', 'FP.', 'R', 'R.', 'SF.', 'FSRP.U', ''];

/** The right number mostly; else near what matters: 0, the window's edges; sometimes anything. */
function near(random: Random, right: number, points: readonly number[]): number {
  if (random.next() < 0.6) return right;
  if (random.next() < 0.05) return Math.floor(random.next() * 2 ** 32) - 2 ** 31;
  const point = points[Math.floor(random.next() * points.length)]!;
  return point + Math.floor(random.next() * 7) - 3;
}

/** The application does what applications may do, at any time. */
function disturb(random: Random, flow: Flow): void {
  const choice = random.next();
  if (choice < 0.4) flow.write(new Uint8Array(1 + Math.floor(random.next() * 4_000)));
  else if (choice < 0.5) flow.pause();
  else if (choice < 0.7) flow.resume();
  else if (choice < 0.73) flow.shutdown();
  else if (choice < 0.75) flow.abort();
}

test('any segments in any order › invariants hold, the tables stay bounded, all ends', () => {
  for (let seed = 1; seed <= 150; seed++) {
    const random = new Random(seed);
    const s = new Script({
      limits: { receiveWindowBytes: 8_192 },
      offload: { transmitChecksum: seed % 2 === 0, segmentBytesMax: seed % 4 === 0 ? 65_535 : 0 },
    });
    const flows: Flow[] = [];
    const take = (flow: Flow) => {
      const journal = new Journal();
      journal.onData = () => disturb(random, flow);
      flow.attach(journal);
      flows.push(flow);
    };
    s.stack.listen(80, take);
    s.stack.connect(THERE, 4_001, (result) => result.ok && take(result.value));
    const ourPort = s.out[0]!.repr.sourcePort;
    for (let step = 0; step < 200; step++) {
      if (random.next() < 0.05) s.ip.room = random.next() < 0.2 ? 0 : 1_000;
      const flow = flows[Math.floor(random.next() * flows.length)];
      if (flow !== undefined && random.next() < 0.2) disturb(random, flow);
      if (random.next() < 0.2) s.wait(Math.floor(random.next() ** 4 * 20e6));
      const last = s.out[s.out.length - 1]?.repr;
      const sent = last === undefined ? 0 : seqOf(last.seq - s.firstSeq) + last.payload.length;
      const wanted = last === undefined ? 0 : seqOf(last.ack - PEER_ISS);
      const sack = new Int32Array(8).map(() =>
        seqOf(s.firstSeq + near(random, sent, [0, 1, sent])),
      );
      const peerPort = random.next() < 0.7 ? 4_001 : 4_000 + Math.floor(random.next() * 9);
      const flags = random.next() < 0.9 ? USUAL : RARE;
      s.in(
        flags[Math.floor(random.next() * flags.length)]!,
        near(random, wanted, [0, 1, wanted, wanted + 1_000, wanted + 8_192]),
        near(random, sent, [0, 1, sent, sent + 1]),
        {
          payload: new Uint8Array(random.next() < 0.5 ? 0 : Math.floor(random.next() * 1_500)),
          window: Math.floor(random.next() ** 2 * 65_536),
          options: {
            mss: random.next() < 0.3 ? Math.floor(random.next() * 2_000) : 0,
            sackPermitted: random.next() < 0.5,
            sackCount: random.next() < 0.3 ? 1 + Math.floor(random.next() * 3) : 0,
            sack,
          },
          peerPort,
          ourPort: peerPort === 4_001 && random.next() < 0.8 ? ourPort : 80,
        },
      );
    }
    s.ip.room = Number.POSITIVE_INFINITY;
    for (const flow of flows) flow.abort();
    s.wait(400e6);
    assert.equal(s.count('connections'), 0, `seed ${seed}`);
    assert.equal(s.count('timeWait'), 0);
    assert.equal(s.received(), 0, `seed ${seed}`);
    assert.equal(s.timers.size, 0);
  }
});
