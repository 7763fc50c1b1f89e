/**
 * `morgana dev`: the node target, built and started again on every change of a file that it is
 * made of.
 */

import { type FSWatcher, readdirSync, statSync, watch, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type App, type AppPath, detectApp } from './app.ts';
import { buildApp } from './build.ts';
import { EXIT_OK, Failure, usageFailure } from './failure.ts';
import type { CommandLine, Publish } from './flags.ts';
import { loadApp } from './load.ts';
import { checkPorts, type Running } from './machine.ts';
import { startNode } from './node-process.ts';
import { appCacheDirectory } from './places.ts';
import type { VERBS } from './verbs.ts';

/** An editor writes a file in several steps: one rebuild for all of them. */
const SETTLE_MS = 60;

const say = (text: string): void => {
  process.stderr.write(`morgana: ${text}\n`);
};

export async function devVerb(line: CommandLine<typeof VERBS.dev.flags>): Promise<number> {
  const found = detectApp(line.words[0] ?? '.');
  if (found.kind === 'image') {
    throw usageFailure('dev takes an application, not an image', 'use "morgana run"');
  }
  const development = new Development(found, line.flags.port, line.rest ?? []);
  return development.run();
}

class Development {
  private readonly found: Exclude<AppPath, { kind: 'image' }>;
  private readonly port: number;
  private readonly bootArguments: readonly string[];
  private running: Running | null = null;
  private watchers: FSWatcher[] = [];
  private settle: NodeJS.Timeout | null = null;
  private stopped: (() => void) | null = null;
  /** Builds stand in line: two at once would start two processes on one port. */
  private building: Promise<void> = Promise.resolve();

  constructor(
    found: Exclude<AppPath, { kind: 'image' }>,
    port: number,
    bootArguments: readonly string[],
  ) {
    this.found = found;
    this.port = port;
    this.bootArguments = bootArguments;
  }

  /** Until Ctrl-C. */
  async run(): Promise<number> {
    await checkPorts([{ ...this.publish(80) }]);
    const end = new Promise<void>((resolve) => {
      this.stopped = resolve;
    });
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(name, () => this.stopped?.());
    }
    // From before the first build on: a change while it runs must not be missed.
    this.watch([]);
    this.build();
    await end;
    await this.building;
    for (const watcher of this.watchers) watcher.close();
    if (this.settle !== null) clearTimeout(this.settle);
    this.running?.stop();
    await this.running?.ended;
    return EXIT_OK;
  }

  private publish(guestPort: number): Publish {
    return { hostAddress: '127.0.0.1', hostPort: this.port, guestPort, protocol: 'tcp' };
  }

  private build(): void {
    this.building = this.building.then(() => this.rebuild());
    // What isn't a Failure is a bug of ours, and ends the tool.
    this.building.catch((error: unknown) => {
      queueMicrotask(() => {
        throw error;
      });
    });
  }

  /** Builds; the old version is replaced only by one without errors. */
  private async rebuild(): Promise<void> {
    const startedMs = Date.now();
    let files: readonly string[] = [];
    try {
      const app = await loadApp(this.found);
      files = watchedDirectories(app, []);
      const built = await buildApp(app, 'node');
      files = watchedDirectories(app, built.sources);
      // What changed meanwhile may have been bundled unchecked, or nobody watched it yet.
      if (built.sources.some((source) => changedSince(source, startedMs))) this.changed();
      else {
        const file = path.join(appCacheDirectory(app.root), 'dev.mjs');
        writeFileSync(file, built.output);
        await this.restart(app, file);
      }
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      for (const text of error.detail) process.stderr.write(`${text}\n`);
      process.stderr.write(`error: ${error.message}\n`);
      if (this.running !== null) say('the version before still serves');
    }
    this.watch(files);
  }

  private async restart(app: App, file: string): Promise<void> {
    this.running?.stop();
    await this.running?.ended;
    const guestPort = Number(app.args.port?.default ?? 80);
    const running = startNode(file, app, [this.publish(guestPort)], this.bootArguments);
    this.running = running;
    say(`${app.name} at http://localhost:${this.port}`);
    running.ended.then((code) => {
      if (this.running === running && code !== EXIT_OK) say(`it ended with exit code ${code}`);
    });
  }

  private watch(directories: readonly string[]): void {
    for (const watcher of this.watchers) watcher.close();
    const known = directories.length > 0 ? directories : [this.home()];
    this.watchers = known.map((directory) =>
      watch(directory, (_event, name) => {
        // Hidden files are editors' and our own cache's, as a rule.
        if (!name?.startsWith('.')) this.changed();
      }),
    );
  }

  private home(): string {
    const { found } = this;
    if (found.kind === 'static') return found.directory;
    return path.dirname(found.kind === 'handler' ? found.main : found.config);
  }

  private changed(): void {
    if (this.settle !== null) clearTimeout(this.settle);
    this.settle = setTimeout(() => {
      this.settle = null;
      this.build();
    }, SETTLE_MS);
  }
}

/** A file that is gone has changed too. */
function changedSince(file: string, ms: number): boolean {
  const found = statSync(file, { throwIfNoEntry: false });
  return found === undefined || found.mtimeMs > ms;
}

/** Directories of the sources that aren't installed packages, and all directories of content. */
function watchedDirectories(app: App, sources: readonly string[]): string[] {
  const found = new Set<string>();
  for (const file of [...sources, app.main, app.config]) {
    if (file !== null && !file.includes('/node_modules/')) found.add(path.dirname(file));
  }
  for (const directory of Object.values(app.content)) {
    found.add(directory);
    for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
      if (entry.isDirectory()) found.add(path.join(entry.parentPath, entry.name));
    }
  }
  return [...found];
}
