/** Makes the Description of an application from its graph and from what the bundler reports. */

import path from 'node:path';
import type { Metafile } from 'esbuild';
import { type ArgSpecs, neighborsOf } from '../../packages/morgana/arguments.ts';
import {
  ACME_ARGS,
  DIRECT_STACK_ARGS,
  LOG_ARGS,
  MANAGEMENT_ARGS,
  NAME_ARGS,
  TLS_CLIENT_ARGS,
  TLS_SERVER_ARGS,
  VERSIONED_ARP_ARGS,
} from '../../packages/morgana/standard-args.ts';
import type { App } from './app.ts';
import {
  DESCRIPTION_FORMAT,
  type DescribedDisk,
  type Description,
  type Part,
} from './description.ts';
import type { DiskProgram } from './disks.ts';
import { hasAcme, hasManagement, hasOwnStack, hasTlsServer, implementationOf } from './entry.ts';
import { chainTo, packageCosts, packageOf } from './import-graph.ts';
import { type Platform, targetOf } from './verbs.ts';

export interface Measured {
  readonly bytes: number;
  readonly parts: readonly Part[];
  readonly contents: Description['capabilities']['content'];
}

/** `base`: the directory that the metafile's paths count from. */
export function describeApp(
  app: App,
  platform: Platform,
  metafile: Metafile,
  base: string,
  measured: Measured,
): Description {
  const packages = packageCosts(metafile, base).map((cost) => ({
    ...cost,
    because: because(cost.name, metafile, base),
  }));
  const ports = Object.entries(app.args)
    .filter(([name, spec]) => spec.kind === 'port' || (name === 'http-port' && hasTlsServer(app)))
    .map(([arg, spec]) => ({
      arg,
      default: spec.default === undefined ? null : Number(spec.default),
    }));
  return {
    format: DESCRIPTION_FORMAT,
    name: app.name,
    kind: app.kind,
    target: targetOf(platform),
    devices: app.devices.map((node) => ({
      name: node.name,
      kind: node.kind,
      named: node.named,
      implementation: implementationOf(node.kind, platform),
      needs: node.needs.map((at) => app.devices[at]!.name),
    })),
    packages,
    args: { ...app.args, ...standardArgs(app, platform) },
    capabilities: {
      ports,
      network: networkOf(app, platform),
      disks: disksOf(app),
      content: measured.contents,
    },
    image: { bytes: measured.bytes, parts: measured.parts },
  };
}

/**
 * Who pulled a package in: files of the application, then packages, each once; empty for the
 * entry's own.
 */
function because(name: string, metafile: Metafile, base: string): string[] {
  const chain = chainTo(metafile, (input) => packageOf(path.resolve(base, input)) === name);
  const steps = chain.map((input) => {
    const owner = packageOf(path.resolve(base, input));
    return owner === 'app' ? input : owner;
  });
  return [...new Set(steps)].filter((step) => step !== name && name !== 'app');
}

function standardArgs(app: App, platform: Platform): ArgSpecs {
  const more = {
    ...(hasManagement(app) ? MANAGEMENT_ARGS : {}),
    ...(hasTlsServer(app) ? TLS_SERVER_ARGS : {}),
    ...(hasAcme(app) ? ACME_ARGS : {}),
    ...(app.ca === null ? {} : TLS_CLIENT_ARGS),
  };
  if (!hasOwnStack(app, platform)) return { ...LOG_ARGS, ...more };
  const named = app.connects ? NAME_ARGS : {};
  const hasVersionedArp = app.devices.some(({ kind }) => kind === 'net.versionedArp');
  const arp = hasVersionedArp ? VERSIONED_ARP_ARGS : {};
  return { ...LOG_ARGS, ...DIRECT_STACK_ARGS, ...arp, ...named, ...more };
}

/** What says which disks it may have. */
export const diskProgram = (app: App, platform: Platform): DiskProgram => ({
  name: app.name,
  args: { ...app.args, ...standardArgs(app, platform) },
  capabilities: { disks: disksOf(app) },
});

const disksOf = (app: Pick<App, 'devices'>): DescribedDisk[] =>
  app.devices
    .filter(({ kind }) => kind === 'disk' || kind === 'disk.optional')
    .map(({ kind, name, options }) => ({
      name,
      bytesMin: Number(options.bytesMin),
      readOnly: options.readOnly === true,
      ...(kind === 'disk.optional' && { optional: true }),
    }));

function networkOf(app: App, platform: Platform): string[] {
  if (platform === 'node') return ["the host's sockets"];
  return app.devices.flatMap(({ kind, options }) => {
    if (kind === 'net.ethernet') return [`Ethernet interface ${options.index}`];
    if (kind !== 'net.versionedArp') return [];
    const fixed = Object.entries(neighborsOf(String(options.static)) ?? {});
    const peers = String(options.peers ?? '');
    return [
      ...fixed.map(([address, mac]) => `static ARP entry: ${address} is at ${mac}`),
      ...(peers === '' ? [] : [`believes ARP tables of ${peers.replaceAll(',', ', ')}`]),
    ];
  });
}
