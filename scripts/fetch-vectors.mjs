// Gets Wycheproof's vectors into .cache/wycheproof/, from a Debian package that has them (they are
// several megabytes, and not ours). The tests that need them (tests/crypto/wycheproof.test.ts)
// are skipped without. MORGANA_WYCHEPROOF names a local copy instead. Idempotent; runs on Node 20.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { downloadPackage, Failure, fail, run } from './apt-sources.mjs';

const PACKAGE = 'librust-wycheproof-dev';
const SUITE = 'trixie';
const VARIABLE = 'MORGANA_WYCHEPROOF';
const cache = path.join(fileURLToPath(new URL('..', import.meta.url)), '.cache');
const place = path.join(cache, 'wycheproof');

/** Of 80 MB, those of the algorithms that there are. */
const WANTED =
  /^(aes_gcm|chacha20_poly|ed25519|hkdf|hmac_sha|rsa_(pss|signature)_|x25519|ec(dh|dsa)_secp(256|384)r1)/;

const hasVectors = (dir) => fs.existsSync(path.join(dir, 'x25519_test.json'));

/** The folder below `dir` that has the vectors. */
function findVectors(dir) {
  if (hasVectors(dir)) return dir;
  for (const entry of fs.readdirSync(dir, { withFileTypes: true })) {
    const found = entry.isDirectory() ? findVectors(path.join(dir, entry.name)) : null;
    if (found !== null) return found;
  }
  return null;
}

function take(dir) {
  const found = findVectors(dir);
  if (found === null) fail(`${dir} has no vectors of Wycheproof.`, `unset ${VARIABLE}`);
  fs.rmSync(place, { recursive: true, force: true });
  fs.mkdirSync(place);
  for (const name of fs.readdirSync(found).filter((one) => WANTED.test(one))) {
    fs.copyFileSync(path.join(found, name), path.join(place, name));
  }
}

function fetchVectors() {
  if (hasVectors(place)) return;
  fs.mkdirSync(cache, { recursive: true });
  const local = process.env[VARIABLE];
  if (local) return take(local);
  console.log(`fetch-vectors: downloading the package ${PACKAGE} (12 MB) ...`);
  const mend = `${VARIABLE}=/path/to/testvectors npm run setup`;
  const folder = downloadPackage(PACKAGE, { cache, suite: SUITE, mend });
  const name = fs.readdirSync(folder).find((file) => file.endsWith('.deb'));
  run('dpkg-deb', ['-x', name, 'tree'], folder, 'unpacking');
  take(path.join(folder, 'tree'));
  fs.rmSync(folder, { recursive: true, force: true });
  console.log(`fetch-vectors: they are in ${path.relative(process.cwd(), place)}`);
}

try {
  fetchVectors();
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
