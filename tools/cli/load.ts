/**
 * From a path to an App: a website and a handler get the devices and arguments that they always
 * have, a graph gets those of its morgana.config.ts, which is evaluated here, on the developer's
 * machine.
 */

import { existsSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import * as esbuild from 'esbuild';
import type { ArgSpecs } from '../../packages/morgana/arguments.ts';
import type { UnikernelConfig } from '../../packages/morgana/config.ts';
import { arg, kv, net, tls } from '../../packages/morgana/config.ts';
import { type DeviceNode, type DeviceSpec, deviceOrder } from '../../packages/morgana/devices.ts';
import { HTTPS_ARGS } from '../../packages/morgana/standard-args.ts';
import { type App, type AppPath, CONFIG_FILE, nameOf } from './app.ts';
import { Failure, usageFailure } from './failure.ts';
import { appCacheDirectory, packageRoot, shown } from './places.ts';

const portArg = (port: number): ArgSpecs => ({
  port: arg.port({ default: port, doc: 'TCP port of the server' }),
});
/** Of a website or a handler. */
const serverArgs = ({ tls: hasTls }: LoadOptions): ArgSpecs =>
  hasTls ? { ...portArg(443), ...HTTPS_ARGS } : portArg(80);

/** What the command line says about what is linked. */
export interface LoadOptions {
  readonly inspect: 'on' | 'off';
  /** Whether a website or handler has a management port; a graph of devices declares its own. */
  readonly management: boolean;
  /** Whether a website or handler is served over HTTPS, likewise. */
  readonly tls: boolean;
  /** A directory with its certificates to link; null: they come at boot. */
  readonly 'tls-files': string | null;
  /** Whether its certificate may come from an authority at boot. */
  readonly acme: boolean;
  /** Whom it trusts, as `ca` of a configuration; null: as that says. */
  readonly ca: string | null;
}

export const LOAD_DEFAULTS: LoadOptions = {
  inspect: 'on',
  management: false,
  tls: false,
  'tls-files': null,
  acme: false,
  ca: null,
};

export async function loadApp(
  found: Exclude<AppPath, { kind: 'image' }>,
  options: LoadOptions = LOAD_DEFAULTS,
): Promise<App> {
  checkTls(found, options);
  const inspection = options.inspect === 'on';
  const stack = net.stack();
  const files = options['tls-files'];
  const more = {
    ...(options.management ? { management: net.management(stack) } : {}),
    ...(options.tls ? { tls: tlsDevice(options, stack) } : {}),
  };
  const ca = caOf(options.ca, process.cwd(), '--ca');
  switch (found.kind) {
    case 'static':
      return {
        kind: 'static',
        name: nameOf(found.directory),
        root: found.directory,
        main: null,
        config: null,
        args: serverArgs(options),
        ca,
        connects: ca !== null,
        inspection,
        devices: deviceOrder({ stack, site: kv.directory(found.directory), ...more }),
        content: { site: found.directory, ...tlsContent(files) },
      };
    case 'handler':
      return {
        kind: 'handler',
        name: nameOf(found.main),
        root: found.main,
        main: found.main,
        config: null,
        args: serverArgs(options),
        ca,
        connects: ca !== null,
        inspection,
        devices: deviceOrder({ stack, ...more }),
        content: tlsContent(files),
      };
    case 'devices':
      if (options.management) {
        throw usageFailure(
          '--management is for websites and handlers',
          `declare it in ${CONFIG_FILE}: management: net.management(stack)`,
        );
      }
      return loadConfigured(found.config, inspection, ca);
  }
}

async function loadConfigured(file: string, inspection: boolean, ca: string | null): Promise<App> {
  const config = await evaluateConfig(file);
  const home = path.dirname(file);
  const main = path.resolve(home, config.main);
  if (!existsSync(main)) {
    throw new Failure({
      what: `there is no ${shown(main)}`,
      where: `which ${shown(file)} names as main`,
      mend: 'write it, or correct main',
    });
  }
  const devices = deviceOrder(config.devices);
  return {
    kind: 'devices',
    name: config.name,
    root: home,
    main,
    config: file,
    args: config.args,
    ca: ca ?? caOf(config.ca ?? null, home, `ca of ${shown(file)}`),
    connects: true,
    inspection,
    devices,
    content: contentOf(devices, home),
  };
}

function contentOf(devices: readonly DeviceNode[], home: string): Record<string, string> {
  const content: Record<string, string> = {};
  for (const node of devices) {
    if (node.options.path === undefined) continue;
    const place = path.resolve(home, String(node.options.path));
    const isTar = node.kind === 'kv.tar';
    const stat = statSync(place, { throwIfNoEntry: false });
    if (!(isTar ? stat?.isFile() : stat?.isDirectory())) {
      const what = isTar ? 'file' : 'directory';
      throw new Failure({
        what: `device '${node.name}' needs the ${what} ${shown(place)}, which does not exist`,
        where: declaredAt(node),
        mend: 'make it, or correct the path',
      });
    }
    content[node.name] = place;
  }
  return content;
}

const isDirectory = (where: string): boolean =>
  statSync(where, { throwIfNoEntry: false })?.isDirectory() === true;

function tlsDevice({ 'tls-files': files, acme }: LoadOptions, stack: DeviceSpec<'net.stack'>) {
  const options = files === null ? {} : { files };
  return acme ? tls.acme(stack, options) : tls.server(options);
}

function checkAcme({ kind }: AppPath, { tls: hasTls, acme, ca }: LoadOptions): void {
  if (!acme) return;
  if (kind === 'devices') {
    throw usageFailure(
      '--acme is for websites and handlers',
      `declare it in ${CONFIG_FILE}: tls: tls.acme(stack)`,
    );
  }
  if (!hasTls) throw usageFailure('--acme goes with --tls', 'give it --tls too');
  if (ca === null) {
    throw usageFailure(
      '--acme needs to know whom to trust: the authority is asked over TLS',
      'give it --ca=system, or a PEM file, too',
    );
  }
}

/** Refuses flags of TLS that would be silently ignored. */
function checkTls(found: AppPath, options: LoadOptions): void {
  checkAcme(found, options);
  const { tls: hasTls, 'tls-files': files } = options;
  const { kind } = found;
  if (files === null) return;
  if (kind === 'devices') {
    throw usageFailure(
      '--tls-files is for websites and handlers',
      `declare it in ${CONFIG_FILE}: tls: tls.server({ files: ${JSON.stringify(files)} })`,
    );
  }
  if (!hasTls) throw usageFailure('--tls-files goes with --tls', 'give it --tls too');
  if (!isDirectory(files)) {
    throw usageFailure(
      `--tls-files=${files}: there is no such directory`,
      'make it, or correct it',
    );
  }
}

/** The device of --tls is called so; its certificates are content of that name. */
const tlsContent = (files: string | null): Record<string, string> =>
  files === null ? {} : { tls: path.resolve(files) };

/** `value` of `where` as App has it. */
function caOf(value: string | null, home: string, where: string): string | null {
  if (value === null || value === 'none' || value === 'system') return value;
  const file = path.resolve(home, value);
  if (statSync(file, { throwIfNoEntry: false })?.isFile()) return file;
  throw new Failure({
    what: `there is no ${shown(file)}`,
    where: `which ${where} names`,
    mend: "name a PEM file of CAs to trust, or 'system' or 'none'",
  });
}

/** "at FILE:LINE", as far as it is known. */
export function declaredAt(node: DeviceNode): string {
  if (node.declaredAt === null) return '';
  const [, file, line] = /^(.*):(\d+)$/.exec(node.declaredAt) ?? [];
  return file === undefined ? '' : `declared at ${shown(file)}:${line}`;
}

const evaluateConfig = async (file: string): Promise<UnikernelConfig> =>
  checkShape(await evaluateFile(file, 'config.mjs'), file);

/**
 * What the file exports as default: bundles it as `bundleName` and runs it in this process, with a
 * source map, so that lines are its own.
 */
export async function evaluateFile(file: string, bundleName: string): Promise<unknown> {
  const bundle = path.join(appCacheDirectory(path.dirname(file)), bundleName);
  try {
    const built = await esbuild.build({
      entryPoints: [file],
      bundle: true,
      write: false,
      outfile: bundle,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      sourcemap: 'inline',
      logLevel: 'silent',
      alias: morganaAlias,
    });
    writeFileSync(bundle, built.outputFiles[0]!.contents);
  } catch (error) {
    throw bundleFailure(error, `${shown(file)} can't be read`);
  }
  process.setSourceMapsEnabled(true);
  try {
    const fresh = `${pathToFileURL(bundle).href}?at=${Date.now()}`;
    const module: { default?: unknown } = await import(fresh);
    return module.default;
  } catch (error) {
    throw new Failure({
      what: `${shown(file)}: ${error instanceof Error ? error.message : error}`,
      mend: 'correct the configuration',
    });
  }
}

/** An application imports "morgana" also where it isn't installed. */
export const morganaAlias: Record<string, string> = {
  morgana: path.join(packageRoot, 'packages/morgana/index.ts'),
  'morgana/arp': path.join(packageRoot, 'packages/morgana/arp.ts'),
  'morgana/config': path.join(packageRoot, 'packages/morgana/config.ts'),
  'morgana/compose': path.join(packageRoot, 'packages/morgana/compose.ts'),
  'morgana/http': path.join(packageRoot, 'packages/morgana/http.ts'),
  'morgana/linked': path.join(packageRoot, 'packages/morgana/linked.ts'),
  'morgana/git': path.join(packageRoot, 'packages/morgana/git.ts'),
  'morgana/router': path.join(packageRoot, 'packages/morgana/router.ts'),
  'morgana/store': path.join(packageRoot, 'packages/morgana/store.ts'),
  'morgana/sync': path.join(packageRoot, 'packages/morgana/sync.ts'),
  'morgana/tls': path.join(packageRoot, 'packages/morgana/tls.ts'),
};

function checkShape(value: unknown, file: string): UnikernelConfig {
  const config = value as UnikernelConfig | undefined;
  if (typeof config?.name === 'string' && typeof config.main === 'string' && config.devices) {
    return config;
  }
  throw new Failure({
    what: `${shown(file)} does not export a configuration`,
    mend: 'write: export default defineUnikernel({ name, main, devices, args })',
  });
}

/** esbuild's messages as they are, after one sentence. */
export function bundleFailure(error: unknown, what: string): Failure {
  const errors = (error as Partial<esbuild.BuildFailure>).errors;
  if (errors === undefined) throw error;
  const detail = esbuild.formatMessagesSync(errors, { kind: 'error', color: false });
  return new Failure({ what, mend: 'correct what is shown above', detail });
}
