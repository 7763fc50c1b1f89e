/** `npm run bench`: measures our image against its rivals. Read first: bench/README.md. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildLinux, CACHE, measureTscKhz } from './linux-vm.ts';
import {
  linuxMachine,
  type Machine,
  morganaMachine,
  morganaProcess,
  nodeProcess,
} from './machines.ts';
import { type ImageParts, measureImage } from './measure/image.ts';
import { inNamespace, type NetKind } from './network.ts';
import { HELP, type Options, parseOptions } from './options.ts';
import { BenchError, killKept, progress, require, run, UsageError } from './process.ts';
import { asData, formatTable } from './report.ts';
import type { Line } from './results.ts';
import { assembleSite } from './site.ts';
import { runSuite } from './suite.ts';

const ROOT = join(import.meta.dirname, '..');
const IMAGE = join(CACHE, 'morgana.img');
const PROCESS = join(CACHE, 'morgana.process');
/** What only virtual machines or only processes have. */
const NOT_NATIVE = ['image', 'memory'];
const NATIVE_ONLY = ['resident', 'bulk'];

async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const options = parseOptions(args);
  if (options.help) {
    process.stdout.write(HELP);
    return;
  }
  if (options.inside) {
    const site = await assembleSite();
    const [net = 'tap'] = options.nets;
    const machines =
      net === 'native'
        ? [morganaProcess(PROCESS), nodeProcess(process.execPath, site.directory)]
        : await buildMachines(options, site.directory);
    const lines = await runSuite(net, machines, site, options.only, options.quick);
    process.stdout.write(JSON.stringify(lines));
    return;
  }
  await require(
    options.nets.includes('native')
      ? ['wrk', 'iperf3']
      : ['qemu-system-x86_64', 'wrk', 'musl-gcc', 'readelf', 'mke2fs', 'gzip', 'xz'],
  );
  const lines = await measure(options, args);
  const table = `${formatTable(lines)}\n`;
  if (options.json) {
    process.stderr.write(table);
    process.stdout.write(`${JSON.stringify(asData(lines), null, 2)}\n`);
  } else {
    process.stdout.write(table);
  }
}

async function measure(options: Options, args: readonly string[]): Promise<Line[]> {
  const site = await assembleSite();
  const lines: Line[] = [];
  if (options.nets.includes('native')) {
    const only = new Set(options.only);
    for (const name of NOT_NATIVE) only.delete(name);
    await buildMorgana(site.directory, PROCESS, 'process');
    return measureInNamespace(args, options, only, 'native');
  }
  const machines = await buildMachines(options, site.directory);
  if (options.only.has('image'))
    lines.push(...(await measureImage(await emptyImages(options), options.quick)));
  const [first] = options.nets;
  for (const net of options.nets) {
    // The smallest memory doesn't depend on the network: it is searched for once.
    const only = new Set(options.only);
    for (const name of ['image', ...NATIVE_ONLY]) only.delete(name);
    if (net !== first) only.delete('memory');
    if (only.size === 0) continue;
    if (net === 'user') {
      lines.push(...(await runSuite('user', machines, site, only, options.quick)));
    } else {
      lines.push(...(await measureInNamespace(args, options, only, 'tap')));
    }
  }
  return lines;
}

async function measureInNamespace(
  args: readonly string[],
  options: Options,
  only: ReadonlySet<string>,
  net: NetKind,
): Promise<Line[]> {
  const passed = args.filter((argument) => !/^--(only|net|json|image)\b/.test(argument));
  if (options.morgana) passed.push(`--image=${options.image ?? IMAGE}`);
  const script = join(import.meta.dirname, 'main.ts');
  const names = [...only].join(',');
  const inside = [`--only=${names}`, `--net=${net}`, '--inside-namespace'];
  const out = await inNamespace([script, ...passed, ...inside]);
  const lines: Line[] = JSON.parse(out);
  return lines;
}

async function buildMachines(options: Options, siteDirectory: string): Promise<Machine[]> {
  const machines: Machine[] = [];
  if (options.morgana) {
    if (options.image === null) await buildMorgana(siteDirectory, IMAGE);
    machines.push(morganaMachine(options.image ?? IMAGE));
  }
  if (options.rivals.length === 0) return machines;
  const tscKhz = await measureTscKhz();
  for (const server of options.rivals) {
    const disk = linuxMachine(server, await buildLinux(server, siteDirectory, 'disk'), tscKhz);
    if (server === 'node') {
      machines.push(disk);
      continue;
    }
    const image = await buildLinux(server, siteDirectory, 'initramfs');
    machines.push({ ...linuxMachine(server, image, tscKhz), frugal: disk });
  }
  return machines;
}

/** The images with a site of one byte (ours refuses an empty one): what each way costs as such. */
async function emptyImages(options: Options): Promise<ImageParts[]> {
  const empty = join(CACHE, 'empty');
  await mkdir(empty, { recursive: true });
  await writeFile(join(empty, 'index.html'), '\n');
  const images: ImageParts[] = [];
  if (options.morgana) {
    const image = join(CACHE, 'morgana-empty.img');
    await buildMorgana(empty, image);
    images.push({ name: 'morgana', files: [image] });
  }
  for (const server of options.rivals) {
    const form = server === 'node' ? 'disk' : 'initramfs';
    const { kernel, initramfs, disk } = await buildLinux(server, empty, form);
    images.push({ name: server, files: [kernel, initramfs, ...(disk === null ? [] : [disk])] });
  }
  return images;
}

async function buildMorgana(siteDirectory: string, image: string, target = 'pvh'): Promise<void> {
  progress(`building ${image}`);
  const cli = join(ROOT, 'tools/cli/main.ts');
  const build = [cli, 'build', siteDirectory, `--target=${target}`, `--output=${image}`];
  await run(process.execPath, build, { cwd: ROOT, timeoutMs: 600_000 });
}

// Where mke2fs, ip and dnsmasq are; not everybody's shell looks there.
process.env.PATH = `${process.env.PATH}:/usr/sbin:/sbin`;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => process.exit(130));
}
process.on('exit', killKept);

main().then(
  () => process.exit(0),
  (error: unknown) => {
    const text = error instanceof BenchError ? error.message : error;
    process.stderr.write(`error: ${text instanceof Error ? text.stack : text}\n`);
    process.exit(error instanceof UsageError ? 1 : 2);
  },
);
