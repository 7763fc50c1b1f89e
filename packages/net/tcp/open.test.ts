/**
 * Opening: RFC 9293 §3.5 and §3.10.7.1 to 3, options of RFC 6691, 7323 and 2018, and the tables'
 * bounds.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConnectError, Flow } from '#device';
import type { Ipv4Address } from '../ip.ts';
import { memoryBytesDefault } from '../limits.ts';
import { THERE } from './test-link.ts';
import { Journal, Script } from './test-script.ts';

const SECOND = 1_000_000;
const SYN = { mss: 1460, windowShift: 7, sackPermitted: true };

test('LISTEN › SYN › SYN-ACK with our options; its ACK opens', () => {
  const s = new Script();
  let flow: Flow | null = null;
  const listening = s.stack.listen(80, (accepted) => {
    flow = accepted;
    accepted.attach(s.journal);
  });
  assert.ok(listening.ok);
  s.in('S', 0, null, { options: SYN });
  const { options, window } = s.out[0]!.repr;
  assert.deepEqual([options.mss, options.windowShift, options.sackPermitted], [1460, 5, true]);
  assert.equal(window, 65_535);
  assert.deepEqual(s.sent(), ['S. 0 ack 1']);
  assert.equal(flow, null);
  s.in('.', 1, 1);
  assert.ok(flow !== null);
  assert.deepEqual((flow as Flow).remote, { address: '10.0.0.2', port: 4000 });
  assert.deepEqual((flow as Flow).local, { address: '10.0.0.1', port: 80 });
  assert.deepEqual(s.sent(), []);
});

test('SYN_RECEIVED › data with the first ACK › is delivered, RFC 9293 §3.10.7.4', () => {
  const s = new Script();
  s.stack.listen(80, (flow) => flow.attach(s.journal));
  s.in('S', 0, null);
  s.in('P.', 1, 1, { payload: 'hello' });
  assert.deepEqual(s.journal.events, ['data hello']);
});

test('SYN_RECEIVED › nothing comes › SYN-ACK again with its options after 1, 2, 4, 8 s, then gone', () => {
  const s = new Script();
  s.stack.listen(80, () => assert.fail('not opened'));
  s.in('S', 0, null, { options: SYN });
  s.out = [];
  for (const wait of [1, 2, 4, 8]) {
    s.wait(wait * SECOND - 1);
    assert.deepEqual(s.sent(), []);
    s.wait(1);
    assert.equal(s.out[0]!.repr.options.mss, 1460);
    assert.equal(s.out[0]!.repr.options.sackPermitted, true);
    assert.deepEqual(s.sent(), ['S. 0 ack 1']);
  }
  s.wait(60 * SECOND);
  assert.deepEqual(s.sent(), []);
  assert.equal(s.count('connections'), 0);
});

test('SYN_RECEIVED › the SYN again › the same SYN-ACK at once', () => {
  const s = new Script();
  s.stack.listen(80, () => {});
  s.in('S', 0, null);
  s.in('S', 0, null);
  assert.deepEqual(s.sent(), ['S. 0 ack 1', 'S. 0 ack 1']);
  assert.equal(s.count('connections'), 1);
});

test('SYN_RECEIVED › ACK of something else › RST, and the connection stays half-open', () => {
  const s = new Script();
  s.stack.listen(80, () => assert.fail('not opened'));
  s.in('S', 0, null);
  s.out = [];
  s.in('.', 1, 77);
  assert.deepEqual(s.sent(), ['R 77']);
  assert.equal(s.count('connections'), 1);
});

test('SYN_RECEIVED › RST › gone, nobody is told', () => {
  const s = new Script();
  s.stack.listen(80, () => assert.fail('not opened'));
  s.in('S', 0, null);
  s.in('R', 1, null);
  assert.equal(s.count('connections'), 0);
});

test('SYN_RECEIVED › the listener closed meanwhile › RST', () => {
  const s = new Script();
  const listening = s.stack.listen(80, () => assert.fail('not opened'));
  s.in('S', 0, null);
  assert.ok(listening.ok);
  listening.value.close();
  s.out = [];
  s.in('.', 1, 1);
  assert.deepEqual(s.sent(), ['R. 1 ack 1']);
  assert.equal(s.count('connections'), 0);
});

test('accept attaches no handler › the connection is reset and the log says so', () => {
  const s = new Script();
  s.stack.listen(80, () => {});
  s.in('S', 0, null);
  s.out = [];
  s.in('.', 1, 1);
  assert.deepEqual(s.sent(), ['R. 1 ack 1']);
  assert.equal(s.logged.length, 1);
});

test('LISTEN › RST, ACK, neither › silence, RST, silence', () => {
  const s = new Script();
  s.stack.listen(80, () => {});
  s.in('R', 0, null);
  assert.deepEqual(s.sent(), []);
  s.in('.', 0, 55);
  assert.deepEqual(s.sent(), ['R 55']);
  s.in('P', 0, null, { payload: 'x' });
  assert.deepEqual(s.sent(), []);
  assert.equal(s.count('noSyn'), 1);
});

test('CLOSED › any segment › RST as RFC 9293 §3.10.7.1; never for a RST', () => {
  const s = new Script();
  s.in('S', 5, null, { payload: 'ab' });
  assert.deepEqual(s.sent(), ['R. 0 ack 8']);
  s.in('F.', 5, 900);
  assert.deepEqual(s.sent(), ['R 900']);
  s.in('R.', 5, 900);
  assert.deepEqual(s.sent(), []);
});

test('CLOSED › more strays than the bound in one second › another number each second, up to it', () => {
  const s = new Script({ limits: { strayResetsPerSecondMax: 40 } });
  const answered = new Set<number>();
  for (let second = 0; second < 20; second++) {
    for (let i = 0; i < 41; i++) s.in('S', i, null);
    const { length } = s.sent();
    assert.ok(length >= 20 && length <= 40, `${length}`);
    answered.add(length);
    s.wait(SECOND);
  }
  assert.ok(answered.size > 5, 'nobody can count what others caused');
  assert.ok(s.count('strayResetsHeld') >= 20);
});

function connecting(s: Script): { flow: Flow | null; error: ConnectError['kind'] | null } {
  const outcome: { flow: Flow | null; error: ConnectError['kind'] | null } = {
    flow: null,
    error: null,
  };
  s.stack.connect(THERE, 80, (result) => {
    if (result.ok) {
      outcome.flow = result.value;
      result.value.attach(s.journal);
    } else outcome.error = result.error.kind;
  });
  return outcome;
}

test('SYN_SENT › SYN-ACK › ACK, open', () => {
  const s = new Script();
  const outcome = connecting(s);
  const { sourcePort, options } = s.out[0]!.repr;
  assert.ok(sourcePort >= 49_152);
  assert.deepEqual([options.mss, options.windowShift, options.sackPermitted], [1460, 5, true]);
  assert.deepEqual(s.sent(), ['S 0']);
  s.in('S.', 0, 1, { peerPort: 80, ourPort: sourcePort, options: SYN });
  assert.deepEqual(s.sent(), ['. 1 ack 1']);
  assert.ok(outcome.flow !== null);
});

test('SYN_SENT › cancelled › forgotten, nothing is sent or told, RFC 9293 §3.10.5', () => {
  const s = new Script();
  const connecting = s.stack.connect(THERE, 80, () => assert.fail('told'));
  s.sent();
  connecting.cancel();
  connecting.cancel();
  s.wait(300 * SECOND);
  assert.deepEqual(s.sent(), []);
  assert.equal(s.stack.counters().connections, 0);
});

test('SYN_SENT › open, then cancelled › too late, the flow stays', () => {
  const s = new Script();
  const flows: Flow[] = [];
  const connecting = s.stack.connect(THERE, 80, (result) => {
    assert.ok(result.ok);
    result.value.attach(s.journal);
    flows.push(result.value);
  });
  const { sourcePort } = s.out[0]!.repr;
  s.in('S.', 0, 1, { peerPort: 80, ourPort: sourcePort, options: SYN });
  s.sent();
  connecting.cancel();
  assert.deepEqual([flows.length, s.sent()], [1, []]);
});

test('SYN_SENT › nothing comes › SYN after 1, 2, 4, .., 60 s, timeout after three minutes', () => {
  const s = new Script();
  const outcome = connecting(s);
  s.out = [];
  for (const wait of [1, 2, 4, 8, 16, 32, 60]) {
    s.wait(wait * SECOND);
    assert.deepEqual(s.sent(), ['S 0']);
    assert.equal(outcome.error, null);
  }
  s.wait(60 * SECOND);
  assert.equal(outcome.error, 'timeout');
  assert.equal(s.count('connections'), 0);
});

test('SYN_SENT › RST with our ACK › refused; without › ignored', () => {
  const s = new Script();
  const outcome = connecting(s);
  const ourPort = s.last().sourcePort;
  s.in('R', 0, null, { peerPort: 80, ourPort });
  assert.equal(outcome.error, null);
  s.in('R.', 0, 1, { peerPort: 80, ourPort });
  assert.equal(outcome.error, 'refused');
  assert.deepEqual(s.sent(), []);
});

test('SYN_SENT › ACK of something else › RST; of nothing, without SYN › dropped', () => {
  const s = new Script();
  const outcome = connecting(s);
  const ourPort = s.last().sourcePort;
  s.in('S.', 0, 9, { peerPort: 80, ourPort });
  assert.deepEqual(s.sent(), ['R 9']);
  s.in('.', 0, 1, { peerPort: 80, ourPort });
  assert.equal(s.count('noSyn'), 1);
  assert.deepEqual(outcome, { flow: null, error: null });
});

test('SYN_SENT › data and FIN on the SYN-ACK › delivered in order', () => {
  const s = new Script();
  connecting(s);
  const ourPort = s.last().sourcePort;
  s.in('SF.', 0, 1, { peerPort: 80, ourPort, payload: 'hi' });
  assert.deepEqual(s.journal.events, ['data hi', 'end']);
  assert.deepEqual(s.sent(), ['. 1 ack 4']);
});

test('SYN_SENT › SYN without ACK › SYN-ACK; then ACK opens: simultaneous open, §3.5', () => {
  for (const answer of ['.', 'S.']) {
    const s = new Script();
    const outcome = connecting(s);
    const ourPort = s.last().sourcePort;
    s.in('S', 0, null, { peerPort: 80, ourPort, options: SYN });
    assert.deepEqual(s.sent(), ['S. 0 ack 1']);
    s.in(answer, answer === '.' ? 1 : 0, 1, { peerPort: 80, ourPort });
    assert.ok(outcome.flow !== null, answer);
  }
});

test('connect › no route, a bad port, no memory › told at once', () => {
  const s = new Script();
  const kinds: string[] = [];
  const tell = (result: { ok: boolean; error?: ConnectError }) =>
    kinds.push(result.error?.kind ?? 'ok');
  s.stack.connect(0 as Ipv4Address, 80, tell);
  s.stack.connect(THERE, 0, tell);
  assert.ok(s.stack.tcpMemory.received.take(memoryBytesDefault));
  s.stack.connect(THERE, 80, tell);
  assert.deepEqual(kinds, ['unreachable', 'bad address', 'no port']);
});

test('SYN_RECEIVED › the SYN-ACK was lost › the first window is one segment, RFC 5681 §3.1', () => {
  const s = new Script();
  s.stack.listen(80, (flow) => {
    flow.attach(s.journal);
    flow.write(new Uint8Array(5000));
  });
  s.in('S', 0, null, { options: SYN });
  s.wait(SECOND);
  s.out = [];
  s.in('.', 1, 1);
  assert.deepEqual(s.sent(), ['. 1:1461 ack 1']);
});

test('connect › every port that is tried at random is taken › the next free one', () => {
  const s = new Script();
  s.stack.entropy.fill = (out) => out.fill(0);
  s.stack.connect(THERE, 80, () => {});
  s.stack.connect(THERE, 80, () => {});
  assert.deepEqual(
    s.out.map(({ repr }) => repr.sourcePort),
    [49_152, 49_153],
  );
});

test('MSS › option, none, tiny, larger than the link › RFC 6691', () => {
  for (const [mss, expected] of [
    [1000, 1000],
    [0, 536],
    [1, 88],
    [9000, 1460],
  ] as const) {
    const s = new Script();
    const flow = s.accept({ options: { mss } });
    flow.write(new Uint8Array(3000));
    s.turn();
    assert.equal(s.out[0]!.repr.payload.length, expected);
  }
});

test("window scale › both offer › windows are scaled, but not the SYN's, RFC 7323 §2.2", () => {
  const limits = { receiveWindowBytes: 262_144, receiveWindowBytesMax: 262_144 };
  const s = new Script({ limits });
  s.stack.listen(80, (flow) => {
    flow.attach(s.journal);
    s.flow = flow;
  });
  s.in('S', 0, null, { options: { mss: 1460, windowShift: 3 }, window: 1000 });
  assert.equal(s.out[0]!.repr.options.windowShift, 3);
  assert.equal(s.last().window, 65_535);
  s.in('.', 1, 1, { window: 200 });
  s.flow?.write(new Uint8Array(5000));
  s.turn();
  // 200 << 3 = 1600 bytes: one full segment, and 140 aren't worth one.
  assert.deepEqual(
    s.out.map(({ repr }) => [repr.payload.length, repr.window]),
    [[1460, 32_768]],
  );
});

test('window scale › the peer does not offer › no option in our answer, 64 KiB at most', () => {
  const s = new Script({ limits: { receiveWindowBytes: 262_144 } });
  s.stack.listen(80, (flow) => flow.attach(s.journal));
  s.in('S', 0, null, { options: { mss: 1460 } });
  assert.equal(s.out[0]!.repr.options.windowShift, -1);
  assert.equal(s.out[0]!.repr.options.sackPermitted, false);
  s.in('.', 1, 1);
  s.in('P.', 1, 1, { payload: 'a' });
  s.wait(50_000);
  assert.equal(s.last().window, 65_535);
});

test('listen › taken, bound reached, port 0 › refused, refused, chosen', () => {
  const s = new Script({ limits: { listenersMax: 2 } });
  const first = s.stack.listen(80, () => {});
  assert.ok(first.ok);
  assert.deepEqual(
    s.stack.listen(80, () => {}),
    {
      ok: false,
      error: { kind: 'port in use', port: 80 },
    },
  );
  const any = s.stack.listen(0, () => {});
  assert.ok(any.ok && any.value.port >= 49_152);
  assert.equal(s.stack.listen(81, () => {}).ok, false);
  first.value.close();
  first.value.close();
  assert.ok(s.stack.listen(81, () => {}).ok);
});

test('two clients with one key › both are found, and each by its own address', () => {
  const s = new Script();
  const received: string[] = [];
  for (const port of [80, 80 ^ 3]) {
    s.stack.listen(port, (flow) => {
      const journal = new Journal();
      journal.onData = () => received.push(`${port} ${journal.received}`);
      flow.attach(journal);
    });
  }
  // 4000 ^ 80 equals (4000 ^ 3) ^ (80 ^ 3).
  const ends = [
    { peerPort: 4000, ourPort: 80 },
    { peerPort: 4000 ^ 3, ourPort: 80 ^ 3 },
  ];
  const base = new Map<number, number>();
  for (const end of ends) {
    s.in('S', 0, null, end);
    base.set(end.ourPort, s.last().seq);
  }
  for (const end of ends) {
    const ack = base.get(end.ourPort)! - base.get(80)! + 1;
    s.in('.', 1, ack, end);
    s.in('P.', 1, ack, { ...end, payload: `to ${end.ourPort}` });
  }
  assert.deepEqual(received, ['80 to 80', '83 to 83']);
  assert.equal(s.count('connections'), 2);
  for (const end of ends) s.in('R', 6, null, end);
  assert.equal(s.count('connections'), 0);
});
