import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { HELLO_SITE, Workspace } from './cli.ts';

const CONFIG = `import { arg, defineUnikernel } from 'morgana/config';
export default defineUnikernel({
  name: 'ender',
  main: './main.ts',
  devices: {},
  args: { code: arg.int({ doc: 'how to end' }) },
});
`;
const MAIN = `import type { Start } from 'morgana';
import type config from './morgana.config.ts';
export const start: Start<typeof config> = async ({ args, memoryBytes, log }) => {
  log.info('memory ' + memoryBytes);
  if (args.code === 99) await new Promise(() => {});
  return args.code;
};
`;

const work = new Workspace({
  ...HELLO_SITE,
  'ender/morgana.config.ts': CONFIG,
  'ender/main.ts': MAIN,
});
after(() => work.remove());

test('run › boot-time arguments, memory and exit code pass through', async () => {
  const words = ['run', 'ender', '--target=process', '--memory=24', '--', '--code=7'];
  const { code, stdout, stderr } = await work.run(words);
  assert.equal(code, 7, stderr);
  assert.match(stdout, /info ender: memory 25165824$/m);
});

test('run › again while it runs › both do; Ctrl-C ends it', async () => {
  const tool = work.start(['run', 'ender', '--target=process', '--', '--code=99']);
  await tool.wrote(/info ender: memory/);
  // The kernel refuses to write into a program that runs (ETXTBSY).
  const again = await work.run(['run', 'ender', '--target=process', '--', '--code=7']);
  assert.equal(again.code, 7, again.stderr);
  tool.child.kill('SIGINT');
  assert.equal((await tool.ended).code, 130);
});

test('build, then run the image › it knows its target', async () => {
  const built = await work.run(['build', 'ender', '--target=process', '--json']);
  assert.equal(built.code, 0, built.stderr);
  const report = JSON.parse(built.stdout);
  assert.equal(report.output, 'ender.elf');
  assert.equal(report.target, 'process');
  const sum = report.parts.reduce((n: number, part: { bytes: number }) => n + part.bytes, 0);
  assert.equal(sum, report.bytes);
  assert.equal((await work.run(['run', 'ender.elf', '--', '--code=5'])).code, 5);
  const help = await work.run(['run', 'ender.elf', '--', '--help']);
  assert.match(help.stdout, /--code/);
  const other = await work.run(['run', 'ender.elf', '--target=node', '--', '--code=5']);
  assert.equal(other.code, 1);
});

test('describe › the target, and a difference between two', async () => {
  const described = await work.run(['describe', 'htdocs', '--target=process', '--json']);
  assert.equal(described.code, 0, described.stderr);
  const description = JSON.parse(described.stdout);
  assert.equal(description.target, 'process');
  const implementations = description.devices.map((device: { implementation: string }) => {
    return device.implementation;
  });
  assert.ok(implementations.includes('a tap device or a UNIX socket'));
  assert.ok(Object.hasOwn(description.args, 'ipv4'));
  work.write('process.json', described.stdout);
  const diff = await work.run(['describe', '--diff', 'htdocs', 'process.json']);
  assert.equal(diff.code, 0, diff.stderr);
  assert.match(diff.stdout, /targets\/process/);
});

const REFUSED: readonly [string, string[], number, RegExp][] = [
  [
    'a network is needed, and no link is given',
    ['run', 'htdocs', '--target=process'],
    2,
    /^error: htdocs needs a network, and has none, give it --network=NAME, --link=tap:NAME or /m,
  ],
  [
    'a network is needed by what is developed',
    ['dev', 'htdocs', '--target=process'],
    2,
    /^error: htdocs needs a network, and has none, give it --network=NAME, --link=tap:NAME or /m,
  ],
  [
    'a link for a process on host sockets',
    ['run', 'htdocs', '--target=node', '--link=tap:tap0'],
    1,
    /^error: --link does not go with target node, give it --net=direct too$/m,
  ],
  [
    'a published port beside a link',
    ['run', 'htdocs', '--publish=8080:80', '--link=tap:tap0'],
    1,
    /^error: --publish does not go with --link, its ports are on the link/m,
  ],
  [
    'a disk that is not declared',
    ['run', 'ender', '--target=process', '--disk=a=b', '--', '--code=1'],
    1,
    /^error: ender declares no disk 'a', leave it out, or declare it in morgana\.config\.ts/m,
  ],
  [
    'a published port for a process',
    ['run', 'htdocs', '--target=process', '--publish=8080:80', '--link=tap:a'],
    1,
    /^error: --publish does not go with target process/m,
  ],
  [
    'a network and a link',
    ['run', 'htdocs', '--network=lab', '--link=tap:a'],
    1,
    /^error: --network does not go with --link, leave one out$/m,
  ],
  [
    'no such device',
    ['run', 'htdocs', '--target=process', '--link=tap:morgana-none'],
    69,
    /^error: tap:morgana-none: No such device; make it: ip tuntap add/m,
  ],
];
for (const [what, words, expected, message] of REFUSED) {
  test(`${what} › one sentence, exit code ${expected}`, async () => {
    const { code, stderr } = await work.run(words);
    assert.match(stderr, message);
    assert.equal(code, expected);
  });
}
