/**
 * `morgana dev`: the node target, built and started again on every change of a file that it is
 * made of.
 */

import { type FSWatcher, readdirSync, statSync, watch, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type App, type AppPath, detectApp, MODULE } from './app.ts';
import { buildApp } from './build.ts';
import { EXIT_OK, Failure, usageFailure } from './failure.ts';
import type { CommandLine, Publish } from './flags.ts';
import { loadApp } from './load.ts';
import { checkPorts, type Running } from './machine.ts';
import { startDirectNode, startNode } from './node-process.ts';
import { appCacheDirectory } from './places.ts';
import { platformOf, type VERBS } from './verbs.ts';

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
  const { port, net, link } = line.flags;
  if (net === 'host' && link.length > 0) {
    throw usageFailure('--link goes with our own stack', 'give it --net=direct too');
  }
  const development = new Development(found, port, net, link, line.rest ?? []);
  return development.run();
}

class Development {
  private readonly found: Exclude<AppPath, { kind: 'image' }>;
  private readonly port: number;
  private readonly net: 'host' | 'direct';
  private readonly links: readonly string[];
  private readonly bootArguments: readonly string[];
  private running: Running | null = null;
  private watchers: FSWatcher[] = [];
  private settle: NodeJS.Timeout | null = null;
  private stopping = false;
  /** Builds stand in line: two at once would start two processes on one port. */
  private building: Promise<void> = Promise.resolve();

  constructor(
    found: Exclude<AppPath, { kind: 'image' }>,
    port: number,
    net: 'host' | 'direct',
    links: readonly string[],
    bootArguments: readonly string[],
  ) {
    this.found = found;
    this.port = port;
    this.net = net;
    this.links = links;
    this.bootArguments = bootArguments;
  }

  /** Until Ctrl-C. */
  async run(): Promise<number> {
    if (this.net === 'host')
      await checkPorts([this.publish(80)], `--port=${this.port === 8_081 ? 8_082 : 8_081}`);
    const end = new Promise<void>((resolve) => {
      for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
        process.once(name, () => {
          this.stopping = true;
          resolve();
        });
      }
    });
    // From before the first build on: a change while it runs must not be missed.
    this.watch(this.unknown());
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
    this.building = this.building
      .then(() => this.rebuild())
      .catch(async (error: unknown) => {
        // Ctrl-C ends the bundler too, maybe before we hear of it; a build that it broke is none.
        await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
        if (this.stopping) return;
        // What isn't a Failure is a bug of ours, and ends the tool.
        setImmediate(() => {
          throw error;
        });
      });
  }

  /** Builds; the old version is replaced only by one without errors. */
  private async rebuild(): Promise<void> {
    const startedMs = Date.now();
    let watched = this.unknown();
    try {
      const app = await loadApp(this.found);
      watched = watchedOf(app, null);
      const built = await buildApp(app, platformOf('node', this.net));
      watched = watchedOf(app, built.sources);
      this.watch(watched);
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
      this.watch(watched);
    }
  }

  private async restart(app: App, file: string): Promise<void> {
    this.running?.stop();
    await this.running?.ended;
    const running = this.start(app, file);
    this.running = running;
    say(`${app.name} at ${this.net === 'host' ? `http://localhost:${this.port}` : this.links}`);
    running.ended.then((code) => {
      if (this.running === running && code !== EXIT_OK && !this.stopping)
        say(`it ended with exit code ${code}`);
    });
  }

  private start(app: App, file: string): Running {
    if (this.net === 'direct') return startDirectNode(file, app, this.links, this.bootArguments);
    const guestPort = Number(app.args.port?.default ?? 80);
    return startNode(file, app, [this.publish(guestPort)], this.bootArguments);
  }

  private watch(watched: Watched): void {
    // The old ones close last: with none on a directory, changes not yet told would be lost.
    const old = this.watchers;
    this.watchers = watched.directories.map((directory) =>
      watch(directory, (_, name) => {
        if (name === null || concerns(watched, directory, name)) this.changed();
      }),
    );
    for (const watcher of old) watcher.close();
  }

  private unknown(): Watched {
    const home = this.home();
    const content = this.found.kind === 'static' ? [home] : [];
    return { directories: [home], content, sources: null };
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

/** What a version was made of, or would have been. All paths absolute. */
interface Watched {
  readonly directories: readonly string[];
  /** Those of the directories whose every file counts. */
  readonly content: readonly string[];
  /** Null when they aren't known, since it couldn't be linked: then any module may mend it. */
  readonly sources: ReadonlySet<string> | null;
}

const PROJECT_FILE = /^(package|tsconfig)\.json$/;

/** Not: a log that is written beside the sources, which would have it built for ever. */
function concerns(watched: Watched, directory: string, name: string): boolean {
  if (watched.content.includes(directory) || PROJECT_FILE.test(name)) return true;
  if (watched.sources === null) return MODULE.test(name) || !name.includes('.');
  return watched.sources.has(path.join(directory, name));
}

/** Sources that aren't installed packages, and all directories of content. */
function watchedOf(app: App, sources: readonly string[] | null): Watched {
  const own = [...(sources ?? []), app.main, app.config]
    .filter((file) => file !== null)
    .filter((file) => !file.includes('/node_modules/'));
  const content = Object.values(app.content).flatMap((directory) => [
    directory,
    ...readdirSync(directory, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => path.join(entry.parentPath, entry.name)),
  ]);
  return {
    directories: [...new Set([...own.map((file) => path.dirname(file)), ...content])],
    content,
    sources: sources === null ? null : new Set(own),
  };
}
