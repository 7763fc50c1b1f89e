/** The small files: read as git reads them, and bounded. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { FileSystem } from '#device';
import type { ObjectId } from '../object-id.ts';
import { must } from '../test-must.ts';
import { encodeText } from '../wire/text.ts';
import { configBoolean, configValue, parseConfig } from './config.ts';
import {
  ALTERNATE_DEPTH_MAX,
  ALTERNATES_BYTES_MAX,
  ALTERNATES_MAX,
  CONFIG_BYTES_MAX,
  PACKED_OBJECTS_MIN,
  PENDING_BYTES_MAX,
  PENDING_OBJECTS_MAX,
  REF_FILE_BYTES_MAX,
  REFLOG_LINE_BYTES_MAX,
  REFLOG_REASON_BYTES_MAX,
  SHALLOW_FILE_BYTES_MAX,
  SYMBOLIC_DEPTH_MAX,
} from './limits.ts';
import { parsePackedRefs } from './packed-refs.ts';
import { parseAlternates, parseGitdirFile, parseRefFile } from './ref-file.ts';
import { emitReflogLine, parseReflog, parseReflogLine } from './reflog.ts';
import { parseShallowFile } from './shallow-file.ts';
import {
  AUTHOR,
  blobObject,
  commitObjects,
  openTest,
  simRepository,
  TestHome,
} from './test-repository.ts';

const home = new TestHome();
after(() => home.close());

const A = 'a'.repeat(40) as ObjectId;
const B = 'b'.repeat(40) as ObjectId;
const padded = (text: string, bytes: number, fill = ' '): Uint8Array =>
  encodeText(text + fill.repeat(bytes - text.length));

const CONFIG = `# one
[core]
	bare = true ; why
	name
[Remote "o\\"r\\\\i G"]
	URL = "a  b#c"  d \\
  e\\tf\\n
	url=second
[branch.Main] merge = x y  z${'  '}
[a "b"] ; comment
k-1 = "" # nothing
[a]k=1
`;

test('config › read as git config --list reads it', () => {
  const path = join(home.directory(), 'config');
  writeFileSync(path, CONFIG);
  const listed = home.gitWith(home.path, '', ['config', '-f', path, '--list', '-z']);
  const config = must(parseConfig(encodeText(CONFIG)));
  const ours = config.map(({ section, subsection, name, value }) => {
    const key = [section, ...(subsection === null ? [] : [subsection]), name].join('.');
    return value === null ? key : `${key}\n${value}`;
  });
  assert.deepEqual([...ours, ''], listed.split('\0'));
  assert.equal(configValue(config, 'remote.o"r\\i G.url'), 'second');
  assert.equal(configValue(config, 'core.NAME'), null);
  assert.equal(configValue(config, 'core.none'), undefined);
});

test('config › what git refuses is refused', () => {
  const wrong = ['[core', '[core "a]\n', '[a]\n1 = b\n', '[a]\nb c\n', '[a]\nb = "\n'];
  for (const text of [...wrong, '[a]\nb = \\x\n', '[a]\nb = "c\nd"\n']) {
    const path = join(home.directory(), 'config');
    writeFileSync(path, text);
    assert.throws(() => home.git(home.path, 'config', '-f', path, '--list'), text);
    assert.equal(parseConfig(encodeText(text)).ok, false, text);
  }
});

test('truths › as git has them', () => {
  for (const text of ['true', 'YES', 'on', '1', '-2'])
    assert.equal(configBoolean(text), true, text);
  for (const text of ['false', 'no', 'Off', '0', ''])
    assert.equal(configBoolean(text), false, text);
  assert.equal(configBoolean(null), true);
  assert.equal(configBoolean('maybe'), null);
});

test('files at their bound › read; one byte longer › refused', () => {
  const cases: [string, number, (b: Uint8Array) => { ok: boolean }, string][] = [
    ['[a]\nb=c\n', CONFIG_BYTES_MAX, parseConfig, '\n'],
    [A, REF_FILE_BYTES_MAX, (b) => parseRefFile(b, 'SHA-1'), ' '],
    ['gitdir: /a', REF_FILE_BYTES_MAX, parseGitdirFile, '\n'],
    ['/a\n', ALTERNATES_BYTES_MAX, parseAlternates, '\n'],
    [`${A} ${B} A <a> 1 +0000\t`, REFLOG_LINE_BYTES_MAX, (b) => parseReflogLine(b, 'SHA-1'), 'x'],
  ];
  for (const [text, bytesMax, parse, fill] of cases) {
    assert.equal(parse(padded(text, bytesMax, fill)).ok, true, text);
    assert.equal(parse(padded(text, bytesMax + 1, fill)).ok, false, text);
  }
});

test('shallow › cut, no id, a line too many, none › refused, but for none', () => {
  const parse = (text: string) => parseShallowFile(encodeText(text), 'SHA-1');
  assert.deepEqual(parse(`${A}\n${B}`), { ok: true, value: [A, B] });
  assert.deepEqual(parse(''), { ok: true, value: [] });
  for (const text of [A.slice(1), `${A} \n`, `${A}\n\n`, `${A}\n${B}${B}`, 'g'.repeat(41)]) {
    assert.equal(parse(text).ok, false, text);
  }
  const lines = (count: number) => encodeText(`${'a'.repeat(64)}\n`.repeat(count));
  const most = SHALLOW_FILE_BYTES_MAX / 65;
  assert.equal(must(parseShallowFile(lines(most), 'SHA-256')).length, most);
  assert.equal(parseShallowFile(lines(most + 1), 'SHA-256').ok, false);
});

test('shallow › as many as are read again, one more › written, refused and as it was', async () => {
  const files = simRepository(6);
  const backend = openTest(files, 6);
  const most = Math.floor(SHALLOW_FILE_BYTES_MAX / 41);
  const add = Array.from({ length: most }, (_, i) => i.toString(16).padStart(40, '0') as ObjectId);
  must(await backend.updateShallow({ add, remove: [] }));
  const refused = await backend.updateShallow({ add: [A], remove: [] });
  assert.equal(!refused.ok && refused.error.kind, 'too big');
  assert.equal(must(files.stat('shallow.lock')), null);
  assert.equal(must(await backend.listShallow()).size, most);
  must(await backend.updateShallow({ add: [A], remove: [add[0]!] }));
  assert.equal(must(await backend.listShallow()).has(A), true);
  await backend.close();
});

test('shallow › written by others, locked, malformed › read anew, busy, told', async () => {
  const files = simRepository(5);
  const backend = openTest(files, 5);
  must(await backend.updateShallow({ add: [B, A], remove: [] }));
  assert.deepEqual(must(files.readFile('shallow', 100)), encodeText(`${A}\n${B}\n`));
  assert.equal(backend.isShallow(A), true);
  const lock = must(files.open('shallow.lock', 'new'));
  const busy = await backend.updateShallow({ add: [], remove: [A] });
  assert.equal(!busy.ok && busy.error.kind, 'busy');
  must(lock.append(encodeText('rubbish')));
  lock.close();
  must(files.rename('shallow.lock', 'shallow'));
  const bad = await backend.listShallow();
  assert.equal(!bad.ok && bad.error.kind, 'damaged');
  assert.equal((await backend.updateShallow({ add: [A], remove: [] })).ok, false);
  assert.equal(must(files.stat('shallow.lock')), null);
  assert.equal(backend.isShallow(A), false);
  must(files.remove('shallow'));
  must(await backend.updateShallow({ add: [A], remove: [] }));
  must(await backend.updateShallow({ add: [], remove: [A] }));
  assert.equal(must(files.stat('shallow')), null);
  await backend.close();
});

test('packed refs › out of order, twice, cut, odd names › in order, last one, refused, left out', () => {
  const text = `${A} refs/tags/z\n${A} refs/heads/a\n${B} refs/heads/a\n${A} refs/heads/a..b\n^${B}\n`;
  const { refs, isPeeled } = must(parsePackedRefs(encodeText(text), 'SHA-1'));
  assert.deepEqual(
    refs.map(({ name, id, peeled }) => [name, id, peeled]),
    [
      ['refs/heads/a', B, null],
      ['refs/tags/z', A, null],
    ],
  );
  assert.equal(isPeeled, false);
  assert.equal(parsePackedRefs(encodeText(text.slice(0, -1)), 'SHA-1').ok, false);
  assert.equal(parsePackedRefs(encodeText(`${A}  \n`.slice(1)), 'SHA-1').ok, false);
});

test('reflog › a reason at its bound › whole; longer › cut; lines that are rubbish › passed over', () => {
  const entry = { ...AUTHOR, from: null, to: A };
  const reason = (bytes: number) => {
    const line = emitReflogLine({ ...entry, reason: 'x'.repeat(bytes) }, 'SHA-1');
    return must(parseReflogLine(line, 'SHA-1')).reason.length;
  };
  assert.equal(reason(REFLOG_REASON_BYTES_MAX), REFLOG_REASON_BYTES_MAX);
  assert.equal(reason(REFLOG_REASON_BYTES_MAX + 1), REFLOG_REASON_BYTES_MAX);
  const line = new TextDecoder().decode(emitReflogLine({ ...entry, reason: 'a\nb' }, 'SHA-1'));
  const log = parseReflog(encodeText(`${line}rubbish\n${line}${line.slice(0, 50)}`), 'SHA-1');
  assert.deepEqual(
    log.map(({ to, reason: why, zoneMinutes }) => [to, why, zoneMinutes]),
    [
      [A, 'a b', 120],
      [A, 'a b', 120],
    ],
  );
});

test('symbolic refs at the bound › followed; one more, and a circle › broken', async () => {
  const files = simRepository(1);
  const backend = openTest(files);
  const objects = commitObjects('one', []);
  must(await backend.writeObjects(objects));
  const { id } = objects.at(-1)!;
  must(await backend.updateRefs([{ name: 'refs/heads/s0', from: null, to: id }], 'test'));
  const link = (name: string, to: string): void => {
    const file = must(files.open(`refs/heads/${name}`, 'new'));
    must(file.append(encodeText(`ref: refs/heads/${to}\n`)));
    file.close();
  };
  for (let i = 1; i <= SYMBOLIC_DEPTH_MAX; i++) link(`s${i}`, `s${i - 1}`);
  assert.equal(must(await backend.listRefs('refs/heads/')).length, SYMBOLIC_DEPTH_MAX + 1);
  link('more', `s${SYMBOLIC_DEPTH_MAX}`);
  assert.equal(must(await backend.listRefs('refs/heads/')).length, SYMBOLIC_DEPTH_MAX + 1);
  const broken = must(await backend.listBrokenRefs('refs/heads/'));
  assert.deepEqual(
    broken.map(({ name }) => name),
    ['refs/heads/more'],
  );
  must(files.remove('refs/heads/more'));
  link('circle', 'circle');
  const name = 'refs/heads/circle';
  const circle = await backend.updateRefs([{ name, from: 'any', to: id }], 'test');
  assert.ok(!circle.ok && circle.error.kind === 'damaged');
  await backend.close();
});

test('alternates at the bounds, of their count and depth › looked at; past them › not', () => {
  const own = simRepository(2);
  const lines = (paths: readonly string[], files: FileSystem): void => {
    files.makeDirectory('info');
    const file = must(files.open('info/alternates', 'append'));
    must(file.append(encodeText(paths.map((path) => `${path}\n`).join(''))));
    file.close();
  };
  let opened = 0;
  const elsewhere = (): FileSystem => {
    const files = simRepository(100 + opened++);
    return Object.assign(files, { name: `alternate ${opened}` });
  };
  const { length } = Array.from({ length: ALTERNATES_MAX + 5 });
  own.makeDirectory('objects/info');
  const info = must(own.open('objects/info/alternates', 'append'));
  must(info.append(encodeText(Array.from({ length }, (_, i) => `/a${i}\n`).join(''))));
  info.close();
  const backend = openTest(own, 1, { elsewhere });
  assert.equal(backend.alternateCount, ALTERNATES_MAX);
  const deep = simRepository(3);
  deep.makeDirectory('objects/info');
  const first = must(deep.open('objects/info/alternates', 'append'));
  must(first.append(encodeText('/next\n')));
  first.close();
  const chain = openTest(deep, 1, {
    elsewhere: () => {
      const files = elsewhere();
      lines(['/next'], files);
      return files;
    },
  });
  assert.equal(chain.alternateCount, ALTERNATE_DEPTH_MAX);
});

test('objects that wait, at the bounds › in memory; one more › written; few loose, many a pack', async () => {
  const packs = (files: ReturnType<typeof simRepository>) =>
    must(files.list('objects/pack')).filter(({ name }) => name.endsWith('.pack')).length;
  const many = Array.from({ length: PENDING_OBJECTS_MAX + 1 }, (_, i) => blobObject(`${i}`));
  const files = simRepository(4);
  const backend = openTest(files, 1, { isSynced: false });
  must(await backend.writeObjects(many.slice(1)));
  assert.equal(packs(files), 0);
  must(await backend.writeObjects(many.slice(0, 1)));
  assert.equal(packs(files), 1);
  const half = 'x'.repeat(PENDING_BYTES_MAX / 2);
  must(await backend.writeObjects([blobObject(`${half}`), blobObject(half.replace('x', 'y'))]));
  const loose = () => must(files.list('objects')).filter(({ name }) => name.length === 2).length;
  assert.equal(loose(), 0);
  must(await backend.writeObjects([blobObject('one more')]));
  assert.equal(loose(), 3);
  for (const [count, want] of [
    [PACKED_OBJECTS_MIN - 1, 0],
    [PACKED_OBJECTS_MIN, 1],
  ] as const) {
    const disk = simRepository(5);
    const one = openTest(disk, 1, { isSynced: false });
    must(await one.writeObjects(many.slice(0, count)));
    await one.close();
    assert.equal(packs(disk), want, `${count} objects`);
  }
  await backend.close();
});

test('a full disk › more is written all the same › refused, and not held in memory', async () => {
  const files = simRepository(6);
  const backend = openTest(files, 1, { isSynced: false });
  files.capacityBytes = 0;
  const much = Array.from({ length: PENDING_OBJECTS_MAX + 1 }, (_, i) => blobObject(`${i}`));
  const more = Array.from({ length: 3 }, (_, i) => blobObject(`more ${i}`));
  for (const objects of [much, more]) {
    const refused = await backend.writeObjects(objects);
    assert.ok(!refused.ok && refused.error.kind === 'full');
  }
  for (const { id } of more) assert.equal(must(await backend.hasObject(id)), false);
  files.capacityBytes = Number.POSITIVE_INFINITY;
  must(await backend.writeObjects(more));
  for (const { id } of [...much, ...more]) assert.ok(must(await backend.hasObject(id)));
  await backend.close();
});
