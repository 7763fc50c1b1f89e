import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FlagTable, parseCommandLine } from '../../tools/cli/flags.ts';
import { VERBS } from '../../tools/cli/verbs.ts';

function parse(flags: FlagTable, argv: readonly string[], wordsMax = 1) {
  const parsed = parseCommandLine(argv, flags, wordsMax);
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.error);
  return parsed.value;
}

test('nothing › what is absent', () => {
  const line = parse(VERBS.run.flags, []);
  assert.deepEqual(line, {
    flags: {
      name: null,
      target: 'pvh',
      publish: [],
      network: [],
      'allow-host': false,
      link: [],
      disk: [],
      inspect: 'on',
      management: false,
      tls: false,
      'tls-files': null,
      acme: false,
      ca: null,
      memory: 16,
      net: 'host',
      machine: 'microvm',
      accelerator: 'auto',
      'keep-image': null,
    },
    words: [],
    rest: null,
  });
});

test('words, flags and what follows -- are told apart', () => {
  const line = parse(VERBS.run.flags, ['app.ts', '--memory=8', '--', '--port=81', '--', 'x']);
  assert.deepEqual(line.words, ['app.ts']);
  assert.equal(line.flags.memory, 8);
  assert.deepEqual(line.rest, ['--port=81', '--', 'x']);
});

test('publish › repeated, with address and protocol', () => {
  const words = ['--publish=8080:80', '--publish=0.0.0.0:5353:53/udp', '--publish=1:65535/tcp'];
  assert.deepEqual(parse(VERBS.run.flags, words).flags.publish, [
    { hostAddress: '127.0.0.1', hostPort: 8080, guestPort: 80, protocol: 'tcp' },
    { hostAddress: '0.0.0.0', hostPort: 5353, guestPort: 53, protocol: 'udp' },
    { hostAddress: '127.0.0.1', hostPort: 1, guestPort: 65_535, protocol: 'tcp' },
  ]);
});

test('publish to a name › with address and protocol', () => {
  const words = ['--publish=8080:web:80', '--publish=0.0.0.0:53:10.77.0.16:5353/udp'];
  assert.deepEqual(parse(VERBS.switch.flags, words, 0).flags.publish, [
    { hostAddress: '127.0.0.1', hostPort: 8080, guest: 'web', guestPort: 80, protocol: 'tcp' },
    { hostAddress: '0.0.0.0', hostPort: 53, guest: '10.77.0.16', guestPort: 5353, protocol: 'udp' },
  ]);
});

test('link and disk › repeated › kept in order', () => {
  const words = ['--link=tap:a', '--link=unix:/b=c', '--disk=x=/d', '--link=unix-listen:e,mac=2'];
  const { flags } = parse(VERBS.run.flags, words);
  assert.deepEqual(flags.link, ['tap:a', 'unix:/b=c', 'unix-listen:e,mac=2']);
  assert.deepEqual(flags.disk, [{ name: 'x', file: '/d', bytes: null, readOnly: false }]);
});

const REFUSED: readonly [keyof typeof VERBS, string[], RegExp][] = [
  ['run', ['--memory'], /expected --memory with an integer, 3 to 4096/],
  ['run', ['--memory='], /expected --memory/],
  ['run', ['--memory=2'], /expected --memory/],
  ['run', ['--memory=4097'], /expected --memory/],
  ['run', ['--memory=8M'], /expected --memory/],
  ['run', ['--memory=8', '--memory=8'], /--memory is given twice/],
  ['run', ['--machine=pc'], /with microvm or q35/],
  ['run', ['--target=arm'], /with pvh or process or node/],
  ['run', ['--network=Lab'], /with up to 63 of a-z, 0-9 and '-'/],
  ['run', ['--network'], /expected --network/],
  ['run', ['--network=a', '--network=b', '--network=a'], /'--network=a' is given twice/],
  ['switch', ['--publish=8080:80'], /as 8080:web:80/],
  ['switch', ['--publish=0.0.0.0:8080:80'], /as 8080:web:80/],
  ['switch', ['--publish=8080:web:0'], /as 8080:web:80/],
  ['switch', ['--loss=1e2'], /a percentage, 0 to 100/],
  ['switch', ['--delay=-1'], /milliseconds, 0 to 60000/],
  ['switch', ['x'], /unexpected 'x'/],
  ['run', ['--link=eth0'], /tap:NAME, unix:PATH or unix-listen:PATH/],
  ['run', ['--link=tap:'], /expected --link/],
  ['run', ['--link'], /expected --link/],
  ['run', ['--disk=file'], /NAME=FILE/],
  ['run', ['--disk==file'], /expected --disk/],
  ['run', ['--disk=a=b', '--disk=a=c'], /--disk/],
  ['run', ['--publish=80'], /ADDRESS/],
  ['run', ['--publish=0:80'], /expected --publish/],
  ['run', ['--publish=80:65536'], /expected --publish/],
  ['run', ['--publish=80:80/sctp'], /expected --publish/],
  ['run', ['--keep-image='], /a value/],
  ['run', ['a', 'b'], /unexpected 'b'/],
  ['run', ['-m'], /unknown flag '-m'/],
  ['run', ['--Memory=8'], /unknown flag '--Memory=8'/],
  ['run', ['--toString'], /unknown flag/],
  ['build', ['--json=true'], /no value/],
  ['build', ['--publish=8080:80'], /unknown flag/],
  ['new', ['--template=blog'], /static or handler or devices/],
  ['dev', ['--net=both'], /with host or direct/],
  ['dev', ['--link=eth0'], /tap:NAME, unix:PATH/],
  ['dev', ['--port=0'], /an integer, 1 to 65535/],
];
for (const [verb, argv, message] of REFUSED) {
  test(`${verb} ${argv.join(' ')} › refused`, () => {
    const { flags, wordsMax } = VERBS[verb];
    const parsed = parseCommandLine(argv, flags as FlagTable, wordsMax);
    assert.ok(!parsed.ok);
    assert.match(parsed.error, message);
  });
}
