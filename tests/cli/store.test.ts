/** `morgana store`, with stock git as the other party. */

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { asFailure } from '../../tools/cli/failure.ts';
import { parseCommandLine } from '../../tools/cli/flags.ts';
import { Answers } from '../../tools/cli/store/answers.ts';
import { storeVerb } from '../../tools/cli/store/store.ts';
import { VERBS } from '../../tools/cli/verbs.ts';
import { StockGit } from '../helpers/git.ts';
import { startGitDaemon } from '../helpers/git-daemon.ts';
import { Workspace } from './cli.ts';

const stock = new StockGit();
const work = new Workspace();
const root = work.path('store');
const git = (...args: string[]): Promise<string> => stock.run(args, { cwd: root });

before(() => {
  process.env.GIT_AUTHOR_NAME = 'Ada';
  process.env.GIT_AUTHOR_EMAIL = 'ada@example.org';
});
after(() => {
  stock.remove();
  work.remove();
});

/** What was said beside answers. */
const notes: string[] = [];
/** What the last word wrote to stdout, a character a byte. */
let written = '';

/** In this process: what it would write to stdout. Throws the failure that it would end with. */
async function store(...words: string[]): Promise<string> {
  const at = words.some((word) => word.startsWith('--root=')) ? [] : [`--root=${root}`];
  const line = parseCommandLine([...words, ...at], VERBS.store.flags, VERBS.store.wordsMax);
  assert.ok(line.ok, JSON.stringify(line));
  written = '';
  const code = await storeVerb(
    line.value,
    new Answers(
      (bytes) => {
        written += Buffer.from(bytes).toString('latin1');
      },
      (note) => notes.push(note),
    ),
  );
  assert.equal(code, 0);
  return Buffer.from(written, 'latin1').toString();
}

async function fails(words: string[], exitCode: number, message: RegExp): Promise<string> {
  let failure = null;
  try {
    await store(...words);
  } catch (error) {
    failure = asFailure(error);
    if (failure === null) throw error;
  }
  assert.ok(failure !== null, `${words.join(' ')}: done`);
  assert.match(failure.message, message);
  assert.equal(failure.exitCode, exitCode);
  return failure.detail.join('\n');
}

test('init, set, remove › git reads each as one commit', async () => {
  assert.match(await store('init'), /^made a store in /);
  assert.match(await store('init'), /^there is already a store in /);
  assert.match(await store('set', 'greeting', 'hello\n'), /^main is at [0-9a-f]{10}\n$/);
  const second = JSON.parse(await store('set', 'a/b', 'x', '--message=why', '--json'));
  assert.equal(second.commit, await git('rev-parse', 'main'));
  assert.equal(await store('set', 'a/b', 'x'), 'nothing has changed\n');
  await store('set', 'gone', 'x', '--author=Bob <bob@example.org>');
  await store('remove', 'gone');
  const log = await git('log', '--format=%an <%ae> %s', '--reverse', 'main');
  assert.deepEqual(log.split('\n'), [
    'Ada <ada@example.org> set greeting',
    'Ada <ada@example.org> why',
    'Bob <bob@example.org> set gone',
    'Ada <ada@example.org> remove gone',
  ]);
  assert.equal(await git('show', 'main:greeting'), 'hello');
  assert.equal(await git('ls-tree', '-r', '--name-only', 'main'), 'a/b\ngreeting');
  assert.equal(await git('fsck', '--full', '--strict'), '');
});

test('get, list, tree, branches, log › what is there, for people and for programs', async () => {
  assert.equal(await store('get', 'greeting'), 'hello\n');
  assert.deepEqual(JSON.parse(await store('get', '/a/b', '--json')), {
    path: ['a', 'b'],
    text: 'x',
  });
  assert.equal(await store('list'), 'DIR a\nFILE greeting\n');
  assert.equal(await store('list', 'a'), 'FILE b\n');
  assert.equal(await store('tree'), 'a/\n  b\ngreeting\n');
  assert.deepEqual(JSON.parse(await store('list', '--json'))[0], { step: 'a', kind: 'tree' });
  assert.deepEqual(JSON.parse(await store('tree', 'a', '--json'))[0].path, ['b']);
  assert.match(await store('branches'), /^\* main [0-9a-f]{10}\n$/);
  const commits = JSON.parse(await store('log', '--json'));
  assert.equal(commits.length, 4);
  assert.deepEqual(commits[0].parents, [commits[1].id]);
  assert.equal(JSON.parse(await store('log', 'a', '--json'))[0].message, 'why\n');
  assert.match(
    await store('log', '--count=1'),
    /^commit [0-9a-f]{40}\nAuthor: Ada <ada@.*\n {4}remove gone\n$/s,
  );
});

test('what git commits › read; diff between revisions of all kinds', async () => {
  const clone = stock.path('clone');
  await stock.run(['clone', '-q', root, clone]);
  mkdirSync(path.join(clone, 'c'));
  writeFileSync(path.join(clone, 'c', 'bytes'), Uint8Array.of(0xff, 0));
  await stock.run(['add', '.'], { cwd: clone });
  await stock.run(['rm', '-q', 'a/b'], { cwd: clone });
  await stock.run(['commit', '-q', '-m', 'by git'], { cwd: clone });
  await stock.run(['tag', '-a', 'v1', '-m', 'one'], { cwd: clone });
  await stock.run(['push', '-q', 'origin', 'main', 'v1'], { cwd: clone });
  assert.deepEqual(JSON.parse(await store('get', 'c/bytes', '--json')), {
    path: ['c', 'bytes'],
    base64: '/wA=',
  });
  assert.equal(await store('diff'), '- a/b\n+ c/bytes\n');
  const first = (await git('rev-list', '--max-parents=0', 'main')).slice(0, 9);
  assert.equal(await store('diff', first, 'v1'), '+ c/bytes\n');
  assert.equal(await store('diff', 'HEAD', first), '- c/bytes\n');
  assert.equal(await store('diff', first), '+ greeting\n');
  const [change] = JSON.parse(await store('diff', first, '--json'));
  assert.deepEqual([change.before, change.after.mode], [null, '100644']);
});

test('a value, a path that begins with - › after --', async () => {
  const at = `--root=${work.path('dashes')}`;
  await store('init', at);
  await store('set', at, 'n', '--', '-5');
  assert.equal(await store('get', 'n', at), '-5');
  await store('set', at, '--', '-x', '');
  assert.equal(await store('get', at, '--', '-x'), '');
});

test('branches merged, conflicts told, commits undone', async () => {
  await git('branch', 'side', 'main');
  await store('set', 'side', '1', '--branch=side');
  await store('set', 'greeting', 'ours', '--message=ours');
  await store('merge', 'side');
  assert.equal(await store('get', 'side'), '1');
  assert.equal(
    await git('log', '-1', '--format=%s %p', 'main').then((text) => text.split(' ').length),
    4,
  );
  await store('set', 'greeting', 'theirs', '--branch=side');
  const before = await git('rev-parse', 'main');
  const detail = await fails(['merge', 'side'], 2, /1 conflicts?.*greeting/);
  assert.match(detail, /^conflict: greeting: both changed/);
  assert.equal(await git('rev-parse', 'main'), before);
  await git('branch', '-f', 'both', 'main');
  await store('merge', 'side', '--keep-both', '--branch=both');
  const kept = (await git('ls-tree', '--name-only', 'both')).split('\n');
  assert.equal(kept.filter((name) => name.startsWith('greeting')).length, 2);
  await store('set', 'lines', 'one\ntwo\nthree\nfour\n', '--branch=lines');
  await git('branch', '-f', 'other', 'lines');
  await store('set', 'lines', 'ONE\ntwo\nthree\nfour\n', '--branch=lines');
  await store('set', 'lines', 'one\ntwo\nthree\nFOUR\n', '--branch=other');
  await store('merge', 'other', '--branch=lines');
  assert.equal(await store('get', 'lines', '--branch=lines'), 'ONE\ntwo\nthree\nFOUR\n');
  await git('branch', '-f', 'moved', 'lines');
  await store('set', 'dir/lines', 'ONE\ntwo\nthree\nFOUR\n', '--branch=moved');
  await store('remove', 'lines', '--branch=moved');
  await store('set', 'lines', 'changed\n', '--branch=lines');
  await store('merge', 'lines', '--branch=moved');
  assert.equal(await store('get', 'dir/lines', '--branch=moved'), 'changed\n');
  await git('branch', '-D', 'moved');
  const ours = JSON.parse(await store('log', 'greeting', '--json'))[0].id;
  await store('revert', ours);
  assert.equal(await store('get', 'greeting'), 'hello\n');
  await store('revert', before, '--reset');
  assert.equal(await git('rev-parse', 'main'), before);
  const dot = await store('graph');
  assert.match(dot, /^digraph store \{\n[\s\S]*"side" -> "[0-9a-f]{40}";[\s\S]*\}\n$/);
});

test('names of any bytes › shown as git shows them, and named so', async () => {
  const at = `--root=${work.path('names')}`;
  await store('init', at);
  const there = (...args: string[]) => stock.run(args, { cwd: work.path('names') });
  // The bytes of names, one char code each: no UTF-8, a tab and quotes, an escape sequence, UTF-8.
  const names = ['caf\xe9', 'a\t"b\\', '\x1b[2J', 'caf\xc3\xa9', '\xff/\xfe'];
  const quoted = names.map((name) => {
    const text = name.replace(/[^ !#-[\]-~]/g, (byte) => {
      const known = { '\t': '\\t', '"': '\\"', '\\': '\\\\' }[byte];
      return known ?? `\\${byte.charCodeAt(0).toString(8).padStart(3, '0')}`;
    });
    return `"${text}"`;
  });
  const marks = names.map((_, i) => `M 100644 inline ${quoted[i]}\ndata 1\n${i}\n`);
  const commit = 'commit refs/heads/main\ncommitter A <a@b> 1 +0000\ndata 1\nm';
  await stock.run(['fast-import', '--quiet'], {
    cwd: work.path('names'),
    input: `${commit}\n${marks.join('')}`,
  });
  // What git prints is what we take.
  const printed = (await there('ls-tree', '-r', '--name-only', 'main')).split('\n');
  assert.deepEqual(printed.toSorted(), quoted.toSorted());
  for (const [i, name] of quoted.entries()) assert.equal(await store('get', name, at), `${i}`);
  const listed = (await store('list', at)).split('\n').map((line) => line.replace(/^[A-Z]+ /, ''));
  const plain = quoted.filter((_, i) => i < 3);
  for (const name of [...plain, 'café', '"\\377"']) assert(listed.includes(name), name);
  // What we print too, and what is plain needs no quotes.
  assert.equal(await store('get', 'café', at), '3');
  assert.equal(await store('list', '"\\377"', at), 'FILE "\\376"\n');
  await store('set', quoted[0]!, 'new', at);
  assert.equal(await store('diff', at), `* ${quoted[0]}\n`);
  await store('remove', quoted[4]!, at);
  assert.equal(await store('diff', at), `- ${quoted[4]}\n`);
  assert.equal(JSON.parse(await store('get', quoted[0]!, '--json', at)).path[0], 'caf\udce9');
  assert.equal(await there('fsck', '--strict'), '');
  for (const wrong of ['"', '"a', '"a"b"', '"\\400"', '"\\x41"', '"a\\"']) {
    await fails(['get', wrong, at], 1, /quoted as Git does/);
  }
});

test('a branch that isn’t there › said, with those that are near', async () => {
  const words = ['get greeting', 'list', 'tree', 'log', 'remove greeting', 'merge main', 'push'];
  for (const word of [...words, 'revert main']) {
    const args = [...word.split(' '), '--branch=sidee'];
    await fails(args, 2, /^there is no branch 'sidee', in .*, did you mean side$/);
  }
  await fails(
    ['list', '--branch=frobnicate'],
    2,
    /no branch 'frobnicate', in .*--branch=NAME: both, /,
  );
  await fails(['merge', 'sied'], 2, /no branch, tag or commit 'sied', did you mean side$/);
  const at = `--root=${work.path('unborn')}`;
  await store('init', at);
  for (const word of ['list', 'tree', 'log', 'branches']) assert.equal(await store(word, at), '');
  assert.equal(await store('list', '--branch=main', at), '');
  await fails(['list', '--branch=typo', at], 2, /no branch 'typo', in .*, set something first$/);
});

test('what would be done in vain › refused, not passed over', async () => {
  for (const word of ['branches', 'export x', 'import x', 'gc', 'check', 'serve', 'graph']) {
    const args = [...word.split(' '), '--branch=main'];
    await fails(args, 1, new RegExp(`--branch does not go with store ${args[0]}`));
  }
  await fails(['log', 'never'], 2, /nothing was ever at never/);
  await fails(['init', '--object-format=sha256'], 2, /already a store in .*shorter hash/);
});

test('wrong words, flags, paths, revisions, places › one line each, and the exit code', async () => {
  await fails([], 1, /store needs a word/);
  await fails(['frob'], 1, /store has no 'frob'/);
  await fails(['get'], 1, /needs PATH/);
  await fails(['branches', 'x'], 1, /unexpected 'x'/);
  await fails(['get', 'x', '--message=m'], 1, /--message does not go with store get/);
  await fails(['set', 'x'], 1, /VALUE or --file/);
  await fails(['set', 'x', `--file=${work.directory}`], 2, /is a directory, name a file$/);
  await fails(['set', 'x', '--', '-1', '2'], 1, /unexpected '2'/);
  await fails(['set', '/', 'x'], 1, /is the root/);
  await fails(['set', 'x', 'y', '--author=me'], 1, /is no author/);
  await fails(['set', 'x', 'y', '--branch=a..b'], 1, /can't be a branch/);
  await fails(['set', '.git/config', 'y'], 2, /can't be a step/);
  await fails(['get', 'nothing'], 2, /nothing is at nothing/);
  await fails(['get', 'c'], 2, /is a tree/);
  await fails(['list', 'greeting'], 2, /is no tree/);
  await fails(['remove', 'nothing'], 2, /nothing is at/);
  for (const word of ['list', 'tree', 'log']) {
    await fails([word, '--branch=typo'], 2, /^there is no branch 'typo'/);
  }
  await fails(['merge', 'nobody'], 2, /no branch, tag or commit 'nobody'/);
  await fails(['pull'], 1, /cloned from nowhere/);
  for (const word of ['ftp://x', 'http://', 'git://x', 'git:///x', 'git://h/%00', 'file://h/x']) {
    await fails(['push', word], 1, /neither a URL nor a directory/);
  }
  await fails(['push', 'git://ada@host/repo'], 1, /names a user/);
  for (const word of ['ssh://h/x', 'git+ssh://h/x', 'ada@h:repo']) {
    await fails(['push', word], 1, /needs SSH, which is not built in/);
  }
  await fails(['get', 'x', `--root=${work.path('none')}`], 2, /no directory/);
  await fails(['get', 'x', `--root=${work.directory}`], 2, /no Git repository/);
  await fails(['init', `--root=${work.directory}`], 2, /isn't empty/);
});

test('watch › changes by git and by us, one a line, until so many', async () => {
  const begun = Promise.withResolvers<void>();
  const first = Promise.withResolvers<void>();
  const lines: string[] = [];
  const out = new Answers(
    (text) => {
      lines.push(String(text));
      first.resolve();
    },
    () => begun.resolve(),
  );
  const words = ['watch', 'w', '--count=2', '--json', `--root=${root}`];
  const line = parseCommandLine(words, VERBS.store.flags, VERBS.store.wordsMax);
  assert.ok(line.ok);
  const watching = storeVerb(line.value, out);
  await begun.promise;
  const clone = stock.path('clone');
  await stock.run(['pull', '-q', '--rebase', 'origin', 'main'], { cwd: clone });
  mkdirSync(path.join(clone, 'w'));
  writeFileSync(path.join(clone, 'w', 'x'), '1');
  await stock.run(['add', '.'], { cwd: clone });
  await stock.run(['commit', '-q', '-m', 'watched'], { cwd: clone });
  await stock.run(['push', '-q', 'origin', 'HEAD:main'], { cwd: clone });
  await first.promise;
  await store('set', 'elsewhere', '1');
  await store('set', 'w/x', '2');
  assert.equal(await watching, 0);
  const changes = lines.map((text) => JSON.parse(text));
  const told = changes.map(({ kind, path: at }) => `${kind} ${at.join('/')}`);
  assert.deepEqual(told, ['added w/x', 'updated w/x']);
  assert.equal(changes[1].after, await git('rev-parse', 'main'));
});

test('serve, clone, pull, push › between two stores; git clones and pushes too', async (t) => {
  const tool = work.start(['store', 'serve', '--push', '--json', `--root=${root}`]);
  t.after(() => tool.child.kill('SIGKILL'));
  await tool.wrote(/^\{"url": "http:\/\/127\.0\.0\.1:\d+\/"\}\n/);
  const { url } = JSON.parse(tool.stdout);
  const copy = `--root=${work.path('copy')}`;
  assert.match(await store('clone', url, copy), /^cloned into .*: \d+ objects\n$/);
  assert.equal(await store('get', 'side', copy), '1');
  await store('set', 'from-copy', '1', copy);
  assert.match(await store('push', copy), /^main is at [0-9a-f]{10} there: fast-forward\n$/);
  assert.equal(await git('show', 'main:from-copy'), '1');
  await store('set', 'from-root', '1');
  await store('set', 'from-copy', '2', copy);
  await fails(['push', copy], 2, /refused main: .*(fetch first|non-fast-forward)/);
  await store('pull', copy);
  assert.equal(await store('get', 'from-root', copy), '1');
  assert.match(await store('push', copy), /fast-forward/);
  await stock.run(['clone', '-q', url, stock.path('over-http')]);
  assert.equal(await stock.run(['fsck', '--full'], { cwd: stock.path('over-http') }), '');
  // A page whose name leads to 127.0.0.1 asks by that name.
  const rebound = ['-c', 'http.extraHeader=Host: evil.example', 'ls-remote', url];
  assert.match((await stock.try(rebound)).stderr, /403/);
  tool.child.kill('SIGINT');
  assert.equal((await tool.ended).code, 0);
});

test('export, import › git takes our bundle and verifies it, we take git’s', async () => {
  const file = work.path('all.bundle');
  assert.match(await store('export', file), /^6 branches and tags, \d+ objects in /);
  assert.match(await git('bundle', 'verify', file), /complete history/);
  const folder = stock.path('from-bundle');
  await stock.run(['clone', '-q', file, folder]);
  assert.equal(await stock.run(['fsck', '--full'], { cwd: folder }), '');
  const head = (branch: string) => git('rev-parse', branch);
  assert.equal(await stock.run(['rev-parse', 'HEAD'], { cwd: folder }), await head('main'));
  const other = `--root=${work.path('imported')}`;
  await store('init', other);
  assert.match(await store('import', file, other), /refs\/heads\/main [0-9a-f]{10}: new\n/);
  assert.equal(await store('get', 'side', other), '1');
  await stock.run(['commit', '-q', '--allow-empty', '-m', 'later'], { cwd: folder });
  const part = work.path('part.bundle');
  await stock.run(['bundle', 'create', '-q', part, 'HEAD~1..main'], { cwd: folder });
  assert.match(await store('import', part, other), /^refs\/heads\/main .*: fast-forward\n$/);
  await store('set', 'aside', '1');
  await store('export', file);
  assert.match(await store('import', file, other), /kept as import\/main, to be merged/);
  await store('merge', 'import/main', other);
  assert.equal(await store('get', 'aside', other), '1');
  const fresh = `--root=${work.path('fresh')}`;
  await store('init', fresh);
  await fails(['import', part, fresh], 2, /builds on commits that are not here: [0-9a-f]{40}/);
  await fails(['export', work.path('none.bundle'), fresh], 2, /no branch and no tag/);
  await fails(['import', path.join(root, 'config'), fresh], 2, /not a bundle/);
  await fails(['import', work.path('nowhere'), fresh], 2, /no such file/);
});

test('a store in another directory › cloned, pulled, pushed › as over a network', async () => {
  const copy = `--root=${work.path('beside')}`;
  await store('clone', pathToFileURL(root).href, copy);
  await store('set', 'beside', '1', copy);
  assert.match(await store('push', copy), /fast-forward/);
  assert.equal(await git('show', 'main:beside'), '1');
  await store('set', 'beside', '2');
  assert.match(await store('pull', copy), /^main is at/);
  assert.equal(await store('get', 'beside', copy), '2');
  assert.equal(await store('pull', copy), 'nothing has changed\n');
});

test('git:// › cloned, pulled, pushed, gone › as over a network, and told', async () => {
  const daemon = await startGitDaemon(stock, path.dirname(root));
  const copy = `--root=${work.path('by-daemon')}`;
  try {
    await store('clone', `git://127.0.0.1:${daemon.port}/${path.basename(root)}`, copy);
    await store('set', 'daemon', '1', copy);
    assert.match(await store('push', copy), /fast-forward/);
    assert.equal(await git('show', 'main:daemon'), '1');
    await store('set', 'daemon', '2');
    assert.match(await store('pull', copy), /^main is at/);
    const nowhere = `git://127.0.0.1:${daemon.port}/nowhere`;
    await fails(['pull', nowhere, copy], 2, /access denied or repository not exported/);
  } finally {
    await daemon.close();
  }
  await fails(['pull', copy], 2, /refused/);
});

test('clone › fails › nothing is left, and the right one works there', async () => {
  const to = work.path('cloned');
  const at = `--root=${to}`;
  await fails(['clone', work.path('nowhere'), at], 2, /no directory/);
  assert.equal(existsSync(to), false);
  mkdirSync(to);
  await fails(['clone', root, at, '--object-format=sha256'], 2, /SHA-1.*other --object-format/);
  assert.deepEqual(readdirSync(to), []);
  await store('clone', root, at);
  await fails(['clone', work.path('nowhere'), at], 2, /already a store/);
  assert.equal(await store('get', 'side', at), '1');
});

test('the words that change, send and keep › --json › what programs get', async () => {
  const [at, copy] = [`--root=${work.path('programs')}`, `--root=${work.path('programs-copy')}`];
  const json = async (...words: string[]) => JSON.parse(await store(...words, '--json'));
  assert.deepEqual(await json('init', at), { root: work.path('programs'), created: true });
  const { commit: first } = await json('set', 'a', '1', at);
  const cloned = await json('clone', work.path('programs'), copy);
  assert.deepEqual([cloned.root, cloned.objects], [work.path('programs-copy'), 3]);
  const { commit: second } = await json('set', 'a', '2', at);
  assert.deepEqual(await json('pull', copy), { branch: 'main', commit: second });
  assert.equal((await json('push', copy)).outcome, 'up to date');
  await store('set', 'a', '3', copy);
  await store('set', 'a', '4', at);
  const told = await fails(['pull', '--json', copy], 2, /1 conflicts/).then(() => written);
  const { branch, count, conflicts } = JSON.parse(told);
  assert.deepEqual([branch, count, conflicts.length], ['main', 1, 1]);
  const [{ path: where, base, ours, theirs, reason }] = conflicts;
  assert.deepEqual([where, base.mode, reason.kind], [['a'], '100644', 'both changed']);
  assert.notEqual(ours.id, theirs.id);
  assert.equal((await json('pull', '--keep-both', copy)).branch, 'main');
  assert.equal((await json('revert', first, '--reset', copy)).commit, first);
  assert.equal((await json('revert', first, copy)).branch, 'main');
  assert.deepEqual(await json('list', copy), []);
  const file = work.path('programs.bundle');
  assert.deepEqual((await json('export', file, at)).refs, ['refs/heads/main']);
  assert.equal(
    (await json('import', file, copy)).refs[0].outcome,
    'kept as import/main, to be merged',
  );
  assert.equal((await json('check', copy)).problemCount, 0);
  assert.equal((await json('gc', copy)).packsRemoved, 1);
  const { branches, commits } = await json('graph', at);
  assert.deepEqual([branches, commits.length], [[{ name: 'main', head: commits[0].id }], 3]);
  assert.equal((await json('remove', 'a', at)).branch, 'main');
});

test('gc › one pack, which git finds whole; read as before', async () => {
  assert.match(await store('gc'), /^\d+ objects in a pack of \d+ bytes, instead of/);
  assert.equal(await git('fsck', '--full', '--strict', '--no-dangling'), '');
  assert.match(await git('count-objects', '-v'), /^packs: 1$/m);
  assert.equal(await store('get', 'side'), '1');
});

test('check › whole; an object gone › told, with who names it', async () => {
  assert.match(await store('check'), /^\d+ objects, all there and whole\n$/);
  const lost = `--root=${work.path('lost')}`;
  await store('init', lost);
  await store('set', 'a', 'x', lost);
  const id = JSON.parse(await store('tree', '--json', lost))[0].id as string;
  const folder = work.path(`lost/objects/${id.slice(0, 2)}`);
  for (const name of readdirSync(folder)) unlinkSync(path.join(folder, name));
  const detail = await fails(['check', lost], 2, /1 problems with 2 objects/);
  assert.equal(detail, `the blob ${id} is named, and missing`);
});

test('a broken ref › branches lists the others with a warning; check names it', async () => {
  const broken = path.join(root, 'refs/heads/broken');
  writeFileSync(broken, 'x');
  assert.match(await store('branches'), /^\* main /m);
  assert.match(notes.join(''), /^warning: ignoring broken ref refs\/heads\/broken: /m);
  const detail = await fails(['check'], 2, /^1 problems? with/);
  assert.match(detail, /refs\/heads\/broken is a broken ref/);
  assert.notEqual(await store('list'), '');
  unlinkSync(broken);
});

test('in a process of its own › exit codes, contents byte by byte, errors on stderr', async () => {
  const args = ['store', 'get', 'nothing', `--root=${root}`];
  const { code, stdout, stderr } = await work.run(args);
  assert.deepEqual([code, stdout], [2, '']);
  assert.match(
    stderr,
    /^error: nothing is at nothing, branch main of .*, see "morgana store list"\n$/,
  );
});
