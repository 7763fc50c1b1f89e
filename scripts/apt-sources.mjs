// Debian's signed source packages, through the system's own package client and without touching its
// configuration: a private apt state directory lists the system's own Debian mirror, with the same
// keyring, for the suite that has them. Runs on Node 20. Not here: which packages, and what of them
// is kept (fetch-sources.mjs).
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';

/** What couldn't be done, and the command that mends it. */
export class Failure extends Error {}

/** fetch-sources, or fetch-vectors. */
const script = path.basename(process.argv[1], '.mjs');

/** Stops with one sentence and the command that mends it. */
export function fail(what, mend) {
  throw new Failure(`error: ${script}: ${what}\n  mend it with: ${mend}`);
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
function debianMirror(mend) {
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
  const entry = aptEntries().find(({ uri }) => /\/debian\/?$/.test(uri));
  if (!entry) {
    fail('apt on this machine lists no Debian mirror, where source packages are.', mend);
  }
  const signedBy = entry.signedBy || keyring;
  if (!fs.existsSync(signedBy)) {
    fail(`the Debian keyring ${signedBy} is missing.`, 'apt-get install debian-archive-keyring');
  }
  return { uri: entry.uri, signedBy };
}

/** A private apt: its own sources, state and cache, so that the system's stay as they are. */
function privateAptOptions(mirror, home, type, suite) {
  for (const dir of ['etc', 'state/lists/partial', 'cache/archives/partial']) {
    fs.mkdirSync(path.join(home, dir), { recursive: true });
  }
  const list = path.join(home, 'etc', 'sources.list');
  const line = `${type} [signed-by=${mirror.signedBy}] ${mirror.uri} ${suite} main\n`;
  fs.writeFileSync(list, line);
  const options = {
    'Dir::Etc::sourcelist': list,
    'Dir::Etc::sourceparts': '-',
    'Dir::State': path.join(home, 'state'),
    'Dir::State::status': '/var/lib/dpkg/status',
    'Dir::Cache': path.join(home, 'cache'),
    'Acquire::Languages': 'none',
    // Root's apt would drop to a user who may not read a checkout below a private directory.
    ...(process.getuid?.() === 0 ? { 'APT::Sandbox::User': 'root' } : {}),
  };
  return Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

export function run(command, args, cwd, what) {
  try {
    execFileSync(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    const detail = String(error.stderr ?? error.message).trim();
    if (error.code === 'ENOENT') {
      fail(`${command} is not installed.`, 'apt-get install apt dpkg-dev xz-utils');
    }
    const how = error.signal ? `ended with ${error.signal}` : 'failed';
    fail(`${what} ${how}:\n${detail}`, `cd ${cwd} && ${command} ${args.join(' ')}`);
  }
}

function update(options, cache) {
  const strict = ['-o', 'APT::Update::Error-Mode=any'];
  run('apt-get', [...options, ...strict, '-q', 'update'], cache, 'apt-get update');
}

function freshFolder(cache, name) {
  const folder = path.join(cache, 'download', name);
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  return folder;
}

/**
 * Downloads a package of another suite than the system's, to be looked into and not installed: the
 * folder with it, which apt checked as downloadSources says.
 */
export function downloadPackage(name, { cache, suite, mend }) {
  const home = path.join(cache, 'apt-packages');
  const options = privateAptOptions(debianMirror(mend), home, 'deb', suite);
  update(options, cache);
  const folder = freshFolder(cache, name);
  run('apt-get', [...options, '-q', 'download', name], folder, 'apt-get download');
  // The list of all packages is several times as large as what it was needed for.
  fs.rmSync(home, { recursive: true, force: true });
  return folder;
}

/**
 * Downloads source packages into `folder`/NAME: apt checks the suite's signature, and by it every
 * file's hash.
 * @param cache where the private apt lives and `folder` is made; `mend` is said when there is no
 *   mirror.
 */
export function downloadSources(names, { cache, suite, mend }) {
  const home = path.join(cache, 'apt');
  const options = privateAptOptions(debianMirror(mend), home, 'deb-src', suite);
  console.log(`fetch-sources: reading the list of source packages of ${suite} ...`);
  update(options, cache);
  return names.map((name) => {
    const folder = freshFolder(cache, name);
    console.log(`fetch-sources: downloading the source package ${name} ...`);
    const args = [...options, '-q', 'source', '--download-only', name];
    run('apt-get', args, folder, 'apt-get source');
    return folder;
  });
}
