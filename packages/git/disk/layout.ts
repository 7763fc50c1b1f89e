/**
 * Where a repository's parts are, and what its configuration says about them
 * (gitrepository-layout(5), git-config(1) "extensions"). Not here: GIT_DIR and other variables.
 */

import { err, ok, type Result } from '#core';
import type { FileSystem } from '#device';
import type { ObjectHash } from '../object-id.ts';
import { type Config, configBoolean, configValue, parseConfig } from './config.ts';
import { FilesBelow } from './files-below.ts';
import { CONFIG_BYTES_MAX, REF_FILE_BYTES_MAX } from './limits.ts';
import type { OpenFault } from './open-fault.ts';
import { parseCommonDir, parseGitdirFile } from './ref-file.ts';
import type { ReflogPolicy } from './reflog-files.ts';

/** Another directory of the host: absolute, or relative to `from`; null when there is none. */
export type Elsewhere = (path: string, from: FileSystem) => FileSystem | null;

export interface Layout {
  /** What all work trees share: objects, refs, packed-refs, config. */
  readonly common: FileSystem;
  /** Where HEAD and its log are; `common` but for a linked work tree. */
  readonly head: FileSystem;
  readonly config: Config;
  readonly hash: ObjectHash;
  readonly isBare: boolean;
  readonly reflogs: ReflogPolicy;
  /** `git gc` must not remove anything (extensions.preciousObjects). */
  readonly isPrecious: boolean;
}

/** The repository at the root of `files`, bare or in its `.git`. */
export function findLayout(files: FileSystem, elsewhere: Elsewhere): Result<Layout, OpenFault> {
  const found = findHead(files, elsewhere);
  if (!found.ok) return found;
  const { head, isInside } = found.value;
  const common = findCommon(head, elsewhere);
  if (!common.ok) return common;
  const config = readConfig(common.value, head);
  if (!config.ok) return config;
  return readSettings(common.value, head, config.value, isInside);
}

function isRepository(files: FileSystem, prefix: string): Result<boolean, OpenFault> {
  const kinds = [
    ['HEAD', 'file'],
    ['objects', 'directory'],
    ['refs', 'directory'],
  ] as const;
  for (const [name, kind] of kinds) {
    const found = files.stat(prefix + name);
    if (!found.ok) return err({ kind: 'file', error: found.error });
    if (found.value?.kind !== kind) return ok(false);
  }
  return ok(true);
}

/** As `git rev-parse` looks: `.git` first. */
function findHead(
  files: FileSystem,
  elsewhere: Elsewhere,
): Result<{ head: FileSystem; isInside: boolean }, OpenFault> {
  const dot = files.stat('.git');
  if (!dot.ok) return err({ kind: 'file', error: dot.error });
  if (dot.value?.kind === 'file') {
    const path = readPath(files, '.git', parseGitdirFile);
    if (!path.ok) return path;
    const head = elsewhere(path.value, files);
    return head === null
      ? err({ kind: 'elsewhere', path: path.value })
      : ok({ head, isInside: true });
  }
  const inside = dot.value === null ? ok(false) : isRepository(files, '.git/');
  if (!inside.ok) return inside;
  if (inside.value) return ok({ head: new FilesBelow(files, '.git'), isInside: true });
  const here = isRepository(files, '');
  if (!here.ok) return here;
  return here.value
    ? ok({ head: files, isInside: false })
    : err({ kind: 'no repository', where: files.name });
}

function findCommon(head: FileSystem, elsewhere: Elsewhere): Result<FileSystem, OpenFault> {
  const found = head.stat('commondir');
  if (!found.ok) return err({ kind: 'file', error: found.error });
  if (found.value === null) return ok(head);
  const path = readPath(head, 'commondir', parseCommonDir);
  if (!path.ok) return path;
  const common = elsewhere(path.value, head);
  return common === null ? err({ kind: 'elsewhere', path: path.value }) : ok(common);
}

function readPath(
  files: FileSystem,
  path: string,
  parse: typeof parseGitdirFile,
): Result<string, OpenFault> {
  const bytes = files.readFile(path, REF_FILE_BYTES_MAX);
  if (!bytes.ok) return err({ kind: 'file', error: bytes.error });
  const parsed = parse(bytes.value);
  return parsed.ok ? parsed : err({ kind: 'malformed', path, fault: parsed.error });
}

function readConfig(common: FileSystem, head: FileSystem): Result<Config, OpenFault> {
  const config = readConfigFile(common, 'config');
  if (!config.ok) return config;
  const key = 'extensions.worktreeConfig';
  if (!isTrue(config.value, key, false)) return config;
  const own = readConfigFile(head, 'config.worktree');
  return own.ok ? ok([...config.value, ...own.value]) : own;
}

function readConfigFile(files: FileSystem, path: string): Result<Config, OpenFault> {
  const bytes = files.readFile(path, CONFIG_BYTES_MAX);
  if (!bytes.ok) {
    return bytes.error.kind === 'absent' ? ok([]) : err({ kind: 'file', error: bytes.error });
  }
  const parsed = parseConfig(bytes.value);
  return parsed.ok ? parsed : err({ kind: 'malformed', path, fault: parsed.error });
}

function isTrue(config: Config, key: string, otherwise: boolean): boolean {
  const value = configValue(config, key);
  return value === undefined ? otherwise : (configBoolean(value) ?? otherwise);
}

/** Extensions that change nothing for us, or that we follow. */
const KNOWN = [
  'noop',
  'noop-v1',
  'worktreeconfig',
  'preciousobjects',
  'objectformat',
  'refstorage',
];
const HASHES: ReadonlyMap<string, ObjectHash> = new Map([
  ['sha1', 'SHA-1'],
  ['sha256', 'SHA-256'],
]);

function readSettings(
  common: FileSystem,
  head: FileSystem,
  config: Config,
  isInside: boolean,
): Result<Layout, OpenFault> {
  const version = configValue(config, 'core.repositoryformatversion') ?? '0';
  if (version !== '0' && version !== '1') return err({ kind: 'version', value: version });
  let hash: ObjectHash = 'SHA-1';
  for (const { section, subsection, name, value } of config) {
    if (section !== 'extensions' || subsection !== null) continue;
    // Version 0 is of a time before extensions: those that it doesn't know mean nothing.
    const isKnown = KNOWN.includes(name);
    const refused = err<OpenFault>({ kind: 'extension', name, value: value ?? 'true' });
    if (version === '0' ? name === 'partialclone' : !isKnown) return refused;
    if (name === 'refstorage' && value !== 'files') return refused;
    if (name !== 'objectformat') continue;
    const known = HASHES.get(value ?? '');
    if (known === undefined || version === '0') return refused;
    hash = known;
  }
  const isBare = isTrue(config, 'core.bare', !isInside);
  return ok({
    common,
    head,
    config,
    hash,
    isBare,
    reflogs: reflogPolicy(config, isBare),
    isPrecious: isTrue(config, 'extensions.preciousObjects', false),
  });
}

function reflogPolicy(config: Config, isBare: boolean): ReflogPolicy {
  const value = configValue(config, 'core.logAllRefUpdates');
  if (typeof value === 'string' && value.toLowerCase() === 'always') return 'always';
  return isTrue(config, 'core.logAllRefUpdates', !isBare) ? 'branches' : 'never';
}
