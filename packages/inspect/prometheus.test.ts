import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatMetrics } from './prometheus.ts';
import type { UnikernelSnapshot } from './snapshot.ts';

const SNAPSHOT: UnikernelSnapshot = {
  version: 1,
  name: 'a "b"\\\nc',
  target: 'test',
  uptimeMicros: 2_500_000,
  wallMillis: 0,
  memoryBytes: 1_024,
  timers: { count: 3, nextMicros: null },
  logLevels: {},
  loop: {
    micros: 1,
    turns: 10,
    busyMicros: 500_000,
    slowTurns: [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    turnMicrosMax: 1_500,
    lateTimers: [4],
    lateMicrosMax: 0,
  },
  heap: { totalBytes: 9, usedBytes: 8, kinds: { strings: { count: 2, bytes: 7 } } },
  stacks: {
    first: {
      addresses: [],
      connections: { count: 5, halfOpen: 1, timeWait: 2, list: [] },
      memory: {
        usedBytes: 6,
        bytesMax: 60,
        accounts: { received: { usedBytes: 6, bytesMax: 7, refused: 1 } },
      },
      counters: { ipv4BadChecksum: 4, segmentsIn: 100, connections: 5 },
      deviceCounters: { received: 7, linkUp: 1 },
    },
    second: { addresses: [], connections: { count: 0, list: [] }, counters: { segmentsIn: 1 } },
    silent: null,
  },
  control: { controlRequests: 11 },
  program: {
    jobs: { done: 3, queue: { waiting: 2 }, name: 'x', list: [7] },
    many: Array(300).fill(1),
  },
};

/** Samples by their name and labels. */
function samples(text: string): Map<string, string> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [
      line.slice(0, line.lastIndexOf(' ')),
      line.slice(line.lastIndexOf(' ') + 1),
    ]),
  );
}

test('a snapshot › samples with conventional names; drops by reason', () => {
  const found = samples(formatMetrics(SNAPSHOT));
  const expected = {
    morgana_uptime_seconds: '2.5',
    'morgana_info{name="a \\"b\\"\\\\\\nc",target="test"}': '1',
    'morgana_dropped_packets_total{stack="first",direction="in",reason="ipv4_bad_checksum"}': '4',
    'morgana_tcp_segments_in_total{stack="first"}': '100',
    'morgana_tcp_segments_in_total{stack="second"}': '1',
    'morgana_link_received_total{stack="first"}': '7',
    'morgana_link_up{stack="first"}': '1',
    'morgana_tcp_connections{stack="first"}': '5',
    'morgana_stack_memory_refused_total{stack="first",account="received"}': '1',
    'morgana_heap_kind_bytes{kind="strings"}': '7',
    morgana_control_requests_total: '11',
    'morgana_program{section="jobs",name="queue.waiting"}': '2',
    'morgana_program{section="jobs",name="list.0"}': '7',
    'morgana_program{section="many",name="255"}': '1',
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(found.get(name), value, name);
  assert.ok(!found.has('morgana_program{section="many",name="256"}'), 'one past the bound');
});

test('turns of the loop › a histogram whose buckets add up', () => {
  const found = samples(formatMetrics(SNAPSHOT));
  const bucket = (le: string) => Number(found.get(`morgana_loop_turn_seconds_bucket{le="${le}"}`));
  assert.deepEqual(['0.001', '0.002', '0.004', '1.024', '+Inf'].map(bucket), [6, 8, 9, 9, 10]);
  assert.equal(found.get('morgana_loop_turn_seconds_sum'), '0.5');
  assert.equal(found.get('morgana_loop_turn_seconds_count'), '10');
});

test('families › stand together, each with one HELP and one TYPE before its samples', () => {
  const seen = new Set<string>();
  let current = '';
  for (const line of formatMetrics(SNAPSHOT).trimEnd().split('\n')) {
    const help = /^# HELP (\S+) \S/.exec(line);
    if (help !== null) {
      current = help[1]!;
      assert.ok(!seen.has(current), `${current} twice`);
      seen.add(current);
    } else if (line.startsWith('#'))
      assert.match(line, new RegExp(`^# TYPE ${current} (counter|gauge|histogram|untyped)$`));
    else assert.ok(line.startsWith(current) && /^[{_ ]/.test(line.slice(current.length)), line);
  }
  assert.ok(seen.size > 20);
});

test('numbers that are none › as the format spells them', () => {
  const odd = { ...SNAPSHOT, memoryBytes: Number.POSITIVE_INFINITY, uptimeMicros: Number.NaN };
  const found = samples(formatMetrics(odd));
  assert.equal(found.get('morgana_memory_bytes'), '+Inf');
  assert.equal(found.get('morgana_uptime_seconds'), 'NaN');
});
