/** The runner itself: scripts that must fail, and what is said about them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runScript } from './runner.ts';

const OPEN = `
0.0 listen 80
0.0 < tcp S 0:0 win 1000 <mss 1460>
0.0 > tcp S. 0:0 ack 1 <mss 1460>
0.0 < tcp . 1:1 ack 1 win 1000
0.0 ! open
`;

const fails: Readonly<Record<string, readonly [string, RegExp]>> = {
  'a packet at another time': ['0.1 shutdown\n0.2 > tcp FP. 1:1 ack 1', /at another time/],
  'another acknowledgment': ['0.1 shutdown\n0.1 > tcp FP. 1:1 ack 2', /ack should be 2, is 1/],
  'other flags': ['0.1 shutdown\n0.1 > tcp R. 1:1', /flags should be R\., is FP\./],
  'a packet too many': ['0.1 shutdown\n0.2 < udp 1>2', /unexpected: 0.100 > tcp FP. 1:1/],
  'a packet too many at the end': ['0.1 shutdown', /^at the end\n {2}unexpected/],
  'no packet': ['0.1 > tcp . 1:1 ack 1', /nothing was sent/],
  'another protocol': ['0.1 shutdown\n0.1 > udp 1>2', /got: 0.100 > tcp/],
  'other options': ['0.1 shutdown\n0.1 > tcp FP. 1:1 <ts *:*>', /options should be ts, is/],
  'another destination': ['0.1 shutdown\n0.1 > [dst 10.0.0.9] tcp FP. 1:1', /dst should be/],
  'an event that nobody expects': ['0.1 < tcp P. 1:5 ack 1\n0.2 write 1', /unexpected.*! data/],
  'another event': ['0.1 < tcp P. 1:5 ack 1\n0.1 ! end', /got: 0.100 ! data/],
  'less data': ['0.1 < tcp P. 1:5 ack 1\n0.1 ! data 5', /got 4 bytes/],
  'other data': ['0.1 < tcp P. 1:5 ack 1\n0.1 ! data "abce"', /got 4 bytes: abcd/],
  'noise within silence': ['0.1 shutdown\nexpect nothing until 0.2', /unexpected/],
  'another count': ['count connections 2', /connections is 1/],
  'another state': ['info state CLOSED', /state is ESTABLISHED/],
  'no such counter': ['count nonsense 2', /there is no counter/],
};

for (const [name, [rest, message]] of Object.entries(fails)) {
  test(`${name} › the script fails and says why`, () => {
    const { failure, trace } = runScript(OPEN + rest);
    assert.match(failure ?? 'it passed', message);
    assert.ok(trace.some((line) => line.startsWith('0.000 > tcp S. 0:0 ack 1')));
  });
}

test('a trace › is a script again', () => {
  const first = runScript(`${OPEN}0.1 < tcp P. 1:5 ack 1\n0.1 ! data 4\n0.14 > tcp . 1:1 ack 5`);
  assert.equal(first.failure, null);
  const second = runScript(first.trace.join('\n'));
  assert.equal(second.failure, null);
  assert.deepEqual(second.trace, first.trace);
  assert.ok(first.pcap.length > 300);
});

for (const line of [
  'fly',
  '0.1 < spx 1>2',
  '0.1 < tcp Q 0:0',
  '0.1 < tcp S 0:0 <mss>',
  '0.1 < [nonsense] udp 1>2',
  '0.1 write 1 2',
  '0.1 < udp 1>2 "open',
  'mtu x',
]) {
  test(`'${line}' › no script`, () => {
    assert.throws(() => runScript(line), { name: 'ScriptSyntax', message: /^line 1: / });
  });
}
