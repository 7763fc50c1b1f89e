/**
 * Sets a fresh machine up: npm packages, system packages, engine sources, the base. Idempotent;
 * what is done stays done. Runs on Node 20 with nothing installed, so it is plain JavaScript with
 * no imports but Node's.
 *
 * node scripts/setup.mjs [--for=start|test|bench]
 */

import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Debian packages by what needs them, each with a file that shows it is there. */
const SYSTEM = {
  start: {
    'qemu-system-x86': '/usr/bin/qemu-system-x86_64',
    gcc: '/usr/bin/gcc',
    make: '/usr/bin/make',
    'musl-tools': '/usr/bin/musl-gcc',
    'dpkg-dev': '/usr/bin/dpkg-source',
    'xz-utils': '/usr/bin/xz',
  },
  test: {
    'libc6-dev': '/usr/include/stdio.h',
    chromium: '/usr/bin/chromium',
    curl: '/usr/bin/curl',
    git: '/usr/lib/git-core/git-http-backend',
    iproute2: '/usr/sbin/ip',
    'iputils-ping': '/usr/bin/ping',
    procps: '/usr/bin/ps',
    'dnsmasq-base': '/usr/sbin/dnsmasq',
    'bind9-dnsutils': '/usr/bin/dig',
    nftables: '/usr/sbin/nft',
    nmap: '/usr/bin/nmap',
    traceroute: '/usr/sbin/traceroute',
    'iputils-tracepath': '/usr/bin/tracepath',
    'iputils-arping': '/usr/bin/arping',
    ethtool: '/usr/sbin/ethtool',
    radvd: '/usr/sbin/radvd',
    udhcpc: '/sbin/udhcpc',
    'isc-dhcp-client': '/sbin/dhclient',
    iperf3: '/usr/bin/iperf3',
    tcpdump: '/usr/bin/tcpdump',
    rsyslog: '/usr/sbin/rsyslogd',
    'rsyslog-gnutls': '/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_gtls.so',
    unbound: '/usr/sbin/unbound',
    pebble: '/usr/bin/pebble',
    openssl: '/usr/bin/openssl',
    'gnutls-bin': '/usr/bin/certtool',
    sslscan: '/usr/bin/sslscan',
    'python3-cryptography-vectors':
      '/usr/lib/python3/dist-packages/cryptography_vectors/__init__.py',
    'python3-prometheus-client': '/usr/lib/python3/dist-packages/prometheus_client/parser.py',
  },
  bench: {
    wrk: '/usr/bin/wrk',
    binutils: '/usr/bin/objcopy',
    e2fsprogs: '/usr/sbin/mke2fs',
    passt: '/usr/bin/pasta',
    slirp4netns: '/usr/bin/slirp4netns',
  },
};
const NEEDS = { start: ['start'], test: ['start', 'test'], bench: ['start', 'test', 'bench'] };

const PULSE_MS = 5_000;

class SetupError extends Error {}

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/**
 * What `begin` starts; signals that would end us end it first, and then us, with its code or the
 * signal's. They are listened for before: one that came meanwhile would end us alone.
 */
export function endingWith(begin) {
  let ending = null;
  const handlers = Object.keys(SIGNALS).map((signal) => {
    const handler = () => {
      ending = signal;
      child.kill(signal);
    };
    process.on(signal, handler);
    return () => process.off(signal, handler);
  });
  const child = begin();
  child.once('close', (code) => {
    for (const remove of handlers) remove();
    if (ending !== null) process.exit(code ?? SIGNALS[ending]);
  });
  return child;
}

function say(line) {
  process.stderr.write(`setup: ${line}\n`);
}

/** What is said of a command that failed: one that a signal ended has said nothing of it itself. */
const failure = (signal) => (signal === null ? 'failed' : `ended with ${signal}`);

/**
 * Runs a command with its output shown only when it fails, and a sign of life every few seconds; a
 * failure ends the set-up with `mend`.
 */
async function run(command, args, mend, env = {}) {
  const started = Date.now();
  const options = { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } };
  const child = endingWith(() => spawn(command, args, options));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  const pulse = setInterval(() => {
    const seconds = Math.round((Date.now() - started) / 1000);
    say(`  ${command} is at work, ${seconds} s`);
  }, PULSE_MS);
  const { status, signal } = await new Promise((resolve) => {
    child.once('error', (error) => {
      output += `${error.message}\n`;
      resolve({ status: null, signal: null });
    });
    child.once('close', (code, ending) => resolve({ status: code, signal: ending }));
  });
  clearInterval(pulse);
  if (status === 0) return;
  process.stderr.write(output);
  const what = `${command} ${args.join(' ')} ${failure(signal)}`;
  throw new SetupError(`${what}; mend it and try again with: ${mend}`);
}

async function npmPackages() {
  const lock = readFileSync(join(root, 'package-lock.json'));
  const want = createHash('sha256').update(lock).digest('hex');
  const stamp = join(root, 'node_modules', '.morgana-setup');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === want) return;
  say('installing npm packages (about 15 s)');
  await run('npm', ['ci', '--no-audit', '--no-fund'], 'npm ci');
  writeFileSync(stamp, want);
}

async function systemPackages(purpose) {
  const wanted = Object.assign({}, ...NEEDS[purpose].map((need) => SYSTEM[need]));
  const missing = Object.keys(wanted).filter((name) => !existsSync(wanted[name]));
  if (missing.length === 0) return;
  const install = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (!existsSync('/usr/bin/apt-get')) {
    throw new SetupError(
      `this machine lacks ${missing.join(', ')}; install them with its package manager`,
    );
  }
  if (process.getuid() !== 0) throw new SetupError(`missing system packages; run: sudo ${install}`);
  say(`installing system packages: ${missing.join(' ')} (a minute or two)`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get', ['update', '-qq'], 'apt-get update', env);
  await run('apt-get', install.split(' ').slice(1), install, env);
}

async function base() {
  const script = join('scripts', 'fetch-sources.mjs');
  const stdio = ['ignore', 'inherit', 'inherit'];
  const { status, signal, error } = spawnSync(process.execPath, [script], { cwd: root, stdio });
  if (status === null) {
    const what = `fetching sources ${failure(signal ?? error.code)}`;
    throw new SetupError(`${what}; try again with: node ${script}`);
  }
  if (status !== 0) throw new SetupError('fetching sources failed, see above');
  if (spawnSync('make', ['-q', '-C', 'base'], { cwd: root }).status === 0) return;
  say('building the base, the engine and the cryptography (about a minute)');
  await run('make', ['-s', '-C', 'base'], 'make -C base');
}

/**
 * `npx morgana` in a checkout is the checkout's tool. Without this npx would offer another package,
 * of the same name, from the registry.
 */
function linkTool() {
  const link = join(root, 'node_modules', '.bin', 'morgana');
  const tool = join('..', '..', 'tools', 'cli', 'main.ts');
  try {
    if (readlinkSync(link) === tool) return;
  } catch {
    // There is none yet.
  }
  rmSync(link, { force: true });
  symlinkSync(tool, link);
}

/** Tests that need the vectors are skipped without them: a mirror that lacks them stops nothing. */
function vectors() {
  const script = join(root, 'scripts', 'fetch-vectors.mjs');
  const stdio = ['ignore', 'inherit', 'inherit'];
  const { status } = spawnSync(process.execPath, [script], { cwd: root, stdio });
  if (status !== 0) say('going on without the vectors of Wycheproof');
}

/** npm packages that are rivals in benches and nothing else, each in one version. */
const RIVALS = { 'es-git': '0.6.0' };

async function rivals() {
  const prefix = join(root, '.cache', 'bench', 'npm');
  for (const [name, version] of Object.entries(RIVALS)) {
    const manifest = join(prefix, 'node_modules', name, 'package.json');
    const has = existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')).version : null;
    if (has === version) continue;
    say(`installing ${name}, a rival in benches`);
    mkdirSync(prefix, { recursive: true });
    const args = ['install', '--prefix', prefix, '--no-audit', '--no-fund', `${name}@${version}`];
    await run('npm', args, `npm ${args.join(' ')}`);
  }
}

/** Does all the set-up for `purpose`; throws SetupError with one sentence that says what to do. */
export async function setup(purpose) {
  mkdirSync(join(root, '.cache'), { recursive: true });
  await npmPackages();
  linkTool();
  await systemPackages(purpose);
  await base();
  if (purpose === 'test') vectors();
  if (purpose === 'bench') await rivals();
}

/** The environment in which node is the project's own version. */
export function projectEnvironment() {
  const bin = join(root, 'node_modules', '.bin');
  return { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
}

export async function main(argv, then) {
  try {
    const purpose = argv.find((arg) => arg.startsWith('--for='))?.slice(6) ?? 'test';
    if (!Object.hasOwn(NEEDS, purpose)) throw new SetupError('--for is start, test or bench');
    await setup(purpose);
    then?.();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`error: ${error.message}\n`);
    process.exitCode = 2;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(process.argv.slice(2), () => say('done'));
}
