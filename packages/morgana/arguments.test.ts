import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ArgSpecs, helpLines, parseArguments } from './arguments.ts';
import { arg } from './config.ts';

const SPECS: ArgSpecs = {
  port: arg.port({ default: 80, doc: 'the port' }),
  title: arg.string({ default: 'none', doc: 'the title' }),
  count: arg.int({ default: 3, min: 1, max: 9, doc: 'how many' }),
  verbose: arg.boolean({ doc: 'says more' }),
  address: arg.ipv4({ default: '', doc: 'an address' }),
  net: arg.ipv4Cidr({ default: '', doc: 'a network' }),
  nets: { kind: 'ipv4Cidrs', default: '', doc: 'networks' },
  ways: { kind: 'ipv4Routes', default: '', doc: 'routes' },
  near: { kind: 'neighbors', default: '', doc: 'static neighbours' },
};

function values(...argv: string[]): Readonly<Record<string, unknown>> {
  const parsed = parseArguments(argv, SPECS);
  assert.ok(parsed.ok && !parsed.value.help, JSON.stringify(parsed));
  return parsed.value.values;
}

test('no arguments › defaults', () => {
  assert.deepEqual(values(), {
    port: 80,
    title: 'none',
    count: 3,
    verbose: false,
    address: '',
    net: '',
    nets: '',
    ways: '',
    near: '',
  });
});

const GOOD: readonly [string, string, unknown][] = [
  ['--port=1', 'port', 1],
  ['--port=65535', 'port', 65_535],
  ['--title=', 'title', ''],
  ['--title=a=b c', 'title', 'a=b c'],
  ['--count=1', 'count', 1],
  ['--count=9', 'count', 9],
  ['--verbose', 'verbose', true],
  ['--verbose=true', 'verbose', true],
  ['--verbose=false', 'verbose', false],
  ['--address=255.255.255.255', 'address', '255.255.255.255'],
  ['--address=0.0.0.0', 'address', '0.0.0.0'],
  ['--net=10.0.2.15/0', 'net', '10.0.2.15/0'],
  ['--net=10.0.2.15/32', 'net', '10.0.2.15/32'],
  ['--nets=10.0.2.15/24,10.0.3.1/16', 'nets', '10.0.2.15/24,10.0.3.1/16'],
  ['--near=10.0.0.3=52:54:00:00:00:03', 'near', '10.0.0.3=52:54:00:00:00:03'],
  ['--ways=10.0.0.0/8=10.1.0.1,0.0.0.0/0=link', 'ways', '10.0.0.0/8=10.1.0.1,0.0.0.0/0=link'],
];
for (const [word, name, value] of GOOD) {
  test(`${word} › ${JSON.stringify(value)}`, () => assert.equal(values(word)[name], value));
}

const BAD: readonly [readonly string[], string, RegExp][] = [
  [['--port=0'], 'value', /--port=0: expected a port number/],
  [['--port=65536'], 'value', /port number/],
  [['--port=8 0'], 'value', /port number/],
  [['--port=0x50'], 'value', /port number/],
  [['--port=1e3'], 'value', /port number/],
  [['--port'], 'malformed', /--port needs a value/],
  [['--port='], 'value', /port number/],
  [['--count=0'], 'value', /an integer, 1 to 9/],
  [['--count=10'], 'value', /an integer, 1 to 9/],
  [['--verbose=yes'], 'value', /true or false/],
  [['--address=1.2.3'], 'value', /an IPv4 address/],
  [['--address=1.2.3.4.5'], 'value', /an IPv4 address/],
  [['--address=1.2.3.256'], 'value', /an IPv4 address/],
  [['--address=01.2.3.4'], 'value', /an IPv4 address/],
  [['--address=1.2.3.4.'], 'value', /an IPv4 address/],
  [['--net=10.0.2.15'], 'value', /prefix length/],
  [['--net=10.0.2.15/33'], 'value', /prefix length/],
  [['--net=10.0.2.15/8/8'], 'value', /prefix length/],
  [['--nets=10.0.2.15/24,'], 'value', /prefix lengths/],
  [['--nets='], 'value', /prefix lengths/],
  [['--near=10.0.0.3'], 'value', /their stations/],
  [['--near=10.0.0.3=52:54:00:00:00:3'], 'value', /their stations/],
  [['--near=10.0.0.3=52:54:00:00:00:0A'], 'value', /their stations/],
  [['--near=10.0.0.3=53:54:00:00:00:03'], 'value', /their stations/],
  [['--near=10.0.0.3=00:00:00:00:00:00'], 'value', /their stations/],
  [['--near=10.0.0.3=52:54:00:00:00:03=x'], 'value', /their stations/],
  [['--near=10.0.0.3=52:54:00:00:00:03,10.0.0.3=52:54:00:00:00:04'], 'value', /their stations/],
  [['--near=10.0.0.03=52:54:00:00:00:03'], 'value', /their stations/],
  [['--ways=10.0.0.0/8'], 'value', /their routers/],
  [['--ways=10.0.0.0/8=up'], 'value', /their routers/],
  [['--ways=10.0.0.0/8=link=link'], 'value', /their routers/],
  [['--nothing=1'], 'unknown', /no argument --nothing/],
  [['--constructor=1'], 'unknown', /no argument --constructor/],
  [['--port=1', '--port=2'], 'repeated', /--port is given twice/],
  [['port=1'], 'malformed', /not of the form/],
  [['-p'], 'malformed', /not of the form/],
  [['--'], 'malformed', /not of the form/],
];
for (const [argv, kind, message] of BAD) {
  test(`${argv.join(' ')} › ${kind}`, () => {
    const parsed = parseArguments(argv, SPECS);
    assert.ok(!parsed.ok);
    assert.equal(parsed.error.kind, kind);
    assert.match(parsed.error.message, message);
  });
}

test('an argument without default › required', () => {
  const specs = { key: arg.string({ doc: 'the key' }) };
  const parsed = parseArguments([], specs);
  assert.ok(!parsed.ok);
  assert.deepEqual(parsed.error, { kind: 'missing', message: '--key is required: the key' });
});

test('bounds on one side only › said so', () => {
  const message = (spec: ReturnType<typeof arg.int>): string => {
    const parsed = parseArguments(['--n=5'], { n: spec });
    return parsed.ok ? 'ok' : parsed.error.message;
  };
  assert.match(message(arg.int({ doc: '', max: 4 })), /at most 4/);
  assert.match(message(arg.int({ doc: '', min: 6 })), /at least 6/);
});

test('--help › nothing else is read', () => {
  assert.deepEqual(parseArguments(['--nonsense', '--help'], SPECS), {
    ok: true,
    value: { help: true },
  });
});

test('help lists name, placeholder, doc and default', () => {
  const key = arg.string({ doc: 'the key' });
  const groups = [
    { title: 'of this program', specs: { port: SPECS.port!, key } },
    { title: 'empty', specs: {} },
  ];
  assert.deepEqual(helpLines('site', groups), [
    'site: boot-time arguments',
    '',
    'of this program:',
    '  --port=PORT                the port (default 80)',
    '  --key=TEXT                 the key (required)',
  ]);
});
