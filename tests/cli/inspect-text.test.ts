import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CpuProfile, StackSnapshot } from '#device';
import type { UnikernelSnapshot } from '#inspect';
import {
  LEVELS_MAX,
  PROFILE_FRAMES_MAX,
  PROFILE_NODES_MAX,
  parseLevels,
  parseProfile,
  parseSnapshot,
} from '../../tools/cli/inspect-check.ts';
import { snapshotLines } from '../../tools/cli/inspect-text.ts';
import { printable, printableJson } from '../../tools/cli/printable.ts';
import {
  byFunction,
  cpuprofileJson,
  hottest,
  speedscopeJson,
} from '../../tools/cli/profile-files.ts';

const connection = (port: number, sent: number, received: number) => ({
  local: '10.0.2.15:80',
  remote: `10.0.2.2:${port}`,
  state: 'ESTABLISHED',
  rttMicros: 1_234,
  rttVarianceMicros: 617,
  rtoMicros: 200_000,
  congestionWindowBytes: 14_600,
  slowStartThresholdBytes: port % 2 === 0 ? null : 7_300,
  inFlightBytes: 2_920,
  retransmitted: port % 7,
  sentPosition: sent % 2 ** 32,
  receivedPosition: received % 2 ** 32,
  sendQueueBytes: 4_096,
  receiveQueueBytes: 0,
  memoryBytes: 2_048,
});

const STACK: StackSnapshot = {
  mac: '52:54:00:12:34:56',
  mtuBytes: 1_500,
  addresses: [
    { address: '10.0.2.15', prefixBits: 24, origin: 'dhcp' },
    {
      address: '2001:db8::15',
      prefixBits: 64,
      origin: 'advertised',
      isTentative: true,
      preferredSeconds: 10,
      validSeconds: 90_061,
    },
  ],
  routes: [
    { prefix: '10.0.2.0/24', gateway: null },
    { prefix: '0.0.0.0/0', gateway: '10.0.2.2' },
    { prefix: '::/0', gateway: 'fe80::2', validSeconds: 1_800 },
  ],
  neighbors: [
    {
      address: '10.0.2.2',
      mac: '52:55:0a:00:02:02',
      state: 'reachable',
      confirmedSecondsAgo: 3,
      waitingPackets: 0,
    },
    {
      address: 'fe80::2',
      mac: null,
      state: 'asking',
      confirmedSecondsAgo: 0,
      waitingPackets: 2,
      isRouter: true,
    },
  ],
  nameServers: ['10.0.2.3'],
  searchDomains: ['example.org'],
  lease: {
    state: 'bound',
    address: '10.0.2.15/24',
    server: '10.0.2.2',
    renewSeconds: 43_200,
    rebindSeconds: 75_600,
    expireSeconds: 86_400,
  },
  listeners: [80],
  datagramPorts: [68],
  connections: {
    count: 9,
    halfOpen: 1,
    timeWait: 4,
    list: [connection(40_000, 1_000, 500), connection(40_001, 2 ** 32 - 10, 7)],
  },
  memory: {
    usedBytes: 6_144,
    bytesMax: 2_097_152,
    accounts: {
      connections: { usedBytes: 4_096, bytesMax: 1_835_008, refused: 0 },
      received: { usedBytes: 2_048, bytesMax: 2_097_152, refused: 3 },
      timeWait: { usedBytes: 0, bytesMax: 262_144, refused: 0 },
    },
  },
  counters: { ipv4BadChecksum: 2, udpNoPort: 17, ipv4NoRoute: 1, segmentsIn: 100, malformed: 0 },
  deviceCounters: { received: 120, receiveDropped: 5, linkUp: 1 },
};

const SNAPSHOT: UnikernelSnapshot = {
  version: 1,
  name: 'site',
  target: 'pvh',
  uptimeMicros: 93_784_000_000,
  wallMillis: 1_795_703_901_000,
  memoryBytes: 16_777_216,
  timers: { count: 5, nextMicros: 1_500 },
  logLevels: { '*': 'info', stack: 'debug' },
  loop: {
    micros: 93_784_000_000,
    turns: 1_000_000,
    busyMicros: 9_378_400_000,
    slowTurns: [3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    turnMicrosMax: 2_345,
    lateTimers: [7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    lateMicrosMax: 1_002,
  },
  heap: {
    totalBytes: 12_582_912,
    usedBytes: 3_145_728,
    kinds: {
      strings: { count: 1_000, bytes: 65_536 },
      bytecode: { count: 2_000, bytes: 1_048_576 },
      // As Node tells: without counts, and of what it doesn't have.
      new_space: { count: 0, bytes: 2_048 },
      shared_space: { count: 0, bytes: 0 },
    },
  },
  stacks: { stack: STACK },
  program: {
    router: {
      forwarded: 7,
      dropTtl: 0,
      nat: { sessions: 2 },
      sessions: [
        { protocol: 'tcp', inside: { address: '192.168.7.10', port: 1_234 }, outsidePort: 1_234 },
        { protocol: 'udp', inside: { address: '192.168.7.11', port: 53 }, outsidePort: 40_001 },
      ],
      forwards: [],
    },
    leases: [{ address: '192.168.7.10', hostName: 'a\u001b[31m', isFixed: false }],
    odd: [null, 1, [2]],
  },
};

const LATER: UnikernelSnapshot = {
  ...SNAPSHOT,
  uptimeMicros: SNAPSHOT.uptimeMicros + 2_000_000,
  loop: {
    ...SNAPSHOT.loop!,
    micros: SNAPSHOT.loop!.micros + 2_000_000,
    busyMicros: SNAPSHOT.loop!.busyMicros + 500_000,
    turns: SNAPSHOT.loop!.turns + 4_000,
  },
  stacks: {
    stack: {
      ...STACK,
      connections: {
        count: 2,
        list: [connection(40_000, 3_048, 500), connection(40_001, 2 ** 32 + 99_990, 2_055)],
      },
      counters: { ...STACK.counters, udpNoPort: 20 },
    },
  },
};

const WIDE = { connectionsMax: 10, columns: 240 };

test('a first look › snapshot', (t) => {
  t.assert.snapshot(snapshotLines(SNAPSHOT, null, WIDE).join('\n'));
});

test('a second look › rates, across the end of the sequence numbers › snapshot', (t) => {
  t.assert.snapshot(snapshotLines(LATER, SNAPSHOT, WIDE).join('\n'));
});

test('host sockets › what is known › snapshot', (t) => {
  const list = [
    { local: '[::1]:80', remote: '[::1]:4', state: 'ESTABLISHED', sentBytes: 10, receivedBytes: 3 },
  ];
  const stack = { addresses: [], connections: { count: 1, list }, counters: { accepted: 1 } };
  const { loop: _, heap: __, ...rest } = SNAPSHOT;
  t.assert.snapshot(
    snapshotLines({ ...rest, stacks: { stack, other: null } }, null, WIDE).join('\n'),
  );
});

test('what it asks of others › shown with its last fault', () => {
  const tlsClient = { handshakes: 3, resumed: 1, handshakesFailed: 2 };
  const syslog = { syslogSent: 12, syslogDropped: 4, syslogConnections: 1 };
  const failing = { ...syslog, syslogConnectFailures: 7, fault: 'tls: name mismatch' };
  const of = (more: Partial<UnikernelSnapshot>): string[] =>
    snapshotLines({ ...SNAPSHOT, ...more }, null, WIDE).filter((line) =>
      /^(asking|syslog)/.test(line),
    );
  assert.deepEqual(of({}), []);
  assert.deepEqual(of({ syslog }), ['syslog: 12 sent, 4 dropped, 0 connections failed']);
  assert.deepEqual(of({ tlsClient, syslog: failing }), [
    'asking over TLS: 3 handshakes, 1 of them resumed, 2 failed',
    'syslog: 12 sent, 4 dropped, 7 connections failed, now: tls: name mismatch',
  ]);
  assert.notEqual(parseSnapshot({ ...SNAPSHOT, tlsClient, syslog: failing }), null);
  assert.equal(parseSnapshot({ ...SNAPSHOT, syslog: { fault: {} } }), null);
  assert.equal(parseSnapshot({ ...SNAPSHOT, tlsClient: [] }), null);
});

test('a narrow terminal, few rows › lines are cut, connections counted', () => {
  const lines = snapshotLines(LATER, SNAPSHOT, { connectionsMax: 1, columns: 60 });
  for (const line of lines) assert.ok(line.length <= 60, line);
  assert.ok(
    lines.some((line) => line.includes('10.0.2.2:40001')),
    'the one with most traffic',
  );
  assert.ok(!lines.some((line) => line.includes('10.0.2.2:40000')));
  assert.ok(lines.includes('  and 1 more'));
});

test('names from the network › with control characters › are shown, not obeyed', () => {
  const evil = '\x1b]0;owned\x07\r\x9b2J\u202egnp\u2028';
  const stack = { ...STACK, searchDomains: [evil], lease: { ...STACK.lease!, server: evil } };
  const text = snapshotLines(
    { ...SNAPSHOT, name: evil, logLevels: { [evil]: 'info' }, stacks: { [evil]: stack } },
    null,
    WIDE,
  ).join('\n');
  // biome-ignore lint/complexity/useRegexLiterals: a literal can't have these characters.
  assert.doesNotMatch(text, new RegExp('[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f\\u2028\\u202e]'));
  assert.ok(text.includes('\\x1b]0;owned\\x07\\x0d\\x9b2J\\u202egnp\\u2028'));
  assert.equal(printable('räksmörgås 東京'), 'räksmörgås 東京');
  const value = { evil: `${evil}\u{e0041}` };
  assert.deepEqual(JSON.parse(printableJson(value)), value);
  assert.match(printableJson(value), /^[ -~\n]*$/);
});

const PROFILE: CpuProfile = {
  hz: 1_000,
  micros: 10_000,
  samples: 10,
  idle: 4,
  lost: 0,
  nodes: [
    { parent: -1, samples: 1, kind: 'script', name: 'turn', file: 'loop.ts', line: 3, column: 1 },
    { parent: 0, samples: 5, kind: 'script', name: 'hot', file: 'app.ts', line: 9, column: 5 },
    { parent: 1, samples: 0, kind: 'native', name: '0x1234', file: '', line: 0, column: 0 },
  ],
};

test('a profile › for speedscope › stacks with their time', () => {
  const file = JSON.parse(speedscopeJson('site', PROFILE));
  assert.deepEqual(
    file.shared.frames.map(({ name }: { name: string }) => name),
    ['turn', 'hot', '0x1234', '(idle)'],
  );
  const [profile] = file.profiles;
  assert.deepEqual(profile.samples, [[0], [0, 1], [3]]);
  assert.deepEqual(profile.weights, [0.001, 0.005, 0.004]);
  assert.ok(Math.abs(profile.endValue - 0.01) < 1e-9);
});

test('a profile › for Chrome › a tree whose samples are as many as there were', () => {
  const file = JSON.parse(cpuprofileJson(PROFILE));
  assert.equal(file.samples.length, 10);
  assert.equal(file.timeDeltas.length, 10);
  assert.equal(file.endTime, 10_000);
  const byId = new Map(file.nodes.map((node: { id: number }) => [node.id, node]));
  const [root] = file.nodes;
  assert.equal(root.callFrame.functionName, '(root)');
  const names = (node: { children: number[] }) =>
    node.children.map((id) => (byId.get(id) as typeof root).callFrame.functionName);
  assert.deepEqual(names(root), ['turn', '(idle)']);
  assert.equal(file.nodes[2].callFrame.lineNumber, 8);
});

test('a profile › parents that stand after their children › ends all the same', () => {
  const loops = { ...PROFILE, nodes: PROFILE.nodes.map((node) => ({ ...node, parent: 1 })) };
  assert.doesNotThrow(() => JSON.parse(speedscopeJson('x', loops)));
  assert.doesNotThrow(() => JSON.parse(cpuprofileJson(loops)));
});

test('a profile › the hottest functions first, of the time that was busy', () => {
  assert.deepEqual(hottest(PROFILE, 1), [' 83.3 %  hot app.ts:9']);
});

test('a profile › by function: code counts for who ran it, native functions have names', () => {
  const code = { parent: 1, samples: 3, kind: 'code', name: '0x40', file: '', line: 0, column: 0 };
  const nodes = [...PROFILE.nodes, code, { ...code, parent: 3 }, { ...code, parent: -1 }] as const;
  const found = byFunction({ ...PROFILE, nodes: nodes as CpuProfile['nodes'] }, (address) =>
    address === 0x1234 ? 'copy' : null,
  );
  assert.deepEqual(
    found.nodes.map(({ name, samples, parent }) => [name, samples, parent]),
    [
      ['turn', 1, -1],
      ['hot', 11, 0],
      ['copy', 0, 1],
      ['0x40', 3, -1],
    ],
  );
});

/** The same with other values, by path. */
function withAt(value: unknown, path: readonly string[], item: unknown): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return item;
  const copy = structuredClone(value) as Record<string, unknown>;
  copy[first] = withAt(copy[first] ?? {}, rest, item);
  return copy;
}

const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);

test("an answer that is a snapshot › is taken; what is none isn't", () => {
  assert.deepEqual(parseSnapshot(SNAPSHOT), SNAPSHOT);
  assert.deepEqual(parseSnapshot(JSON.parse(JSON.stringify(LATER))), LATER);
  for (const value of [null, undefined, 1, 'x', [], {}, [SNAPSHOT]]) {
    assert.equal(parseSnapshot(value), null);
  }
  const wrong: [string, unknown][] = [
    ['stacks', null],
    ['stacks', []],
    ['name', 1],
    ['timers', null],
    ['timers.count', '1'],
    ['logLevels.x', null],
    ['uptimeMicros', Number.POSITIVE_INFINITY],
    ['loop.slowTurns', {}],
    ['heap.kinds.strings', 1],
    ['program', 'x'],
  ];
  for (const [path, item] of wrong) {
    assert.equal(parseSnapshot(withAt(SNAPSHOT, path.split('.'), item)), null, path);
  }
  // The snapshot, `program` and its section are levels too.
  const deep = (levels: number) => withAt(SNAPSHOT, ['program', 'a'], nested(levels));
  assert.ok(parseSnapshot(deep(LEVELS_MAX - 2)));
  assert.equal(parseSnapshot(deep(LEVELS_MAX - 1)), null);
});

test('a stack in it that is none › an error in its place', () => {
  const wrong: [string, unknown][] = [
    ['', 5],
    ['connections', null],
    ['connections.list', [null]],
    ['addresses', [{}]],
    ['neighbors', 'x'],
    ['lease', {}],
    ['counters.a', 'x'],
    ['memory.accounts.a', null],
  ];
  for (const [path, item] of wrong) {
    const where = ['stacks', 'other', ...path.split('.').filter((word) => word !== '')];
    const parsed = parseSnapshot(withAt(withAt(SNAPSHOT, where.slice(0, 2), STACK), where, item));
    assert.ok(parsed, path);
    assert.deepEqual(parsed.stacks.stack, STACK);
    const lines = snapshotLines(parsed, parsed, WIDE);
    assert.ok(lines.includes('other: what it tells is of no use'), path);
  }
});

test('asked for by another name › both names', () => {
  const options = { connectionsMax: 1, columns: 500, title: 'site-2' };
  assert.match(snapshotLines(SNAPSHOT, null, options)[0]!, /^site-2 \(site\) on pvh/);
});

test('a cell that is long › is cut, so that others are not as wide', () => {
  const list = [connection(1, 0, 0), { ...connection(2, 0, 0), remote: 'A'.repeat(400_000) }];
  const stack = { ...STACK, connections: { count: 2, list } };
  const now = { ...SNAPSHOT, stacks: { stack } };
  const lines = snapshotLines(now, null, { connectionsMax: 10, columns: 1_000_000 });
  assert.ok(lines.some((line) => line.includes(`${'A'.repeat(64)} `)));
  for (const line of lines) assert.ok(line.length < 1_000, `${line.length}`);
});

test('an answer that is a profile › is taken at each bound, not past it', () => {
  const node = { kind: 'script', name: 'f', file: 'a', line: 1, column: 1 } as const;
  const of = (nodes: unknown[], more = {}) => ({
    ...{ hz: 1_000, micros: 1, samples: 1, idle: 0, lost: 0 },
    ...more,
    nodes,
  });
  const chain = (length: number) =>
    Array.from({ length }, (_, i) => ({ ...node, parent: i - 1, samples: 0 }));
  const flat = (length: number) =>
    Array.from({ length }, () => ({ ...node, parent: -1, samples: 0 }));
  const one = (samples: number, parent = -1) => [{ ...node, parent, samples }];
  const good = [
    of([]),
    of(one(3_000)),
    of(one(1_000), { idle: 2_000 }),
    of(flat(PROFILE_NODES_MAX)),
    of(chain(PROFILE_NODES_MAX)),
  ];
  for (const value of good) assert.equal(parseProfile(value, 1), value);
  const deep = Math.floor(Math.sqrt(PROFILE_FRAMES_MAX * 2));
  const wrong = [
    ...[null, 1, {}, [], of([null]), of([{}]), { ...of([]), nodes: null }, of([], { hz: 0 })],
    of(one(3_001)),
    of(one(1_001), { idle: 2_000 }),
    of(one(4e9)),
    of(one(-1)),
    of(one(0.5)),
    of([], { idle: -1 }),
    of([], { idle: Number.NaN }),
    of(one(1, 0)),
    of(one(1, -2)),
    of(one(1, 0.5)),
    of([{ ...one(1)[0], kind: 'x' }]),
    of(flat(PROFILE_NODES_MAX + 1)),
    of(chain(deep + 1).map((each) => ({ ...each, samples: 1 }))),
  ];
  for (const value of wrong) assert.equal(parseProfile(value, 1), null);
  const long = of(chain(deep - 1).map((each) => ({ ...each, samples: 1 })));
  assert.equal(parseProfile(long, 10), long);
  assert.equal(parseProfile(of(one(4_001)), 1.5), null, 'of the time it took');
  assert.ok(parseProfile(of(one(4_000)), 1.5));
});

test('an answer that is log levels › text by name', () => {
  assert.deepEqual(parseLevels({ '*': 'info' }), { '*': 'info' });
  for (const value of [null, [], 'x', { '*': 1 }]) assert.equal(parseLevels(value), null);
});
