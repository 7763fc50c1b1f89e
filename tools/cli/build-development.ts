/**
 * What `morgana dev` runs: a system, which is linked once, and the application's own modules and
 * content beside it, which change. A system is linked again only when the application needs another
 * one, and then the machine must be started again. Read first: build-script.ts.
 */

import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { SCRIPT_CONTENT, SCRIPT_PATH } from '../../packages/morgana/script-content.ts';
import {
  appendProgram,
  bundle,
  type ContentFile,
  compile,
  formatBuildFault,
  readContent,
} from '../../targets/base/build.ts';
import { buildNodeModule } from '../../targets/node/build.ts';
import type { App } from './app.ts';
import { baseImage, bytecodeTool } from './base.ts';
import { SUFFIX } from './build.ts';
import {
  bundleFailure,
  DEFINE,
  type Entry,
  FETCH,
  INJECT,
  SYSTEM_MODULES,
} from './build-options.ts';
import { buildScript, lineAfter, type Script } from './build-script.ts';
import { checkContent } from './content.ts';
import { checkDevices, systemSource } from './entry.ts';
import { Failure } from './failure.ts';
import { ENTRY_NAME } from './import-graph.ts';
import { morganaAlias } from './load.ts';
import { appCacheDirectory, packageRoot, writeProgram } from './places.ts';
import { checkTypes } from './typecheck.ts';
import { type Platform, targetOf } from './verbs.ts';

/** Everything but the application's own modules and content, linked. */
export interface System {
  /** The section of the image, or the text of Node's module. */
  readonly program: Program;
  /** The module that it was linked from: two systems with equal ones do the same. */
  readonly text: string;
  readonly modules: readonly string[];
  readonly sources: readonly string[];
  readonly linkedMs: number;
  /** Why the one before didn't do; null for the first. */
  readonly why: string | null;
}

type Program =
  | { readonly kind: 'image'; readonly section: Section; readonly crypto: boolean }
  | { readonly kind: 'module'; readonly text: string };
type Section = Parameters<typeof appendProgram>[0];

/** One state of the application's files, ready to run. */
export interface Version {
  readonly app: App;
  readonly system: System;
  /** Null for a website. */
  readonly script: Script | null;
  readonly contents: ReadonlyMap<string, readonly ContentFile[]>;
  readonly sources: readonly string[];
}

export class DevelopmentBuilder {
  private readonly platform: Platform;
  private system: System | null = null;
  private nextLine = 0;

  constructor(platform: Platform) {
    this.platform = platform;
  }

  /** Throws a Failure for what a person can mend. Nothing but caches is written. */
  async build(app: App): Promise<Version> {
    checkDevices(app, this.platform);
    checkContent(app);
    // What links wrong is told before what the compiler thinks of it.
    const types = checkTypes(app);
    types.catch(() => {});
    const script = app.main === null ? null : await this.script({ ...app, main: app.main });
    await types;
    const system = await this.systemFor(app, script?.asks ?? []);
    const contents = Object.entries(app.content).map(
      ([name, directory]) => [name, readContent(directory, { compress: false })] as const,
    );
    return {
      app,
      system,
      script,
      contents: new Map(contents),
      sources: [...system.sources, ...(script?.sources ?? [])],
    };
  }

  /**
   * Writes what the target starts; its path. What Node starts finds the script in `contents`, which
   * gets its directory.
   */
  write(version: Version): { file: string; contents: Readonly<Record<string, string>> } {
    const { app, system, script, contents } = version;
    const directory = appCacheDirectory(app.root);
    const file = path.join(directory, `dev.${SUFFIX[targetOf(this.platform)]}`);
    if (system.program.kind === 'module') {
      writeProgram(file, system.program.text);
      if (script === null) return { file, contents: app.content };
      const home = path.join(directory, 'script');
      mkdirSync(home, { recursive: true });
      writeFileSync(path.join(home, SCRIPT_PATH), script.code);
      return { file, contents: { ...app.content, [SCRIPT_CONTENT]: home } };
    }
    const sections = [...contents].map(([name, files]) => ({ name, files }));
    if (script !== null) sections.push({ name: SCRIPT_CONTENT, files: [scriptFile(script)] });
    const { program } = system;
    const baseElf = baseImage(this.platform as 'pvh' | 'process', program.crypto);
    const appended = appendProgram(program.section, { contents: sections, baseElf });
    if (!appended.ok) throw new Failure({ what: formatBuildFault(appended.error) });
    writeProgram(file, appended.value.image);
    return { file, contents: {} };
  }

  private async script(app: App & { readonly main: string }): Promise<Script> {
    const script = await buildScript(app, this.nextLine);
    this.nextLine = lineAfter(script);
    return script;
  }

  /** The system that there is, when it will do; else another. */
  private async systemFor(app: App, asks: readonly string[]): Promise<System> {
    const { system } = this;
    const modules = [...new Set([...SYSTEM_MODULES, ...(system?.modules ?? []), ...asks])].sort();
    const connects = app.connects || modules.includes(FETCH);
    const text = systemSource({ ...app, connects }, this.platform, modules);
    const why = system === null ? null : difference(system, modules, text);
    if (system !== null && why === null) return system;
    const linkedMs = Date.now();
    const linked = await this.link({ text, resolveDir: packageRoot, name: ENTRY_NAME });
    this.system = { ...linked, text, modules, linkedMs, why };
    return this.system;
  }

  private async link(entry: Entry): Promise<Pick<System, 'program' | 'sources'>> {
    const options = { entry, alias: morganaAlias, define: DEFINE, inject: INJECT };
    if (targetOf(this.platform) === 'node') {
      const built = await buildNodeModule(options);
      if (!built.ok) throw bundleFailure(built.error);
      const { text, metafile } = built.value;
      return { program: { kind: 'module', text }, sources: sourcesOf(metafile) };
    }
    const bundled = await bundle(options);
    if (!bundled.ok) throw bundleFailure(bundled.error);
    const section = compile(bundled.value.text, bytecodeTool());
    if (!section.ok) throw new Failure({ what: formatBuildFault(section.error) });
    const { crypto } = bundled.value;
    const program = { kind: 'image', section: section.value, crypto } as const;
    return { program, sources: sourcesOf(bundled.value.metafile) };
  }
}

/** Why `system` doesn't do for a version that wants these; null when it does. */
function difference(system: System, modules: readonly string[], text: string): string | null {
  const added = modules.find((module) => !system.modules.includes(module));
  if (added === FETCH) return 'it uses fetch now';
  if (added !== undefined) return `it uses ${added} now, which was not linked`;
  if (text !== system.text) return 'its configuration changed';
  const changed = system.sources.find((source) => changedSince(source, system.linkedMs));
  return changed === undefined ? null : `${path.relative(packageRoot, changed)} changed`;
}

/** A file that is gone has changed too. */
export function changedSince(file: string, ms: number): boolean {
  const found = statSync(file, { throwIfNoEntry: false });
  return found === undefined || found.mtimeMs > ms;
}

const sourcesOf = (metafile: { inputs: object }): string[] =>
  Object.keys(metafile.inputs)
    .filter((input) => path.basename(input) !== ENTRY_NAME)
    .map((input) => path.resolve(packageRoot, input));

const scriptFile = ({ code }: Script): ContentFile => ({
  path: SCRIPT_PATH,
  bytes: code,
  modifiedSeconds: 0,
  digest: '0'.repeat(32),
  variants: [],
});
