/**
 * `morgana dev`: runs an application on any target, and puts every change of it into what runs, or
 * starts that again. Not here: builds and changes (development.ts).
 */

import path from 'node:path';
import { type App, type AppPath, detectApp, nameOf } from './app.ts';
import { DevelopmentBuilder, type Version } from './build-development.ts';
import { Development, say } from './development.ts';
import { Failure, usageFailure } from './failure.ts';
import type { CommandLine, Publish } from './flags.ts';
import { startProcess } from './linux-process.ts';
import { loadApp } from './load.ts';
import { checkPorts, findQemu, type Running, startMachine } from './machine.ts';
import { checkMachineLinks, parseMachineLinks } from './machine-links.ts';
import { startDirectNode, startNode } from './node-process.ts';
import { chosenAccelerator } from './run.ts';
import { supervised } from './supervision.ts';
import { type Platform, platformOf, targetOf, type VERBS } from './verbs.ts';

type Line = CommandLine<typeof VERBS.dev.flags>;
type Found = Exclude<AppPath, { kind: 'image' }>;

export async function devVerb(line: Line): Promise<number> {
  const found = detectApp(line.words[0] ?? '.');
  if (found.kind === 'image') {
    throw usageFailure('dev takes an application, not an image', 'use "morgana run"');
  }
  const platform = platformOf(line.flags.target, line.flags.net);
  checkFlags(line, platform);
  const { port } = line.flags;
  if (isPublished(line, platform)) {
    await checkPorts(publishedPorts(line, 80), `--port=${port === 8_081 ? 8_082 : 8_081}`);
  }
  const about = {
    app: await nameOfApp(found),
    source: homeOf(found),
    target: targetOf(platform),
    network: null,
  };
  return supervised(line.flags.name, about, say, (channel) => {
    const builder = new DevelopmentBuilder(platform);
    return new Development({
      found,
      builder,
      controlSocket: channel && path.join(path.dirname(channel), 'control.sock'),
      start: (version) => start({ line, platform, builder, channel }, version),
      place: isPublished(line, platform) ? `http://localhost:${port}` : line.flags.link.join(', '),
    }).run();
  });
}

/** Whether ports of this machine lead to it: not where it has addresses of its own on links. */
const isPublished = (line: Line, platform: Platform): boolean =>
  platform === 'node' || (platform === 'pvh' && line.flags.link.length === 0);

/** Refuses what the target would silently ignore. */
function checkFlags(line: Line, platform: Platform): void {
  const { publish, link, disk, net, target } = line.flags;
  if (platform === 'node' && link.length > 0) {
    throw usageFailure('--link goes with our own stack', 'give it --net=direct too');
  }
  if (net === 'direct' && target !== 'node') {
    throw usageFailure(`--net=direct does not go with target ${target}`, 'leave it out');
  }
  if (publish.length > 0 && !isPublished(line, platform)) {
    throw usageFailure('--publish does not go with --link', 'its ports are at its own address');
  }
  if (disk.length > 0 && platform !== 'process') {
    throw usageFailure(`--disk does not go with target ${target}`, 'give it --target=process too');
  }
}

const homeOf = (found: Found): string =>
  found.kind === 'static'
    ? found.directory
    : found.kind === 'handler'
      ? found.main
      : path.dirname(found.config);

/** Of its configuration, where that can be read. */
async function nameOfApp(found: Found): Promise<string> {
  try {
    return (await loadApp(found)).name;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return nameOf(homeOf(found));
  }
}

/** `--port` leads to the application's own port, what --publish says besides. */
function publishedPorts(line: Line, guestPort: number): Publish[] {
  const { port: hostPort, publish } = line.flags;
  return [{ hostAddress: '127.0.0.1', hostPort, guestPort, protocol: 'tcp' }, ...publish];
}

interface Starting {
  readonly line: Line;
  readonly platform: Platform;
  readonly builder: DevelopmentBuilder;
  /** Where the machine's control channel leads. */
  readonly channel: string | null;
}

function start({ line, platform, builder, channel }: Starting, version: Version): Running {
  const { app } = version;
  const { file, contents } = builder.write(version);
  const { link, disk, memory } = line.flags;
  const bootArguments = line.rest ?? [];
  const publish = publishedPorts(line, guestPortOf(app, bootArguments));
  const node = { content: contents };
  switch (platform) {
    case 'node':
      return startNode(file, node, publish, bootArguments, channel, 'pipe');
    case 'node-direct':
      checkLinks(app, link);
      return startDirectNode(file, node, link, bootArguments, channel, 'pipe');
    case 'process': {
      checkLinks(app, link);
      const options = { links: link, disks: disk, memoryMib: memory, control: channel };
      return startProcess(file, { ...options, bootArguments }, 'pipe');
    }
    case 'pvh':
      return boot(line, app, file, channel, publish, bootArguments);
  }
}

function boot(
  line: Line,
  app: App,
  image: string,
  control: string | null,
  publish: readonly Publish[],
  bootArguments: readonly string[],
): Running {
  const { link, machine, memory } = line.flags;
  const links = parseMachineLinks(link);
  if (links.length > 0) checkLinks(app, link);
  checkMachineLinks(links);
  const qemu = findQemu();
  const options = {
    image,
    machine,
    accelerator: chosenAccelerator(qemu, line.flags.accelerator),
    memoryMib: memory,
    publish: links.length > 0 ? [] : publish,
    links,
    control,
    bootArguments,
  };
  return startMachine(qemu, options, 'pipe');
}

/** Refuses fewer interfaces than the program's graph has. */
function checkLinks(app: App, links: readonly string[]): void {
  const count = app.devices.filter((node) => node.kind === 'net.ethernet').length;
  if (links.length >= count) return;
  const wanted = count === 1 ? 'a network' : `${count} networks`;
  throw new Failure({
    what: `${app.name} needs ${wanted}, and has ${links.length || 'none'}`,
    mend: 'give it --link=tap:NAME or --link=unix:PATH',
  });
}

/** A wrong port is the application's to refuse: any will do for the forwarding until then. */
function guestPortOf(app: App, bootArguments: readonly string[]): number {
  const word = bootArguments.find((text) => text.startsWith('--port='));
  const port = Number(word?.slice('--port='.length) ?? app.args.port?.default ?? 80);
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : 80;
}
