/**
 * `morgana dev`: runs an application on any target, and puts every change of it into what runs, or
 * starts that again. Not here: builds and changes (development.ts).
 */

import path from 'node:path';
import { type App, type AppPath, detectApp, nameOf } from './app.ts';
import { DevelopmentBuilder, type Version } from './build-development.ts';
import { diskProgram } from './describe-app.ts';
import { Development, say } from './development.ts';
import { certificateArguments } from './development-certificate.ts';
import { attachDisks, type MachineDisk } from './disks.ts';
import { hasOwnStack } from './entry.ts';
import { Failure, usageFailure } from './failure.ts';
import { type CommandLine, formatPublish, type Publish } from './flags.ts';
import { startProcess } from './linux-process.ts';
import { LOAD_DEFAULTS, loadApp } from './load.ts';
import { checkPorts, findQemu, type Running, startMachine } from './machine.ts';
import { checkMachineLinks, parseMachineLinks } from './machine-links.ts';
import { runOnNetworks } from './network/run-on-network.ts';
import { startDirectNode, startNode } from './node-process.ts';
import { chosenAccelerator } from './run.ts';
import { supervised } from './supervision.ts';
import { httpsArguments, numberArgument } from './tls-arguments.ts';
import { type Platform, platformOf, type VERBS } from './verbs.ts';

type Line = CommandLine<typeof VERBS.dev.flags>;
type Found = Exclude<AppPath, { kind: 'image' }>;

export async function devVerb(line: Line): Promise<number> {
  const found = detectApp(line.words[0] ?? '.');
  if (found.kind === 'image') {
    throw usageFailure('dev takes an application, not an image', 'use "morgana run"');
  }
  const { port, target, name, network } = line.flags;
  // On a network of our own a process needs a stack of our own.
  const platform = platformOf(target, network.length > 0 ? 'direct' : line.flags.net);
  checkFlags(line, platform);
  // One that can't be loaded yet is told of when it is built.
  const load = { ...LOAD_DEFAULTS, ...line.flags };
  const app = await loadApp(found, load).catch((error: unknown) => {
    if (error instanceof Failure) return null;
    throw error;
  });
  // No edit of its modules mends this: not worth waiting for one.
  if (app !== null) checkPlaces(app, platform, [...network, ...line.flags.link]);
  const publish = isPublished(line, platform) ? publishedPorts(line, app) : [];
  if (publish.length > 0) {
    await checkPorts(publish, `--port=${port === 8_081 ? 8_082 : 8_081}`);
  }
  const source = homeOf(found);
  const scheme = line.flags.tls ? 'https' : 'http';
  const ports = publish.map(formatPublish);
  const appName = app?.name ?? nameOf(source);
  const about = { app: appName, source, target, network: network[0] ?? null, ports };
  return supervised(name, about, say, async (channel, ownName) => {
    const development = (around: Around): Development =>
      new Development({
        found,
        load,
        builder: around.builder,
        controlSocket: channel && path.join(path.dirname(channel), 'control.sock'),
        start: (version) => start(line, around, version),
        place: publish.length > 0 ? `${scheme}://localhost:${port}` : line.flags.link.join(', '),
      });
    const around = { platform, builder: new DevelopmentBuilder(platform), channel, publish };
    const given = line.rest ?? [];
    // Once: it stays the same while the application changes.
    const bootArguments = [
      ...given,
      ...certificateArguments({
        isWanted: line.flags.tls && app !== null,
        devices: app?.devices ?? [],
        content: Object.keys(app?.content ?? {}),
        disks: line.flags.disk.map((disk) => disk.name),
        bootArguments: given,
        name: ownName,
        say,
      }),
    ];
    if (network.length === 0) {
      return development({
        ...around,
        links: line.flags.link,
        bootArguments,
        hostname: null,
      }).run();
    }
    const wish = {
      networks: network,
      name: ownName,
      description: null,
      bootArguments,
      allowHost: line.flags['allow-host'],
      publish,
      say,
    };
    return runOnNetworks(wish, async (on) => {
      const running = development({ ...around, ...on, hostname: ownName });
      return { ended: running.run(), stdout: null, stop: () => running.stop() };
    });
  });
}

/** What a machine is given, each time that it is started. */
interface Around {
  readonly platform: Platform;
  readonly builder: DevelopmentBuilder;
  /** Where its control channel leads. */
  readonly channel: string | null;
  /** Ports of this machine that lead to it; on a network they are its switch's. */
  readonly publish: readonly Publish[];
  /** Of --link or --network. */
  readonly links: readonly string[];
  readonly bootArguments: readonly string[];
  /** What it is called on a network. */
  readonly hostname: string | null;
}

/** Whether ports of this machine lead to it: not where it has addresses of its own on links. */
const isPublished = (line: Line, platform: Platform): boolean =>
  line.flags.network.length > 0 ||
  platform === 'node' ||
  (platform === 'pvh' && line.flags.link.length === 0);

/** Refuses what the target would silently ignore. */
function checkFlags(line: Line, platform: Platform): void {
  const { publish, link, net, target, network } = line.flags;
  if (network.length > 0 && link.length > 0) {
    throw usageFailure('--network does not go with --link', 'leave one out');
  }
  if (network.length === 0 && line.flags['allow-host']) {
    throw usageFailure('--allow-host goes with --network', 'give it --network=NAME too');
  }
  if (platform === 'node' && link.length > 0) {
    throw usageFailure('--link goes with our own stack', 'give it --net=direct too');
  }
  if (net === 'direct' && target !== 'node') {
    throw usageFailure(`--net=direct does not go with target ${target}`, 'leave it out');
  }
  if (publish.length > 0 && !isPublished(line, platform)) {
    throw usageFailure('--publish does not go with --link', 'its ports are at its own address');
  }
}

const homeOf = (found: Found): string =>
  found.kind === 'static'
    ? found.directory
    : found.kind === 'handler'
      ? found.main
      : path.dirname(found.config);

/** `--port` leads to the application's own port, what --publish says besides. */
function publishedPorts(line: Line, app: App | null): readonly Publish[] {
  const { port: hostPort, publish } = line.flags;
  // A wrong port is the application's to refuse: any will do for the forwarding until then.
  const guestPort = numberArgument('port', app?.args ?? {}, line.rest ?? []) || 80;
  return [{ hostAddress: '127.0.0.1', hostPort, guestPort, protocol: 'tcp' }, ...publish];
}

function start(line: Line, around: Around, version: Version): Running {
  const { platform, builder, channel: control, publish, links } = around;
  const { file, contents } = builder.write(version);
  const given = argumentsOf(around, version.app);
  const { args } = version.app;
  const isOnHost = platform === 'node';
  const bootArguments = [
    ...given,
    ...httpsArguments({ args, bootArguments: given, publish, isOnHost }),
  ];
  const disks = attachDisks(line.flags.disk, diskProgram(version.app, platform), bootArguments);
  const node = { content: contents, disks, bootArguments, control };
  switch (platform) {
    case 'node':
      return startNode(file, node, publish, 'pipe');
    case 'node-direct':
      checkLinks(version.app, links);
      return startDirectNode(file, node, links, 'pipe');
    case 'process': {
      checkLinks(version.app, links);
      const { memory: memoryMib } = line.flags;
      return startProcess(file, { links, disks, memoryMib, control, bootArguments }, 'pipe');
    }
    case 'pvh':
      checkPlaces(version.app, platform, links);
      return boot(line, file, { ...around, bootArguments }, disks);
  }
}

/** With --hostname, where the program has it and the user gave none. */
function argumentsOf({ bootArguments, hostname, platform }: Around, app: App): readonly string[] {
  const isGiven = bootArguments.some((word) => word.startsWith('--hostname='));
  if (hostname === null || isGiven || !hasOwnStack(app, platform)) return bootArguments;
  return [...bootArguments, `--hostname=${hostname}`];
}

function boot(line: Line, image: string, around: Around, disks: readonly MachineDisk[]): Running {
  const { machine, memory: memoryMib } = line.flags;
  const { channel: control, bootArguments } = around;
  const links = parseMachineLinks(around.links);
  checkMachineLinks(links);
  const qemu = findQemu();
  const accelerator = chosenAccelerator(qemu, line.flags.accelerator);
  const publish = links.length > 0 ? [] : around.publish;
  const options = { image, machine, accelerator, memoryMib, publish, links, disks, control };
  return startMachine(qemu, { ...options, bootArguments }, 'pipe');
}

/** A machine without links is on QEMU's user networking. */
function checkPlaces(app: App, platform: Platform, places: readonly string[]): void {
  if (platform === 'node' || (platform === 'pvh' && places.length === 0)) return;
  checkLinks(app, places);
}

/** Refuses fewer interfaces than the program's graph has. */
function checkLinks(app: App, links: readonly string[]): void {
  const count = app.devices.filter((node) => node.kind === 'net.ethernet').length;
  if (links.length >= count) return;
  const wanted = count === 1 ? 'a network' : `${count} networks`;
  throw new Failure({
    what: `${app.name} needs ${wanted}, and has ${links.length || 'none'}`,
    mend: 'give it --network=NAME, --link=tap:NAME or --link=unix:PATH',
  });
}
