/**
 * TLS: full handshakes, resumed ones, and large files, beside rivals in one run. Our image in QEMU
 * beside nginx with OpenSSL in the Linux VM, on the same processor model; target process beside
 * node:https. Needs root; read first: bench/README.md.
 *
 *   node bench/tls.ts [--only=vm|native] [--what=files] [--seconds=4] [--rounds=3]
 */

import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'node:tls';
import { parseArgs } from 'node:util';
import { buildLinux, CACHE, measureTscKhz } from './linux-vm.ts';
import {
  ended,
  lastWords,
  linuxMachine,
  type Machine,
  morganaMachine,
  morganaProcess,
  nodeProcess,
  type Running,
  start,
} from './machines.ts';
import { inNamespace, type Link, nativeLinks, setBooting, tapLinks } from './network.ts';
import { BenchError, killKept, progress, run, stop } from './process.ts';
import { spreadOf } from './results.ts';
import { assembleSite, LARGE_BYTES, LARGE_PATH, SMALL_PATH } from './site.ts';

const ROOT = join(import.meta.dirname, '..');
const FILES = join(CACHE, 'tls-files');
const PORT = 443;
const CONNECTIONS = 16;
/** Fewer: a sample must have many whole files. */
const CONNECTIONS_LARGE = 4;
const BOOT_MS_MAX = 60_000;
const ATTEMPT_MS_MAX = 5_000;

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'vm,native' },
    seconds: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '3' },
    what: { type: 'string', default: '' },
    'inside-namespace': { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);

/** A measure: what a server does in a second under some client. */
interface Measure {
  readonly what: string;
  readonly unit: string;
  play(running: Running): Promise<number>;
}

const MEASURES: readonly Measure[] = [
  { what: 'full handshakes, X25519', unit: '1/s', play: (at) => handshakes(at, 'X25519') },
  { what: 'full handshakes, P-256', unit: '1/s', play: (at) => handshakes(at, 'P-256') },
  { what: 'resumed handshakes, one at a time', unit: '1/s', play: (at) => serial(at, '-reuse') },
  { what: 'full handshakes, one at a time', unit: '1/s', play: (at) => serial(at, '-new') },
  { what: '1 MiB files', unit: 'MB/s', play: largeFiles },
];

/**
 * The client's configuration: OpenSSL reads it, so wrk and s_time do. TLS 1.3 with one suite and
 * one group, of which it sends a share.
 */
async function clientConfig(group: string): Promise<NodeJS.ProcessEnv> {
  const file = join(CACHE, `openssl-${group}.cnf`);
  const sections = [
    'openssl_conf = all',
    '[all]\nssl_conf = ssl',
    '[ssl]\nsystem_default = tls',
    `[tls]\nMinProtocol = TLSv1.3\nCiphersuites = TLS_AES_128_GCM_SHA256\nGroups = ${group}`,
  ];
  await writeFile(file, `${sections.join('\n')}\n`);
  return { ...process.env, OPENSSL_CONF: file };
}

/** New connections, one small request each: wrk keeps no sessions. */
async function handshakes(running: Running, group: string): Promise<number> {
  const args = [`-c${CONNECTIONS}`, '-H', 'Connection: close', urlOf(running, SMALL_PATH)];
  return requestsPerSecond(running, args, group);
}

async function largeFiles(running: Running): Promise<number> {
  const args = [`-c${CONNECTIONS_LARGE}`, urlOf(running, LARGE_PATH)];
  const rate = await requestsPerSecond(running, args, 'X25519');
  return (rate * LARGE_BYTES) / 1e6;
}

async function requestsPerSecond(
  running: Running,
  args: readonly string[],
  group: string,
): Promise<number> {
  const env = await clientConfig(group);
  const load = ['-t1', `-d${seconds}s`, '--timeout', '10s', ...args];
  const out = await run('wrk', load, { env, timeoutMs: (seconds + 20) * 1_000 });
  const failed = /Non-2xx.*|Socket errors: connect [^0].*/.exec(out)?.[0];
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(out)?.[1]);
  if (failed === undefined && rate > 0) return rate;
  throw new BenchError(`${running.machine.name}: ${failed ?? out.trim()}`);
}

/** One connection after the other, with a small request each. */
async function serial(running: Running, how: '-new' | '-reuse'): Promise<number> {
  const env = await clientConfig('X25519');
  const { host } = running.link;
  const args = ['s_time', '-connect', `${host}:${portOf(running)}`, how, '-time', `${seconds}`];
  const out = await run('openssl', [...args, '-www', SMALL_PATH, '-tls1_3'], {
    env,
    timeoutMs: (seconds + 20) * 1_000,
  });
  const found = /(\d+) connections in (\d+) real seconds/.exec(out);
  return Number(found?.[1]) / Number(found?.[2]);
}

const portOf = ({ link }: Running): number => (link.device === null ? link.port : PORT);
const urlOf = (running: Running, path: string): string =>
  `https://${running.link.host}:${portOf(running)}${path}`;

/** Starts a machine and waits for its first handshake. */
async function boot(machine: Machine, link: Link): Promise<Running> {
  await setBooting(link, false);
  const running = await start(machine, link);
  const until = performance.now() + BOOT_MS_MAX;
  while (!(await answers(running))) {
    if (!ended(running) && performance.now() < until) continue;
    throw new BenchError(`${machine.name} gave no handshake:\n${await lastWords(running)}`);
  }
  return running;
}

async function answers(running: Running): Promise<boolean> {
  const socket = connect({
    host: running.link.host,
    port: portOf(running),
    rejectUnauthorized: false,
  });
  const opened = new Promise<boolean>((resolve) => {
    socket.once('secureConnect', () => resolve(true));
    socket.once('error', () => delay(50).then(() => resolve(false)));
    socket.setTimeout(ATTEMPT_MS_MAX, () => resolve(false));
  });
  return opened.finally(() => socket.destroy());
}

async function makeFiles(): Promise<void> {
  await mkdir(FILES, { recursive: true });
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
    ...['-keyout', join(FILES, 'bench.key'), '-out', join(FILES, 'bench.crt'), '-days', '30'],
    ...['-subj', '/CN=bench', '-addext', 'subjectAltName=DNS:bench.test'],
  ]);
}

async function buildOurs(site: string, target: 'pvh' | 'process'): Promise<string> {
  const image = join(CACHE, `morgana-tls.${target}`);
  // The second process finds it made.
  if (values['inside-namespace']) return image;
  progress(`building ${image}`);
  const flags = [`--target=${target}`, `--output=${image}`, '--tls', `--tls-files=${FILES}`];
  const build = [join(ROOT, 'tools/cli/main.ts'), 'build', site, ...flags];
  await run(process.execPath, build, { cwd: ROOT, timeoutMs: 600_000 });
  return image;
}

async function machinesOf(kind: string, site: string): Promise<Machine[]> {
  const files = { certificate: join(FILES, 'bench.crt'), key: join(FILES, 'bench.key') };
  if (kind === 'native') {
    const ours = morganaProcess(await buildOurs(site, 'process'), PORT);
    return [ours, nodeProcess(process.execPath, site, files)];
  }
  const linux = await buildLinux('nginx', site, 'initramfs', FILES);
  const ours = morganaMachine(await buildOurs(site, 'pvh'));
  return [{ ...ours, memoryMiB: 32 }, linuxMachine('nginx', linux, await measureTscKhz())];
}

/** In rounds, each of which measures both, so that a slow minute of the host hits both. */
async function measureAll(kind: string): Promise<void> {
  const { directory } = await assembleSite();
  const machines = await machinesOf(kind, directory);
  const links = kind === 'native' ? await nativeLinks() : await tapLinks(machines.length);
  const all: Running[] = [];
  for (const [index, machine] of machines.entries()) all.push(await boot(machine, links[index]!));
  for (const { what, unit, play } of MEASURES) {
    if (!what.includes(values.what)) continue;
    const samples = all.map((): number[] => []);
    for (let round = 0; round < rounds; round++) {
      for (const [index, running] of all.entries()) samples[index]?.push(await play(running));
    }
    const [ours, theirs] = samples.map(spreadOf);
    if (ours === undefined || theirs === undefined) throw new BenchError('two machines are needed');
    const shown = samples.map((list, index) => `${all[index]?.machine.name} ${list.map(round)}`);
    const share = (ours.median / theirs.median).toFixed(2);
    process.stdout.write(`${kind}, ${what}, ${unit}: ${shown.join('; ')}; share ${share}\n`);
  }
  for (const { child } of all) await stop(child);
}

const round = (value: number): string => (value < 100 ? value.toFixed(1) : value.toFixed(0));

async function main(): Promise<void> {
  if (values['inside-namespace']) {
    await measureAll(values.only);
    return;
  }
  await rm(FILES, { recursive: true, force: true });
  await makeFiles();
  for (const kind of values.only.split(',')) {
    // Packages are fetched out here, where there is a network.
    await machinesOf(kind, (await assembleSite()).directory);
    const given = [`--seconds=${seconds}`, `--rounds=${rounds}`, `--only=${kind}`];
    given.push(`--what=${values.what}`);
    process.stdout.write(await inNamespace([import.meta.filename, ...given, '--inside-namespace']));
  }
}

process.env.PATH = `${process.env.PATH}:/usr/sbin:/sbin`;
process.on('exit', killKept);
await main().then(
  () => process.exit(0),
  (error: unknown) => {
    const text = error instanceof BenchError ? error.message : error;
    process.stderr.write(`error: ${text instanceof Error ? text.stack : text}\n`);
    process.exit(2);
  },
);
