/** `morgana run`: builds an application and boots it, or boots an image. */

import { copyFileSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { detectApp } from './app.ts';
import { buildApp, SUFFIX } from './build.ts';
import { grouped } from './describe-text.ts';
import { type Description, findDescription } from './description.ts';
import { certificateArguments } from './development-certificate.ts';
import { attachDisks, type MachineDisk } from './disks.ts';
import { Failure, usageFailure } from './failure.ts';
import { type CommandLine, formatPublish, type Publish } from './flags.ts';
import { type ProcessOptions, startProcess } from './linux-process.ts';
import { loadApp } from './load.ts';
import { checkPorts, chooseAccelerator, findQemu, type Running, startMachine } from './machine.ts';
import { checkMachineLinks, parseMachineLinks } from './machine-links.ts';
import { runOnNetworks } from './network/run-on-network.ts';
import { startDirectNode, startNode } from './node-process.ts';
import { appCacheDirectory, shown, writeProgram } from './places.ts';
import { firstByte, HEAD_REQUEST, HOSTLESS_REQUEST } from './probe.ts';
import type { UnikernelAbout } from './runtime-directory.ts';
import { supervised } from './supervision.ts';
import { httpsArguments, isHttps, numberArgument } from './tls-arguments.ts';
import { type Platform, platformOf, type Target, type VERBS } from './verbs.ts';

type Line = CommandLine<typeof VERBS.run.flags>;

/** How long a server may take to answer before the tool stops asking. */
const PATIENCE_MS = 60_000;

const say = (text: string): void => {
  process.stderr.write(`morgana: ${text}\n`);
};

export async function runVerb(line: Line): Promise<number> {
  const found = detectApp(line.words[0] ?? '.');
  if (found.kind === 'image') return runImage(line, found.image);
  const { target, network } = line.flags;
  // On a network of our own a process needs a stack of our own.
  const platform = platformOf(target, network.length > 0 ? 'direct' : line.flags.net);
  checkFlags(line, platform);
  const app = await loadApp(found, line.flags);
  const { output, mode, description } = await buildApp(app, platform);
  const kept = line.flags['keep-image'];
  const { inspect, management, tls, acme, ca } = line.flags;
  // Named by what it is linked with: another of the same application may be starting just now.
  const trust = ca !== null && 'ca';
  const certificates = tls && (line.flags['tls-files'] === null ? 'tls' : 'tls-files');
  const closed = inspect === 'off' && 'closed';
  const authority = acme && 'acme';
  const variant = [platform, closed, management && 'management', certificates, authority, trust];
  const name = `run-${variant.filter(Boolean).join('-')}.${SUFFIX[target]}`;
  const file = path.join(appCacheDirectory(app.root), name);
  writeProgram(file, output, mode);
  if (kept !== null) copyFileSync(file, kept);
  const about = { app: app.name, source: app.root, target };
  return run(line, about, description, Object.keys(app.content), (around) => {
    const node = { ...around, content: app.content };
    if (platform === 'node-direct') {
      const { links } = processOptions(line, description, around);
      return watchOver(line, description, () => startDirectNode(file, node, links));
    }
    if (platform !== 'node') return start(line, platform, file, description, around);
    return watchOver(line, description, (publish) => startNode(file, node, publish));
  });
}

/** Its own description says what it runs on; without one it is booted. */
function runImage(line: Line, image: string): Promise<number> {
  const description = findDescription(readFileSync(image));
  const target = description?.target ?? 'pvh';
  if (line.flags.target === 'node') {
    throw usageFailure('an image does not run on target node', 'leave --target=node out');
  }
  checkFlags(line, target);
  const source = path.resolve(image);
  const app = description?.name ?? path.parse(image).name;
  const content = description?.capabilities.content.map(({ device }) => device) ?? [];
  return run(line, { app, source, target }, description, content, (around) =>
    start(line, target, source, description, around),
  );
}

/** What a machine is given from around it. */
interface Around {
  /** Where its control channel leads, or null. */
  readonly control: string | null;
  /** Of --link or --network. */
  readonly links: readonly string[];
  readonly disks: readonly MachineDisk[];
  readonly bootArguments: readonly string[];
}

/** Under a name, on the networks asked for; until it ends. `content`: devices with files. */
function run(
  line: Line,
  app: Omit<UnikernelAbout, 'network' | 'ports'>,
  description: Description | null,
  content: readonly string[],
  begin: (around: Around) => Promise<Running>,
): Promise<number> {
  const { network, link, publish } = line.flags;
  const published = publishedPorts(line, description);
  const given = bootArgumentsOf(line, description, published);
  const ports = published.map(formatPublish);
  const about = { ...app, network: network[0] ?? null, ports };
  return supervised(line.flags.name, about, say, async (control, name) => {
    const bootArguments = [
      ...given,
      ...certificateArguments({
        isWanted: line.flags.tls,
        devices: description?.devices ?? [],
        content,
        disks: line.flags.disk.map((disk) => disk.name),
        bootArguments: line.rest ?? [],
        name,
        say,
      }),
    ];
    const disks = asksHelp(line) ? [] : attachDisks(line.flags.disk, description, bootArguments);
    if (network.length === 0 || asksHelp(line)) {
      return (await begin({ control, links: link, disks, bootArguments })).ended;
    }
    const joining = { networks: network, allowHost: line.flags['allow-host'], publish };
    const wish = { ...joining, name, description, bootArguments, say };
    return runOnNetworks(wish, (on) => begin({ control, disks, ...on }));
  });
}

/** What the user gave, and what follows from how it is run. */
function bootArgumentsOf(
  line: Line,
  description: Description | null,
  publish: readonly Publish[],
): readonly string[] {
  const given = line.rest ?? [];
  if (description === null || asksHelp(line)) return given;
  const { args, target } = description;
  const isOnHost = target === 'node' && !hasAddress(line);
  return [...given, ...httpsArguments({ args, bootArguments: given, publish, isOnHost })];
}

/** Starts an image. */
function start(
  line: Line,
  target: Target,
  image: string,
  description: Description | null,
  around: Around,
): Promise<Running> {
  if (target !== 'process') return boot(line, image, description, around);
  const options = processOptions(line, description, around);
  return watchOver(line, description, () => startProcess(image, options));
}

/** Refuses what the target would silently ignore. */
function checkFlags(line: Line, platform: Platform): void {
  const { publish, link, network } = line.flags;
  if (network.length > 0 && link.length > 0) {
    throw usageFailure('--network does not go with --link', 'leave one out');
  }
  if (network.length === 0 && line.flags['allow-host']) {
    throw usageFailure('--allow-host goes with --network', 'give it --network=NAME too');
  }
  const isLinked = platform === 'process' || platform === 'node-direct';
  if (platform === 'pvh' && link.length > 0 && publish.length > 0) {
    throw usageFailure(
      '--publish does not go with --link',
      'its ports are on the link, at its own address',
    );
  }
  const wrong =
    isLinked && network.length === 0 ? { publish } : platform === 'node' ? { link } : {};
  const [given] = Object.entries(wrong)
    .filter(([, values]) => values.length > 0)
    .map(([name]) => name);
  if (given === undefined) return;
  const mends = {
    publish: 'it has addresses of its own on its --link; give it --network=NAME instead',
    link: 'give it --net=direct too',
  };
  throw usageFailure(
    `--${given} does not go with target ${platform === 'node-direct' ? 'node --net=direct' : platform}`,
    mends[given as keyof typeof mends],
  );
}

function processOptions(
  line: Line,
  description: Description | null,
  { control, links, disks, bootArguments }: Around,
): ProcessOptions {
  checkLinks(line, description, links);
  return { links, disks, memoryMib: line.flags.memory, control, bootArguments };
}

/** Refuses fewer interfaces than the program's graph has. */
function checkLinks(line: Line, description: Description | null, links: readonly string[]): void {
  const network = description?.capabilities.network ?? [];
  if (links.length < network.length && !asksHelp(line)) {
    throw new Failure({
      what: `${description!.name} needs ${network.length === 1 ? 'a network' : `${network.length} networks`}, and has ${links.length || 'none'}`,
      mend: 'give it --network=NAME, --link=tap:NAME or --link=unix:PATH',
    });
  }
}

async function boot(
  line: Line,
  image: string,
  description: Description | null,
  around: Around,
): Promise<Running> {
  const { machine, memory } = line.flags;
  const { control, disks, bootArguments } = around;
  if (around.links.length > 0) checkLinks(line, description, around.links);
  const links = parseMachineLinks(around.links);
  // A network's has just answered.
  if (line.flags.network.length === 0) checkMachineLinks(links);
  const qemu = findQemu();
  const accelerator = chosenAccelerator(qemu, line.flags.accelerator);
  const bytes = description?.image.bytes ?? readFileSync(image).length;
  const content = description?.image.parts.find((part) => part.name === 'content')?.bytes ?? 0;
  say(`image ${shown(image)}: ${grouped(bytes)} bytes, of which content ${grouped(content)}`);
  say(`QEMU ${machine}, ${memory} MiB, ${accelerator === 'kvm' ? 'kvm' : 'tcg (emulation)'}`);
  return watchOver(line, description, (publish) =>
    startMachine(qemu, {
      image,
      machine,
      accelerator,
      memoryMib: memory,
      publish: links.length > 0 ? [] : publish,
      links,
      disks,
      control,
      bootArguments,
    }),
  );
}

export function chosenAccelerator(qemu: string, wish: 'auto' | 'kvm' | 'tcg'): 'kvm' | 'tcg' {
  if (wish === 'tcg') return 'tcg';
  const best = chooseAccelerator(qemu);
  if (wish === 'kvm' && best === 'tcg') {
    throw new Failure({
      what: 'hardware virtualisation (kvm) does not work on this machine',
      mend: 'leave --accelerator=kvm out',
    });
  }
  return best;
}

/** Starts it, and tells where and when it answers. */
async function watchOver(
  line: Line,
  description: Description | null,
  start: (publish: readonly Publish[]) => Running,
): Promise<Running> {
  const publish = publishedPorts(line, description);
  // On a network they are its switch's, which has them by now.
  if (line.flags.network.length === 0) await checkPorts(publish);
  const startedMs = performance.now();
  const running = start(publish);
  let over = false;
  const end = (): void => {
    over = true;
  };
  running.ended.then(end, end);
  const web = publish.find((p) => p.protocol === 'tcp');
  if (web !== undefined) void announce(description, web, startedMs, () => over);
  else if (description?.capabilities.ports.length && !hasAddress(line) && !asksHelp(line))
    say('no port is published: see --publish');
  return running;
}

async function announce(
  description: Description | null,
  web: Publish,
  startedMs: number,
  over: () => boolean,
): Promise<void> {
  const host = web.hostAddress === '127.0.0.1' ? 'localhost' : web.hostAddress;
  const isSecure = isHttps(description?.args ?? {});
  const url = `${isSecure ? 'https' : 'http'}://${host}:${web.hostPort}`;
  // Only what is known to be a web server is asked: an unknown protocol's peer shouldn't be.
  if (description?.kind !== 'static' && description?.kind !== 'handler') {
    return say(`port ${web.guestPort} is published at ${host}:${web.hostPort}`);
  }
  const address = web.hostAddress === '0.0.0.0' ? '127.0.0.1' : web.hostAddress;
  const request = description.kind === 'static' ? HEAD_REQUEST : HOSTLESS_REQUEST;
  const asked = { host: address, port: web.hostPort, request, isSecure };
  const ms = await firstByte(asked, startedMs, PATIENCE_MS, over);
  if (ms !== null) say(`${url} answered ${Math.round(ms)} ms after start`);
  else if (!over()) say(`${url} has not answered for ${PATIENCE_MS / 1_000} s`);
}

/**
 * What --publish says; a web server without any is published at 8080, over HTTPS at 8443 as well,
 * or it couldn't be seen at all.
 */
function publishedPorts(line: Line, description: Description | null): readonly Publish[] {
  const given = line.flags.publish;
  if (given.length > 0 || asksHelp(line) || description === null) return given;
  if (hasAddress(line) || description.kind === 'devices') return given;
  const { args } = description;
  const publish = (hostPort: number, name: string, fallback: number): Publish => {
    // A wrong port is the image's to refuse: any will do for the forwarding until then.
    const guestPort = numberArgument(name, args, line.rest ?? []) || fallback;
    return { hostAddress: '127.0.0.1', hostPort, guestPort, protocol: 'tcp' };
  };
  if (!isHttps(args)) return [publish(8_080, 'port', 80)];
  const secure = publish(8_443, 'port', 443);
  const redirects = numberArgument('http-port', args, line.rest ?? []) !== 0;
  return redirects ? [secure, publish(8_080, 'http-port', 80)] : [secure];
}

/** Of its own, at which others reach its ports: on a network, which may publish them too. */
const hasAddress = ({ flags }: Line): boolean => flags.link.length > 0 || flags.network.length > 0;

const asksHelp = (line: Line): boolean => (line.rest ?? []).includes('--help');
