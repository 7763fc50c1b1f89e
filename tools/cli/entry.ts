/**
 * The module that starts an application on a target: generated, because it is here that a device's
 * implementation is chosen, and only what it names is linked.
 */

import path from 'node:path';
import type { DeviceKind, DeviceNode } from '../../packages/morgana/devices.ts';
import type { App } from './app.ts';
import { readCa } from './ca.ts';
import { Failure } from './failure.ts';
import { declaredAt } from './load.ts';
import { packageRoot } from './places.ts';
import type { Platform } from './verbs.ts';

/** An implementation: what to import from where below the package's root. */
interface Implementation {
  readonly from: string;
  readonly name: string;
  /** For people. */
  readonly shown: string;
}

const CONTENT = {
  from: 'packages/morgana/run.ts',
  name: 'contentConnector',
  shown: 'linked into the image',
};

/** Attached at boot, each as `shown`. */
const disks = (shown: string) => {
  const from = 'packages/morgana/disk.ts';
  return {
    disk: { from, name: 'diskConnector', shown },
    'disk.optional': { from, name: 'optionalDiskConnector', shown: `${shown}, or none` },
  };
};

const STORES = {
  'kv.commit': {
    from: 'packages/morgana/kv-connectors.ts',
    name: 'commitConnector',
    shown: 'a commit, in memory',
  },
  'kv.store': {
    from: 'packages/morgana/kv-connectors.ts',
    name: 'storeKvConnector',
    shown: 'a branch',
  },
  'store.block': {
    from: 'packages/morgana/store-connector.ts',
    name: 'blockStoreConnector',
    shown: 'a log on the disk',
  },
  'store.optional': {
    from: 'packages/morgana/store-connector.ts',
    name: 'optionalStoreConnector',
    shown: 'a log on the disk, or none',
  },
  'store.memory': {
    from: 'packages/morgana/store-connector.ts',
    name: 'memoryStoreConnector',
    shown: 'in memory',
  },
};

const DIRECT_STACK = {
  from: 'packages/morgana/direct-stack.ts',
  name: 'directStackConnector',
  shown: 'our own TCP/IP',
};

const VERSIONED_ARP = {
  from: 'packages/morgana/arp/connector.ts',
  name: 'versionedArpConnector',
  shown: 'a table with its history in Git',
};

const MANAGEMENT = {
  from: 'packages/morgana/management.ts',
  name: 'managementConnector',
  shown: 'HTTP with a token, syslog',
};

const TLS = {
  'tls.server': {
    from: 'packages/morgana/tls/server-connector.ts',
    name: 'tlsServerConnector',
    shown: 'our own TLS',
  },
  'tls.acme': {
    from: 'packages/morgana/tls/acme-connector.ts',
    name: 'acmeConnector',
    shown: 'our own TLS and ACME',
  },
  'tls.client': {
    from: 'packages/morgana/tls/tls-client.ts',
    name: 'tlsClientConnector',
    shown: 'our own TLS',
  },
};

const ethernet = (shown: string): Implementation => ({
  from: 'packages/morgana/run.ts',
  name: 'ethernetConnector',
  shown,
});

/** What each target has for each kind of device; a kind left out is one that it lacks. */
const IMPLEMENTATIONS: Record<Platform, { readonly [K in DeviceKind]?: Implementation }> = {
  pvh: {
    'net.ethernet': ethernet('virtio-net'),
    'net.stack': DIRECT_STACK,
    'net.versionedArp': VERSIONED_ARP,
    'kv.directory': CONTENT,
    'kv.tar': CONTENT,
    ...disks('virtio-blk'),
    'net.management': MANAGEMENT,
    ...STORES,
    ...TLS,
  },
  process: {
    'net.ethernet': ethernet('a tap device or a UNIX socket'),
    'net.stack': DIRECT_STACK,
    'net.versionedArp': VERSIONED_ARP,
    'kv.directory': CONTENT,
    'kv.tar': CONTENT,
    ...disks('a file'),
    'net.management': MANAGEMENT,
    ...STORES,
    ...TLS,
  },
  node: {
    'net.stack': {
      from: 'targets/node/connector.ts',
      name: 'hostStackConnector',
      shown: "the host's sockets",
    },
    'kv.directory': CONTENT,
    'kv.tar': CONTENT,
    ...disks('a file'),
    'net.management': MANAGEMENT,
    ...STORES,
    ...TLS,
  },
  'node-direct': {
    'net.ethernet': ethernet('a tap device or a UNIX socket'),
    'net.stack': DIRECT_STACK,
    'net.versionedArp': VERSIONED_ARP,
    'kv.directory': CONTENT,
    'kv.tar': CONTENT,
    ...disks('a file'),
    'net.management': MANAGEMENT,
    ...STORES,
    ...TLS,
  },
};

/** In place of the above for a program that opens connections: names cost bytes. */
const WITH_NAMES: Implementation = {
  from: 'packages/morgana/named-stack.ts',
  name: 'namedStackConnector',
  shown: 'our own TCP/IP',
};

/** Whether our own stack, with names or without, is what `target` has. */
export const hasOwnStack = (app: App, target: Platform): boolean =>
  IMPLEMENTATIONS[target]['net.stack'] === DIRECT_STACK &&
  app.devices.some((node) => node.kind === 'net.stack');

export const hasManagement = (app: App): boolean =>
  app.devices.some((node) => node.kind === 'net.management');

export const isTlsServer = ({ kind }: Pick<DeviceNode, 'kind'>): boolean =>
  kind === 'tls.server' || kind === 'tls.acme';

export const hasTlsServer = (app: Pick<App, 'devices'>): boolean => app.devices.some(isTlsServer);

export const hasAcme = (app: Pick<App, 'devices'>): boolean =>
  app.devices.some((node) => node.kind === 'tls.acme');

/** A website or handler over HTTPS. */
const isHttps = (app: App): boolean => app.kind !== 'devices' && hasTlsServer(app);

/** Where `launch` is. */
const LAUNCH: Record<Platform, string> = {
  pvh: 'targets/pvh/index.ts',
  process: 'targets/process/index.ts',
  node: 'targets/node/launch.ts',
  'node-direct': 'targets/node/launch-direct.ts',
};

const LACKING: Record<Platform, string> = {
  pvh: 'pvh, a virtual machine',
  process: 'process, a Linux process with links and disks',
  node: 'node, a process on this machine with sockets but no Ethernet interface of its own',
  'node-direct': 'node, a process on this machine',
};

/**
 * Refuses an application with a device that `target` lacks: one sentence with device, target and
 * line.
 */
export function checkDevices(app: App, target: Platform): void {
  for (const node of app.devices) {
    if (IMPLEMENTATIONS[target][node.kind] !== undefined || isUnneeded(app, node, target)) continue;
    throw new Failure({
      what: `device '${node.name}' (${node.kind}) does not exist on target ${LACKING[target]}`,
      where: declaredAt(node),
      mend: `build for another target${target === 'node' ? ': --target=pvh, or with --net=direct' : ''}`,
    });
  }
}

/**
 * A device that only stands under one which the target gives whole: an interface under host
 * sockets.
 */
function isUnneeded(app: App, node: DeviceNode, target: Platform): boolean {
  return !node.named && target === 'node' && app.devices.some((user) => user.kind === 'net.stack');
}

/** The source of the entry module. Its text depends on the application and the target only. */
export function entrySource(app: App, target: Platform): string {
  const graph = graphSource(app, target);
  const { start, lines } = startSource(app);
  const parts = ['name', 'args', 'devices', 'connectors', 'start'];
  if (app.ca !== null) parts.push('secure');
  if (app.inspection || hasManagement(app)) {
    const from = 'packages/morgana/inspection.ts';
    lines.push(importLine('{ startInspection as inspection }', from));
    parts.push('inspection');
  }
  return [
    ...graph.imports,
    importLine('{ runUnikernel }', 'packages/morgana/run.ts'),
    ...lines,
    '',
    ...graph.constants,
    `const start = ${start};`,
    // Web globals need their machine before the application's first module is evaluated: hence its
    // import().
    'launch((machine) => {',
    '  installWeb(machine);',
    `  return runUnikernel(machine, { ${parts.join(', ')} });`,
    '});',
    '',
  ].join('\n');
}

/**
 * The same for a development build: the application is no part of it, but a script that comes with
 * it or later. `modules` are what scripts may ask for, by their paths below the package's root.
 */
export function systemSource(app: App, target: Platform, modules: readonly string[]): string {
  const graph = graphSource(app, target);
  const parts = ['name', 'args', 'devices', 'connectors'];
  if (app.ca !== null) parts.push('secure');
  if (isHttps(app)) parts.push('serve');
  return [
    ...graph.imports,
    importLine('{ evaluateScript as evaluate }', 'packages/device/evaluate.ts'),
    importLine('{ runDevelopment }', 'packages/morgana/development.ts'),
    ...(isHttps(app) ? [SERVE_HTTPS] : []),
    ...modules.map((module, index) => importLine(`* as module${index}`, module)),
    '',
    ...graph.constants,
    `const modules = { ${modules.map((path, i) => `'${path}': module${i}`).join(', ')} };`,
    'launch((machine) => {',
    '  installWeb(machine);',
    `  const unikernel = { ${parts.join(', ')} };`,
    `  return runDevelopment({ ...machine, evaluate }, '${app.kind}', modules, unikernel);`,
    '});',
    '',
  ].join('\n');
}

/** What both begin with: the target's part, and the graph with its devices' implementations. */
function graphSource(app: App, target: Platform): { imports: string[]; constants: string[] } {
  const kinds = [...new Set(app.devices.map((node) => node.kind))].sort();
  const imports = [
    importLine('{ launch }', LAUNCH[target]),
    importLine('{ installWeb }', 'packages/web/platform.ts'),
  ];
  const connectors: string[] = [];
  for (const kind of kinds) {
    const isNamed = kind === 'net.stack' && hasOwnStack(app, target) && app.connects;
    const implementation = isNamed ? WITH_NAMES : IMPLEMENTATIONS[target][kind];
    if (implementation === undefined) continue;
    imports.push(importLine(`{ ${implementation.name} }`, implementation.from));
    connectors.push(`  '${kind}': ${implementation.name},`);
  }
  const secure: string[] = [];
  if (app.ca !== null) {
    imports.push(importLine('{ secureWith }', 'packages/morgana/tls/secure.ts'));
    secure.push(`const secure = secureWith(${JSON.stringify(readCa(app.ca))});`);
  }
  const constants = [
    ...secure,
    `const connectors = {\n${connectors.join('\n')}\n};`,
    `const name = ${JSON.stringify(app.name)};`,
    `const args = ${JSON.stringify(app.args)};`,
    `const devices = ${JSON.stringify(linkedDevices(app))};`,
  ];
  return { imports, constants };
}

/** The expression that is the program's `start`, and the imports that it needs. */
function startSource(app: App): { start: string; lines: string[] } {
  const main = JSON.stringify(app.main);
  const serve = isHttps(app) ? ', serve' : '';
  const lines = isHttps(app) ? [SERVE_HTTPS] : [];
  if (app.kind === 'static') {
    lines.push(importLine('{ startStaticSite }', 'packages/morgana/static-site.ts'));
    return { start: `(context) => startStaticSite(context${serve})`, lines };
  }
  if (app.kind === 'devices') {
    return { start: `async (context) => (await import(${main})).start(context)`, lines };
  }
  lines.push(importLine('{ startHandler }', 'packages/morgana/handler.ts'));
  return {
    start: `async (context) => startHandler((await import(${main})).default, context${serve})`,
    lines,
  };
}

/**
 * Without paths of the developer's machine: they have no meaning in an image and would change its
 * bytes.
 */
function linkedDevices(app: App): DeviceNode[] {
  return app.devices.map((node) => {
    const { path: _path, ...options } = node.options;
    return { ...node, options, declaredAt: null };
  });
}

const importLine = (what: string, from: string): string =>
  `import ${what} from ${JSON.stringify(path.join(packageRoot, from))};`;

const SERVE_HTTPS = importLine(
  '{ serveProgram as serve }',
  'packages/morgana/tls/https-program.ts',
);

/** What stands for a kind of device on a target, for people. */
export function implementationOf(kind: DeviceKind, target: Platform): string {
  return IMPLEMENTATIONS[target][kind]?.shown ?? "the host's";
}
