/** Which of the three kinds of application a path is, and what its configuration says. */

import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import path from 'node:path';
import type { ArgSpecs } from '../../packages/morgana/arguments.ts';
import type { DeviceNode } from '../../packages/morgana/devices.ts';
import { Failure, usageFailure } from './failure.ts';
import { shown } from './places.ts';

export const CONFIG_FILE = 'morgana.config.ts';

/**
 * A path that names an application, by kind; `main` is the module that is linked. All paths
 * absolute.
 */
export type AppPath =
  | { readonly kind: 'static'; readonly directory: string }
  | { readonly kind: 'handler'; readonly main: string }
  | { readonly kind: 'devices'; readonly config: string }
  | { readonly kind: 'image'; readonly image: string };

/** An application, ready to be linked. */
export interface App {
  readonly kind: 'static' | 'handler' | 'devices';
  readonly name: string;
  /** The path that was named on the command line, absolute. */
  readonly root: string;
  /** The application's own module; null for a static website. */
  readonly main: string | null;
  /** The configuration file; null but for a graph of devices. */
  readonly config: string | null;
  readonly args: ArgSpecs;
  readonly devices: readonly DeviceNode[];
  /** It may open connections, and so links names. */
  readonly connects: boolean;
  /**
   * Whom it trusts when it asks others over TLS: 'none', 'system', or a PEM file, absolute; null:
   * no TLS is linked for that.
   */
  readonly ca: string | null;
  /** It can be looked into: packages/morgana/inspection.ts is linked. */
  readonly inspection: boolean;
  /** Directories to link, by the name of their device. */
  readonly content: Readonly<Record<string, string>>;
}

export const MODULE = /\.[mc]?[jt]sx?$/;
const ELF_MAGIC = '\x7fELF';

/** Looks at the file system only. Refuses what is none of the kinds. */
export function detectApp(word: string): AppPath {
  const where = path.resolve(word);
  const stat = statSync(where, { throwIfNoEntry: false });
  if (stat === undefined) {
    throw new Failure({
      what: `there is no ${shown(where)}`,
      mend: 'name an application or an image',
    });
  }
  if (!stat.isDirectory()) return detectFile(where);
  if (existsSync(path.join(where, CONFIG_FILE))) {
    return { kind: 'devices', config: path.join(where, CONFIG_FILE) };
  }
  const names = readdirSync(where);
  if (names.includes('package.json') || names.includes('node_modules')) {
    const module = names.find((name) => /^(app|index|main)\.[mc]?[jt]sx?$/.test(name));
    throw usageFailure(
      `${shown(where)} is a project, not a website: it has package.json and no ${CONFIG_FILE}`,
      `name its module or directory of files, as ${shown(path.join(where, module ?? 'htdocs'))}`,
    );
  }
  if (names.length === 0) {
    throw new Failure({ what: `${shown(where)} is empty`, mend: 'put index.html into it' });
  }
  return { kind: 'static', directory: where };
}

function detectFile(file: string): AppPath {
  if (path.basename(file) === CONFIG_FILE) return { kind: 'devices', config: file };
  if (MODULE.test(file) && !file.endsWith('.d.ts')) return { kind: 'handler', main: file };
  if (readHead(file) === ELF_MAGIC) return { kind: 'image', image: file };
  throw usageFailure(
    `${shown(file)} is neither a module nor an image`,
    'name a directory of files, a .ts or .js module, or an image that "morgana build" wrote',
  );
}

function readHead(file: string): string {
  const bytes = new Uint8Array(4);
  const handle = openSync(file, 'r');
  try {
    readSync(handle, bytes, 0, 4, 0);
  } finally {
    closeSync(handle);
  }
  return String.fromCharCode(...bytes);
}

/** A name fit for a host: lower-case letters, digits and '-'. */
export function nameOf(file: string): string {
  const stem = path.basename(file).replace(MODULE, '').toLowerCase();
  return (
    stem
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 63) || 'app'
  );
}
