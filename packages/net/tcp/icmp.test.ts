/** ICMP errors about our segments: RFC 5927, RFC 1191, RFC 1122 §4.2.3.9. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IcmpErrorKind } from '../icmp-error.ts';
import { HERE, THERE } from './test-link.ts';
import { Script } from './test-script.ts';

/** The error that quotes the last segment that was sent, `change` applied to the quote. */
function complain(
  s: Script,
  kind: IcmpErrorKind,
  mtuBytes = 0,
  change: (quote: DataView) => void = () => {},
): void {
  const { repr, to } = s.out[s.out.length - 1]!;
  const transport = new Uint8Array(8);
  const quote = new DataView(transport.buffer);
  quote.setUint16(0, repr.sourcePort);
  quote.setUint16(2, repr.destinationPort);
  quote.setInt32(4, repr.seq);
  change(quote);
  s.out = [];
  s.stack.icmpError({ kind, mtuBytes, source: HERE, destination: to, transport });
  s.turn();
}

function connecting(): { s: Script; outcome: string[] } {
  const s = new Script();
  const outcome: string[] = [];
  s.stack.connect(THERE, 80, (result) => outcome.push(result.ok ? 'open' : result.error.kind));
  return { s, outcome };
}

test('SYN_SENT › unreachable › told so; time exceeded, another sequence number or port › not', () => {
  const { s, outcome } = connecting();
  const syn = s.out[0]!;
  complain(s, 'time exceeded');
  s.out = [syn];
  complain(s, 'unreachable', 0, (quote) => quote.setInt32(4, 1));
  s.out = [syn];
  complain(s, 'unreachable', 0, (quote) => quote.setUint16(0, 1));
  assert.deepEqual(outcome, []);
  s.out = [syn];
  complain(s, 'port unreachable');
  assert.deepEqual(outcome, ['unreachable']);
  assert.equal(s.count('connections'), 0);
  s.stack.icmpError({
    kind: 'unreachable',
    mtuBytes: 0,
    source: HERE,
    destination: THERE,
    transport: new Uint8Array(7),
  });
});

test('ESTABLISHED › unreachable › nothing happens', () => {
  const s = new Script();
  const flow = s.accept({ options: { mss: 1460 } });
  flow.write(new Uint8Array(3000));
  s.turn();
  complain(s, 'unreachable');
  assert.deepEqual(s.journal.events, []);
  assert.equal(s.count('icmpErrors'), 1);
});

test('fragmentation needed › smaller segments from the start; forged small or stale › bounded', () => {
  const s = new Script();
  const flow = s.accept({ options: { mss: 1460 } });
  flow.write(new Uint8Array(2920));
  s.turn();
  const sent = s.out[1]!;
  complain(s, 'fragmentation needed', 1240);
  assert.deepEqual(s.sent(), ['. 1:1201 ack 1', '. 1201:2401 ack 1', 'P. 2401:2921 ack 1']);
  s.out = [sent];
  complain(s, 'fragmentation needed', 1400);
  assert.deepEqual(s.sent(), []);
  s.out = [sent];
  complain(s, 'fragmentation needed', 68);
  assert.equal(s.sent()[0], '. 1:513 ack 1');
  s.in('.', 1, 2921);
  s.out = [sent];
  complain(s, 'fragmentation needed', 552);
  assert.equal(s.count('pathMtu'), 2);
  assert.deepEqual(s.sent(), []);
});
