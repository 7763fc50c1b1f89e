/**
 * The rivals: a Linux virtual machine made of Debian's cloud kernel and an initramfs that holds one
 * server (nginx or Node) and what it links to, nothing else. Built in .cache/bench from packages
 * that apt downloads and nothing installs. Not here: how it is started (machines.ts).
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type CpioEntry, cpio, kernelOfBzImage } from './archive.ts';
import { BenchError, progress, run } from './process.ts';

export const CACHE = join(import.meta.dirname, '../.cache/bench');
const RIVAL = join(import.meta.dirname, 'rival');
const KERNEL_META = 'linux-image-cloud-amd64';
const NGINX_PACKAGES = ['nginx', 'libcrypt1', 'libpcre2-8-0', 'libssl3', 'zlib1g', 'libc6'];

/** In the order in which they must be loaded. */
const MODULES = [
  'drivers/virtio/virtio_ring.ko',
  'drivers/virtio/virtio.ko',
  'drivers/virtio/virtio_mmio.ko',
  'net/core/failover.ko',
  'drivers/net/net_failover.ko',
  'drivers/net/virtio_net.ko',
];

const DISK_MODULES = ['drivers/block/virtio_blk.ko'];

const DIRECTORIES = ['dev', 'etc', 'proc', 'site', 'tmp', 'lib', 'lib/x86_64-linux-gnu', 'lib64'];

export interface LinuxImage {
  kernel: string;
  initramfs: string;
  /** A file system with the server, where the initramfs has only the first process. */
  disk: string | null;
  /** What follows `--` on the kernel command line: bench/rival/init.c reads it. */
  initArguments: string;
}

export type Server = 'nginx' | 'node';

/**
 * Where the server's files are. In the initramfs a machine boots 80 ms sooner; on a disk, of which
 * only what is touched is read, it needs 18 MiB less. Node's 99 MB would be in memory twice while
 * an initramfs is unpacked, so Node always gets a disk.
 */
export type Form = 'initramfs' | 'disk';

/**
 * Builds the image of one rival with the site in `siteDirectory`. With `tls`, a directory with
 * bench.crt and bench.key, nginx serves it over TLS too.
 */
export async function buildLinux(
  server: Server,
  siteDirectory: string,
  form: Form,
  tls: string | null = null,
): Promise<LinuxImage> {
  await mkdir(CACHE, { recursive: true });
  const root = await unpackPackages();
  const release = (await readdir(join(root, 'lib/modules')))[0];
  if (release === undefined) throw new BenchError('the kernel package has no lib/modules');
  const kernel = join(CACHE, `vmlinux-${release}`);
  if (!existsSync(kernel)) {
    await writeFile(kernel, kernelOfBzImage(await readFile(join(root, `boot/vmlinuz-${release}`))));
  }
  const modules = form === 'disk' ? [...MODULES, ...DISK_MODULES] : MODULES;
  const entries: CpioEntry[] = [
    { kind: 'directory', path: 'dev' },
    { kind: 'device', path: 'dev/console', major: 5, minor: 1 },
    { kind: 'device', path: 'dev/null', major: 1, minor: 3 },
    await file(await compileInit(), 'init'),
  ];
  for (const module of modules) {
    const path = join(root, 'lib/modules', release, 'kernel', module);
    entries.push(data(basename(module), withoutSignature(await readFile(path))));
  }
  const content = [
    ...(await serverEntries(server, root, tls)),
    ...(await tree(siteDirectory, 'site')),
  ];
  const disk =
    form === 'disk' ? await makeDisk(`${server}-${basename(siteDirectory)}`, content) : null;
  if (disk === null) entries.push(...content.slice(1));
  else entries.push({ kind: 'directory', path: 'root' });
  const initramfs = join(CACHE, `initramfs-${server}-${form}-${basename(siteDirectory)}.cpio`);
  await writeFile(initramfs, cpio(entries));
  const loaded = modules.map((module) => `/${basename(module)}`).join(' ');
  const command =
    server === 'nginx' ? '/server -e /dev/null -c /nginx.conf' : '/server /server.mjs';
  const initArguments = `${loaded} ${disk === null ? '' : 'disk '}exec ${command}`;
  return { kernel, initramfs, disk, initArguments };
}

/** The file system of a server: its directories (first of them dev), program, libraries, set-up. */
async function serverEntries(
  server: Server,
  root: string,
  tls: string | null,
): Promise<CpioEntry[]> {
  const entries: CpioEntry[] = DIRECTORIES.map((path) => ({ kind: 'directory', path }));
  const program = server === 'nginx' ? join(root, 'usr/sbin/nginx') : await hostNode();
  entries.push(await file(program, 'server'));
  entries.push(...(await libraries(program, server === 'nginx' ? root : '/')));
  if (server === 'nginx') {
    const plain = await readFile(join(RIVAL, 'nginx.conf'), 'utf8');
    entries.push(data('nginx.conf', tls === null ? plain : withTls(plain)));
    if (tls !== null) {
      entries.push(await file(join(tls, 'bench.crt'), 'bench.crt'));
      entries.push(await file(join(tls, 'bench.key'), 'bench.key'));
    }
    entries.push(data('etc/passwd', 'root:x:0:0::/:\n'));
    entries.push(data('etc/group', 'root:x:0:\n'));
  } else {
    entries.push(await file(join(RIVAL, 'server.mjs'), 'server.mjs'));
  }
  return entries;
}

/** Nginx's configuration with a second server, as fast as its manual says how. */
function withTls(plain: string): string {
  const server = `server {
    listen 443 ssl backlog=1024; root /site; index index.html;
    ssl_certificate /bench.crt; ssl_certificate_key /bench.key;
    ssl_protocols TLSv1.2 TLSv1.3; ssl_session_tickets on; ssl_session_cache off;
  }`;
  return plain.replace(/\}\s*$/, `${server}\n}\n`);
}

/** An ext4 file system (the cloud kernel has it built in) just large enough, without a journal. */
async function makeDisk(name: string, entries: readonly CpioEntry[]): Promise<string> {
  const staging = join(CACHE, `disk-${name}`);
  await rm(staging, { recursive: true, force: true });
  await mkdir(staging);
  let kib = 2048;
  for (const entry of entries) {
    const path = join(staging, entry.path);
    if (entry.kind === 'directory') await mkdir(path);
    if (entry.kind !== 'file') continue;
    await writeFile(path, entry.bytes, { mode: entry.executable ? 0o755 : 0o644 });
    kib += Math.ceil(entry.bytes.length / 4096) * 4 + 4;
  }
  const disk = join(CACHE, `disk-${name}.img`);
  await rm(disk, { force: true });
  const features = ['-O', '^has_journal,^resize_inode', '-m', '0', '-N', '1024', '-b', '4096'];
  const size = `${Math.ceil(kib * 1.02)}k`;
  await run('mke2fs', ['-q', '-t', 'ext4', ...features, '-d', staging, disk, size]);
  return disk;
}

/** Downloads the packages once and unpacks them; gives the directory. */
async function unpackPackages(): Promise<string> {
  const root = join(CACHE, 'root');
  if (existsSync(join(root, 'complete'))) return root;
  const debs = join(CACHE, 'debs');
  await mkdir(debs, { recursive: true });
  const depends = await run('apt-cache', ['depends', KERNEL_META]).catch(() => '');
  const image = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (image === undefined) {
    throw new BenchError('apt does not know linux-image-cloud-amd64; run: apt-get update');
  }
  progress(`downloading ${image} and nginx with their libraries (not installing them)`);
  await run('apt-get', ['download', image, ...NGINX_PACKAGES], { cwd: debs, timeoutMs: 300_000 });
  for (const deb of await readdir(debs)) {
    if (deb.endsWith('.deb')) await run('dpkg-deb', ['-x', join(debs, deb), root]);
  }
  await writeFile(join(root, 'complete'), '');
  return root;
}

/** Node 20 of the host: the rival's Node is a release that people deploy, not our own newest. */
async function hostNode(): Promise<string> {
  if (existsSync('/usr/bin/node')) return realpath('/usr/bin/node');
  throw new BenchError('the Node rival needs /usr/bin/node; run: apt-get install nodejs');
}

async function compileInit(): Promise<string> {
  const init = join(CACHE, 'init');
  const source = join(RIVAL, 'init.c');
  await run('musl-gcc', ['-static', '-Os', '-s', '-Wall', '-Wextra', '-o', init, source]);
  return init;
}

/** The shared libraries that `program` needs, transitively, looked for under `root`. */
async function libraries(program: string, root: string): Promise<CpioEntry[]> {
  const found = new Map<string, CpioEntry>();
  const queue = [program];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const dynamic = await run('readelf', ['-d', next]);
    for (const match of dynamic.matchAll(/NEEDED.*\[(.+)\]/g)) {
      const name = match[1] ?? '';
      if (found.has(name)) continue;
      const path = libraryPath(root, name);
      const at = name.startsWith('ld-linux') ? `lib64/${name}` : `lib/x86_64-linux-gnu/${name}`;
      found.set(name, await file(path, at));
      queue.push(path);
    }
  }
  const loader = 'ld-linux-x86-64.so.2';
  if (!found.has(loader))
    found.set(loader, await file(libraryPath(root, loader), `lib64/${loader}`));
  return [...found.values()];
}

function libraryPath(root: string, name: string): string {
  const directories = ['lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu', 'lib64'];
  const path = directories.map((d) => join(root, d, name)).find((p) => existsSync(p));
  if (path === undefined) throw new BenchError(`library ${name} was not found under ${root}`);
  return path;
}

function data(path: string, content: string | Buffer): CpioEntry {
  return { kind: 'file', path, bytes: Buffer.from(content), executable: false };
}

/**
 * A kernel module without the signature at its end (Linux Documentation/admin-guide/
 * module-signing.rst): checking RSA in emulation costs milliseconds for each module.
 */
function withoutSignature(module: Buffer): Buffer {
  const magic = '~Module signature appended~\n';
  if (module.subarray(-magic.length).toString('latin1') !== magic) return module;
  // Before the magic: struct module_signature of 12 bytes, which ends with the big-endian length.
  const signatureBytes = module.readUInt32BE(module.length - magic.length - 4);
  return module.subarray(0, module.length - magic.length - 12 - signatureBytes);
}

async function file(from: string, path: string): Promise<CpioEntry> {
  const executable = ((await stat(from)).mode & 0o111) !== 0;
  return { kind: 'file', path, bytes: await readFile(from), executable };
}

async function tree(from: string, to: string): Promise<CpioEntry[]> {
  const entries: CpioEntry[] = [];
  const made = new Set<string>();
  for (const name of (await readdir(from, { recursive: true })).sort()) {
    const path = join(from, name);
    if ((await stat(path)).isDirectory()) {
      entries.push({ kind: 'directory', path: `${to}/${name}` });
      made.add(name);
      continue;
    }
    if (dirname(name) !== '.' && !made.has(dirname(name)))
      throw new BenchError(`unsorted: ${name}`);
    entries.push(await file(path, `${to}/${name}`));
  }
  return entries;
}

/** The rate of the host's time stamp counter, which an emulated machine sees as its own. */
export async function measureTscKhz(): Promise<number> {
  const program = join(CACHE, 'tsc');
  const source = join(RIVAL, 'tsc.c');
  await run('musl-gcc', ['-static', '-O2', '-o', program, source]);
  return Number(await run(program, []));
}
