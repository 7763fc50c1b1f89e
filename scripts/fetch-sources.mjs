// Gets the engine's source, QuickJS 2025-04-26, from Debian's signed source package into
// .cache/sources/, without touching the system's apt configuration: a private apt state directory
// lists the system's own Debian mirror, with the same keyring, for the suite that has this release.
// MORGANA_QUICKJS_SRC names a local copy instead. Idempotent. Not here: compiling (base/Makefile).
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';

const QUICKJS = {
  package: 'quickjs',
  version: '2025-04-26',
  suite: 'trixie',
  origSha256: 'ec81da5b3249ed648dbc7df4a1654988910e66a118d9b71cb63534216efcfbbe',
};
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const sources = path.join(root, '.cache', 'sources');
const target = path.join(sources, `quickjs-${QUICKJS.version}`);

class Failure extends Error {}

/** Stops with one sentence and the command that mends it. */
function fail(what, mend) {
  throw new Failure(`error: fetch-sources: ${what}\n  mend it with: ${mend}`);
}

/** @returns the entries {uri, signedBy} of the system's apt sources, both file formats. */
function aptEntries() {
  const entries = [];
  const files = ['/etc/apt/sources.list'];
  const parts = '/etc/apt/sources.list.d';
  if (fs.existsSync(parts)) {
    for (const name of fs.readdirSync(parts).sort()) files.push(path.join(parts, name));
  }
  for (const file of files.filter((name) => fs.existsSync(name))) {
    const text = fs.readFileSync(file, 'utf8');
    if (file.endsWith('.sources')) entries.push(...deb822Entries(text));
    else if (file.endsWith('.list')) entries.push(...classicEntries(text));
  }
  return entries;
}

function deb822Entries(text) {
  const entries = [];
  const lines = text.split('\n').filter((line) => !line.startsWith('#'));
  for (const stanza of lines.join('\n').split(/\n\s*\n/)) {
    const field = (name) =>
      new RegExp(`^${name}:[ \\t]*(.*(?:\\n[ \\t]+.*)*)`, 'im').exec(stanza)?.[1]?.trim() ?? '';
    if (/^no$/i.test(field('Enabled'))) continue;
    const key = field('Signed-By');
    for (const uri of field('URIs').split(/\s+/).filter(Boolean)) {
      entries.push({ uri, signedBy: key.startsWith('/') ? key.split(/\s+/)[0] : '' });
    }
  }
  return entries;
}

function classicEntries(text) {
  const entries = [];
  for (const line of text.split('\n')) {
    const found = /^\s*deb(?:-src)?\s+(?:\[([^\]]*)\]\s+)?(\S+)\s/.exec(line);
    if (!found) continue;
    const signedBy = /signed-by=(\/[^\s,]+)/.exec(found[1] ?? '')?.[1] ?? '';
    entries.push({ uri: found[2], signedBy });
  }
  return entries;
}

/** The system's mirror of the Debian archive proper: its path ends in "debian". */
function debianMirror() {
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
  const entry = aptEntries().find(({ uri }) => /\/debian\/?$/.test(uri));
  if (!entry) {
    fail(
      "apt on this machine lists no Debian mirror, where QuickJS's source package is.",
      `MORGANA_QUICKJS_SRC=/path/to/quickjs-${QUICKJS.version} npm run setup`,
    );
  }
  const signedBy = entry.signedBy || keyring;
  if (!fs.existsSync(signedBy)) {
    fail(`the Debian keyring ${signedBy} is missing.`, 'apt-get install debian-archive-keyring');
  }
  return { uri: entry.uri, signedBy };
}

/** A private apt: its own sources, state and cache, so that the system's stay as they are. */
function privateAptOptions(mirror) {
  const home = path.join(root, '.cache', 'apt');
  for (const dir of ['etc', 'state/lists/partial', 'cache/archives/partial']) {
    fs.mkdirSync(path.join(home, dir), { recursive: true });
  }
  const list = path.join(home, 'etc', 'sources.list');
  const line = `deb-src [signed-by=${mirror.signedBy}] ${mirror.uri} ${QUICKJS.suite} main\n`;
  fs.writeFileSync(list, line);
  const options = {
    'Dir::Etc::sourcelist': list,
    'Dir::Etc::sourceparts': '-',
    'Dir::State': path.join(home, 'state'),
    'Dir::State::status': '/var/lib/dpkg/status',
    'Dir::Cache': path.join(home, 'cache'),
    // Root's apt would drop to a user who may not read a checkout below a private directory.
    ...(process.getuid?.() === 0 ? { 'APT::Sandbox::User': 'root' } : {}),
  };
  return Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

function run(command, args, cwd, what) {
  try {
    execFileSync(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    const detail = String(error.stderr ?? error.message).trim();
    if (error.code === 'ENOENT') {
      fail(`${command} is not installed.`, 'apt-get install apt dpkg-dev xz-utils');
    }
    fail(`${what} failed:\n${detail}`, `cd ${cwd} && ${command} ${args.join(' ')}`);
  }
}

function checkedOrig(dir) {
  const name = fs.readdirSync(dir).find((file) => /\.orig\.tar\.\w+$/.test(file));
  if (!name)
    fail('apt brought no .orig.tar file.', `rm -r ${dir} && node scripts/fetch-sources.mjs`);
  const file = path.join(dir, name);
  const sum = createHash('sha256').update(fs.readFileSync(file)).digest('hex');
  if (sum !== QUICKJS.origSha256) {
    fail(
      `${name} has SHA-256 ${sum}, not ${QUICKJS.origSha256}.`,
      `rm -r ${dir} && node scripts/fetch-sources.mjs`,
    );
  }
  return file;
}

/** True when `dir` holds the source of the release that the base is written against. */
function isQuickjs(dir) {
  const version = path.join(dir, 'VERSION');
  if (!fs.existsSync(path.join(dir, 'quickjs.c')) || !fs.existsSync(version)) return false;
  return fs.readFileSync(version, 'utf8').trim() === QUICKJS.version;
}

function useLocalCopy(dir) {
  if (!isQuickjs(dir)) {
    fail(
      `MORGANA_QUICKJS_SRC=${dir} does not hold QuickJS ${QUICKJS.version}.`,
      'unset MORGANA_QUICKJS_SRC',
    );
  }
  fs.rmSync(target, { recursive: true, force: true });
  fs.mkdirSync(sources, { recursive: true });
  fs.cpSync(dir, target, { recursive: true });
  console.log(`fetch-sources: QuickJS ${QUICKJS.version} copied from ${dir}`);
}

function fetchQuickjs() {
  if (process.env.MORGANA_QUICKJS_SRC) return useLocalCopy(process.env.MORGANA_QUICKJS_SRC);
  if (isQuickjs(target)) return console.log(`fetch-sources: QuickJS ${QUICKJS.version} is here`);
  const options = privateAptOptions(debianMirror());
  const download = path.join(root, '.cache', 'download', QUICKJS.package);
  fs.rmSync(download, { recursive: true, force: true });
  fs.mkdirSync(download, { recursive: true });
  console.log(`fetch-sources: reading the list of source packages of ${QUICKJS.suite} ...`);
  const strict = ['-o', 'APT::Update::Error-Mode=any'];
  run('apt-get', [...options, ...strict, '-q', 'update'], download, 'apt-get update');
  console.log(`fetch-sources: downloading the source package ${QUICKJS.package} ...`);
  run(
    'apt-get',
    [...options, '-q', 'source', '--download-only', QUICKJS.package],
    download,
    'apt-get source',
  );
  const orig = checkedOrig(download);
  const fresh = path.join(download, 'tree');
  fs.mkdirSync(fresh);
  run('tar', ['-xf', orig, '-C', fresh, '--strip-components=1'], download, 'unpacking');
  if (!isQuickjs(fresh)) fail('the source package holds another release.', 'report it');
  fs.mkdirSync(sources, { recursive: true });
  fs.rmSync(target, { recursive: true, force: true });
  fs.renameSync(fresh, target);
  console.log(`fetch-sources: QuickJS ${QUICKJS.version} is in ${path.relative(root, target)}`);
}

try {
  fetchQuickjs();
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
