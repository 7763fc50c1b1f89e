/**
 * BoringSSL's conformance tests, by hand: `node tests/interop/tls/bogo/main.ts SOURCE [PATTERN]`.
 * SOURCE is an unpacked source package of BoringSSL (Debian: android-platform-external-boringssl),
 * and the tests' runner is compiled with Debian's golang-go and golang-golang-x-crypto-dev. Those
 * listed in expected.json are known to end otherwise than BoringSSL would, with the reason.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { start } from '../program.ts';
import { makeResources } from './resources.ts';
import { startShim } from './shim.ts';

const here = dirname(fileURLToPath(import.meta.url));
const cache = join(here, '../../../../.cache/bogo');
const RUN_MS = 1_800_000;

function compileRunner(source: string): string {
  const runner = join(cache, 'runner');
  if (existsSync(runner)) return runner;
  const path = join(cache, 'gopath/src/boringssl.googlesource.com');
  mkdirSync(path, { recursive: true });
  if (!existsSync(join(path, 'boringssl'))) symlinkSync(source, join(path, 'boringssl'));
  const env = {
    ...process.env,
    GO111MODULE: 'off',
    GOPATH: `${join(cache, 'gopath')}:/usr/share/gocode`,
  };
  const cwd = join(path, 'boringssl/ssl/test/runner');
  const made = spawnSync('go', ['test', '-c', '-o', runner, '.'], { cwd, env, stdio: 'inherit' });
  if (made.status !== 0) throw new Error('the runner was not compiled');
  return runner;
}

const [source, pattern = ''] = process.argv.slice(2);
if (source === undefined) {
  process.stderr.write('error: name the directory of the source: main.ts SOURCE [PATTERN]\n');
  process.exit(1);
}
mkdirSync(cache, { recursive: true });
const runner = compileRunner(source);
const { directory, anchors } = makeResources(join(source, 'ssl/test/runner'), cache);
process.env.BOGO_SHIM_PORT = `${await startShim(anchors)}`;
const args = [
  ...['-shim-path', join(here, 'relay.sh'), '-resource-dir', directory, '-pipe'],
  ...['-loose-errors', '-allow-unimplemented', '-num-workers', '2', '-idle-timeout', '5s'],
  ...['-shim-config', join(here, 'expected.json'), '-json-output', join(cache, 'results.json')],
  ...(pattern === '' ? [] : ['-test', pattern]),
  ...['-test.timeout', '40m'],
];
const running = start(runner, args, RUN_MS);
running.child.stdout?.pipe(process.stdout);
running.child.stderr?.pipe(process.stderr);
await running.ended;
process.exit(running.child.exitCode ?? 2);
