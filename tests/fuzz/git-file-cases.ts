/** The files of a repository on disk, which Git and others write. */

import type { ObjectId } from '#git';
import {
  emitAlternates,
  emitCommonDir,
  emitConfig,
  emitGitdirFile,
  emitPackedRefs,
  emitRefFile,
  emitReflogLine,
  emitShallowFile,
  formatAlternates,
  formatConfig,
  formatPackedRefs,
  formatRefFile,
  formatReflogLine,
  formatShallowFile,
  parseAlternates,
  parseCommonDir,
  parseConfig,
  parseGitdirFile,
  parsePackedRefs,
  parseRefFile,
  parseReflogLine,
  parseShallowFile,
} from '#git/disk';
import type { SimRandom } from '#targets/sim/index';
import { type WireCase, wireCase } from './wire-case.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

const idOf = (random: SimRandom, digits = 40): ObjectId =>
  Array.from({ length: digits }, () => random.below(16).toString(16)).join('') as ObjectId;

/** Writes what `emit` makes. */
const into =
  <R>(emit: (repr: R) => Uint8Array) =>
  (to: Uint8Array, repr: R): number => {
    const bytes = emit(repr);
    to.set(bytes);
    return bytes.length;
  };

const CONFIGS = [
  '[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare\n',
  '[Core] bare = false ; why\n[remote "o\\"r\\\\i"]\n\turl = "a b#c" d \\\n  e\\t\\n\n',
  '# first\r\n[branch.Main]\r\nmerge=refs/heads/main\r\n[a "B c"]k="; # x"\n',
  '\ufeff[extensions]\nobjectFormat = sha256\n[x]\n\n  y = \n',
];

const config = wireCase({
  name: 'git: config',
  parse: parseConfig,
  emit: into(emitConfig),
  format: formatConfig,
  seeds: () => CONFIGS.map(bytesOf),
});

const packedRefs = wireCase({
  name: 'git: packed-refs',
  parse: (b) => parsePackedRefs(b, 'SHA-1'),
  emit: into(emitPackedRefs),
  format: formatPackedRefs,
  seeds(random) {
    const [a, b, c] = [idOf(random), idOf(random), idOf(random)];
    const head = '# pack-refs with: peeled fully-peeled sorted \n';
    return [
      bytesOf(`${head}${a} refs/heads/main\n${b} refs/tags/v1\n^${c}\n`),
      bytesOf(`${b} refs/tags/z\n${a} refs/heads/é\n${c} refs/heads/a..b\n^${a}\n`),
    ];
  },
});

const packedRefs256 = wireCase({
  name: 'git: packed-refs, SHA-256',
  parse: (b) => parsePackedRefs(b, 'SHA-256'),
  emit: into(emitPackedRefs),
  seeds: (random) => [bytesOf(`${idOf(random, 64)} refs/heads/main\n`)],
});

const shallowFile = wireCase({
  name: 'git: shallow',
  parse: (b) => parseShallowFile(b, 'SHA-1'),
  emit: into(emitShallowFile),
  format: formatShallowFile,
  seeds(random) {
    const ids = [idOf(random), idOf(random), idOf(random)];
    return [emitShallowFile(ids), bytesOf(ids.join('\n'))];
  },
});

const refFile = wireCase({
  name: 'git: loose ref, HEAD',
  parse: (b) => parseRefFile(b, 'SHA-1'),
  emit: into(emitRefFile),
  format: formatRefFile,
  seeds: (random) => [
    bytesOf('ref: refs/heads/main\n'),
    bytesOf(`${idOf(random)}\n`),
    bytesOf(`${idOf(random)}\tbranch 'main' of elsewhere\n`),
  ],
});

const reflog = wireCase({
  name: 'git: line of a reflog',
  parse: (b) => parseReflogLine(b, 'SHA-1'),
  emit: into((entry: Parameters<typeof emitReflogLine>[0]) => emitReflogLine(entry, 'SHA-1')),
  format: formatReflogLine,
  seeds(random) {
    const [a, b] = [idOf(random), idOf(random)];
    const zero = '0'.repeat(40);
    return [
      bytesOf(`${a} ${b} A U Thor <a@example.org> 1800000000 +0200\tcommit: one\n`),
      bytesOf(`${zero} ${b} <> 0 -0000\n`),
      bytesOf(`${a} ${zero} A <a> 1 -1459\t`),
    ];
  },
});

const gitdir = wireCase({
  name: 'git: .git of a work tree elsewhere',
  parse: parseGitdirFile,
  emit: into(emitGitdirFile),
  seeds: () => [bytesOf('gitdir: /a/b/.git/worktrees/c\n'), bytesOf('gitdir: ../é')],
});

const commonDir = wireCase({
  name: 'git: commondir',
  parse: parseCommonDir,
  emit: into(emitCommonDir),
  seeds: () => [bytesOf('../..\n')],
});

const alternates = wireCase({
  name: 'git: info/alternates',
  parse: parseAlternates,
  emit: into(emitAlternates),
  format: formatAlternates,
  seeds: () => [
    bytesOf('/a/b/objects\n../../c/objects\n# not this\n\n"/q\\t\\"\\303\\251"\n'),
    bytesOf('"unclosed\n/a'),
  ],
});

export const gitFileCases: readonly WireCase[] = [
  config,
  packedRefs,
  packedRefs256,
  shallowFile,
  refFile,
  reflog,
  gitdir,
  commonDir,
  alternates,
];
