import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TEMPLATES } from '../../tools/cli/verbs.ts';
import { Workspace } from './cli.ts';

for (const template of TEMPLATES) {
  test(`${template} › builds as it is`, async () => {
    const work = new Workspace();
    try {
      const made = await work.run(['new', 'My App', `--template=${template}`]);
      assert.equal(made.code, 0, made.stderr);
      const app = /morgana dev (.+)$/m.exec(made.stdout)![1]!;
      const built = await work.run(['build', app, '--output=a.img']);
      assert.equal(built.code, 0, built.stderr);
    } finally {
      work.remove();
    }
  });
}

test('a directory with something in it › left alone', async () => {
  const work = new Workspace({ 'here/file': 'x' });
  try {
    const { code, stderr } = await work.run(['new', 'here']);
    assert.equal(code, 2);
    assert.match(stderr, /^error: here is not empty, name another directory\n$/);
  } finally {
    work.remove();
  }
});

const USAGE: readonly [string[], number, RegExp][] = [
  [[], 1, /^morgana: TypeScript unikernels/],
  [['--help'], 0, /^morgana: TypeScript unikernels/],
  [['run', '--help'], 0, /^morgana run/],
  [['fly'], 1, /^error: there is no verb 'fly'/],
  [['new'], 1, /^error: new needs a directory/],
  [['build', '--', 'x'], 1, /^error: build takes nothing after '--'/],
  [['build', '--fast'], 1, /^error: unknown flag '--fast', see "morgana build --help"\n$/],
  [['run', 'missing'], 2, /^error: there is no missing/],
];
for (const [args, code, output] of USAGE) {
  test(`morgana ${args.join(' ')} › exit code ${code}`, async () => {
    const work = new Workspace();
    try {
      const ended = await work.run(args);
      assert.equal(ended.code, code);
      assert.match(ended.stdout + ended.stderr, output);
      assert.equal(ended.stderr === '', code === 0 || args.length === 0);
    } finally {
      work.remove();
    }
  });
}

test('a file where the directory should be › one sentence', async () => {
  const work = new Workspace({ there: 'x' });
  const direct = await work.run(['new', 'there']);
  const below = await work.run(['new', 'there/app']);
  work.remove();
  assert.deepEqual(
    [direct.code, direct.stderr],
    [2, 'error: there is a file, name another directory\n'],
  );
  assert.equal(below.code, 2);
  assert.match(below.stderr, /^error: .*: not a directory, .*\n$/);
});
