// Gets the sources of the base's two third-party parts into .cache/sources/: the engine, QuickJS
// 2025-04-26, and the cryptography, Mbed TLS 3.6 (any signed point release of it: its version is
// kept, printed, and shown by `describe`). Both are Debian's source packages (apt-sources.mjs).
// MORGANA_QUICKJS_SRC and MORGANA_MBEDTLS_SRC name local copies instead. Idempotent; runs on Node
// 20. Not here: compiling (base/Makefile).
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { downloadSources, Failure, fail, run } from './apt-sources.mjs';

const SUITE = 'trixie';
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const cache = path.join(root, '.cache');
const sources = path.join(cache, 'sources');

const QUICKJS = {
  name: 'quickjs',
  title: 'QuickJS 2025-04-26',
  variable: 'MORGANA_QUICKJS_SRC',
  folder: 'quickjs-2025-04-26',
  /** The release that the base is written against, and no other. */
  accepts: (version) => version === '2025-04-26',
  version(dir) {
    const file = path.join(dir, 'VERSION');
    if (!fs.existsSync(path.join(dir, 'quickjs.c')) || !fs.existsSync(file)) return null;
    return fs.readFileSync(file, 'utf8').trim();
  },
  origSha256: 'ec81da5b3249ed648dbc7df4a1654988910e66a118d9b71cb63534216efcfbbe',
};
const MBEDTLS = {
  name: 'mbedtls',
  title: 'Mbed TLS 3.6',
  variable: 'MORGANA_MBEDTLS_SRC',
  /** Without the version: the Makefile's paths stay when a point release comes. */
  folder: 'mbedtls',
  accepts: (version) => /^3\.6\.\d+$/.test(version ?? ''),
  version(dir) {
    const file = path.join(dir, 'include', 'mbedtls', 'build_info.h');
    if (!fs.existsSync(path.join(dir, 'library', 'gcm.c')) || !fs.existsSync(file)) return null;
    const text = fs.readFileSync(file, 'utf8');
    return /^#define MBEDTLS_VERSION_STRING\s+"([\d.]+)"/m.exec(text)?.[1] ?? null;
  },
  /** Apt checks it against the signed list of the suite. */
  origSha256: null,
};

const isHere = (part) => part.accepts(part.version(placeOf(part)));
const placeOf = (part) => path.join(sources, part.folder);

function checkedOrig(part, dir) {
  const mend = `rm -r ${dir} && node scripts/fetch-sources.mjs`;
  const name = fs.readdirSync(dir).find((file) => /\.orig\.tar\.\w+$/.test(file));
  if (!name) fail('apt brought no .orig.tar file.', mend);
  const file = path.join(dir, name);
  const sum = createHash('sha256').update(fs.readFileSync(file)).digest('hex');
  if (part.origSha256 !== null && sum !== part.origSha256) {
    fail(`${name} has SHA-256 ${sum}, not ${part.origSha256}.`, mend);
  }
  return file;
}

function useLocalCopy(part, dir) {
  if (!part.accepts(part.version(dir))) {
    fail(`${part.variable}=${dir} does not hold ${part.title}.`, `unset ${part.variable}`);
  }
  fs.rmSync(placeOf(part), { recursive: true, force: true });
  fs.mkdirSync(sources, { recursive: true });
  fs.cpSync(dir, placeOf(part), { recursive: true });
  console.log(`fetch-sources: ${part.name} ${part.version(dir)} copied from ${dir}`);
}

function unpack(part, download) {
  const orig = checkedOrig(part, download);
  const fresh = path.join(download, 'tree');
  fs.mkdirSync(fresh);
  run('tar', ['-xf', orig, '-C', fresh, '--strip-components=1'], download, 'unpacking');
  const version = part.version(fresh);
  if (!part.accepts(version)) {
    fail(`Debian's ${part.name} is ${version}, not ${part.title}.`, 'report it');
  }
  fs.mkdirSync(sources, { recursive: true });
  fs.rmSync(placeOf(part), { recursive: true, force: true });
  fs.renameSync(fresh, placeOf(part));
  const place = path.relative(root, placeOf(part));
  console.log(`fetch-sources: ${part.name} ${version} is in ${place}`);
}

function fetchAll() {
  const missing = [];
  for (const part of [QUICKJS, MBEDTLS]) {
    const local = process.env[part.variable];
    if (local) useLocalCopy(part, local);
    else if (!isHere(part)) missing.push(part);
    else console.log(`fetch-sources: ${part.name} ${part.version(placeOf(part))} is here`);
  }
  if (missing.length === 0) return;
  const copies = missing.map(({ variable, folder }) => `${variable}=/path/to/${folder}`);
  const downloads = downloadSources(
    missing.map(({ name }) => name),
    { cache, suite: SUITE, mend: `${copies.join(' ')} npm run setup` },
  );
  for (const [i, part] of missing.entries()) unpack(part, downloads[i]);
}

try {
  fetchAll();
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
