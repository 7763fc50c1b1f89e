/**
 * `morgana dev` at work: builds a version of the application on every change, and puts it into the
 * running unikernel, or starts the unikernel again with it. Read first: build-development.ts,
 * reload-client.ts. Not here: the command line, and how a target is started (dev.ts).
 */

import type { AppPath } from './app.ts';
import { changedSince, type DevelopmentBuilder, type Version } from './build-development.ts';
import { SETTLE_MS, SourceWatcher, watchedBefore, watchedOf } from './dev-watch.ts';
import { EXIT_OK, Failure } from './failure.ts';
import { type LoadOptions, loadApp } from './load.ts';
import type { Running } from './machine.ts';
import { reloadOf, sendReload } from './reload-client.ts';
import { ExplainedLines, isOfScript, Traces } from './traces.ts';

export const say = (text: string): void => {
  process.stderr.write(`morgana: ${text}\n`);
};

export interface DevelopmentOptions {
  /** As of `loadApp`. */
  readonly load: LoadOptions;
  readonly found: Exclude<AppPath, { kind: 'image' }>;
  readonly builder: DevelopmentBuilder;
  /** Where the unikernel's control socket is; null: it has none, and can only be started again. */
  readonly controlSocket: string | null;
  /** Starts what `builder` wrote for the version, its console in a pipe. */
  start(version: Version): Running;
  /** Where it can be reached, for people. */
  readonly place: string;
}

export class Development {
  private readonly options: DevelopmentOptions;
  private readonly traces = new Traces();
  private readonly watcher = new SourceWatcher(() => this.build());
  private running: Running | null = null;
  /** What `running` runs: of its content, what it was told. */
  private current: Version | null = null;
  private stopping = false;
  private end: () => void = () => {};
  /** Builds stand in line: two at once would start two processes on one port. */
  private building: Promise<void> = Promise.resolve();

  constructor(options: DevelopmentOptions) {
    this.options = options;
  }

  /** Until Ctrl-C or `stop`. */
  async run(): Promise<number> {
    const end = new Promise<void>((resolve) => {
      this.end = () => {
        this.stopping = true;
        resolve();
      };
      for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, this.end);
    });
    // From before the first build on: a change while it runs must not be missed.
    this.watcher.watch(watchedBefore(this.options.found));
    this.build();
    await end;
    await this.building;
    this.watcher.close();
    await this.stopRunning();
    return EXIT_OK;
  }

  /** As Ctrl-C does. */
  stop(): void {
    this.end();
  }

  private async stopRunning(): Promise<void> {
    const { running } = this;
    this.running = null;
    running?.stop();
    // How it ends was told already, if it did by itself.
    await running?.ended.catch(() => {});
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
    if (this.stopping) return;
    const startedMs = Date.now();
    const { found, builder } = this.options;
    let watched = watchedBefore(found);
    try {
      const app = await loadApp(found, this.options.load);
      watched = watchedOf(app, null);
      const version = await builder.build(app);
      this.watcher.watch(watchedOf(app, version.sources));
      // What changed meanwhile may have been bundled unchecked, or nobody watched it yet.
      if (version.sources.some((source) => changedSince(source, startedMs))) this.watcher.soon();
      else if (!this.stopping) await this.replace(version, startedMs);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      for (const text of error.detail) process.stderr.write(`${text}\n`);
      process.stderr.write(`error: ${error.message}\n`);
      if (this.running !== null) say('the version before still serves');
      this.watcher.watch(watched);
    }
  }

  private async replace(version: Version, startedMs: number): Promise<void> {
    const { current, running } = this;
    if (version.script !== null) this.traces.add(version.script);
    if (running === null || current === null) return this.restart(version, null);
    if (version.system !== current.system) return this.restart(version, version.system.why);
    const code = version.script?.code ?? null;
    const reload = reloadOf(code, current.contents, version.contents);
    const isSame = version.script?.source === current.script?.source;
    if (isSame && reload.request.contents.length === 0) return;
    const { controlSocket } = this.options;
    if (controlSocket === null) return this.restart(version, 'it has no control channel');
    const result = await sendReload(controlSocket, reload);
    // It may have ended meanwhile, by itself or by Ctrl-C.
    if (this.running !== running && !this.stopping) return this.restart(version, null);
    switch (result.kind) {
      case 'reloaded':
        this.current = version;
        say(`reloaded in ${Date.now() - startedMs} ms: connections go on`);
        return;
      case 'restart':
        return this.restart(version, result.why);
      case 'failed':
        process.stderr.write(`${this.traces.explain(ownTrace(result.error))}\n`);
        process.stderr.write(`error: the new version failed during its ${result.during}\n`);
        say('the version before still serves');
    }
  }

  /** `why`: this machine's connections could have gone on, but for that. */
  private async restart(version: Version, why: string | null): Promise<void> {
    const before = this.running;
    await this.stopRunning();
    if (this.stopping) return;
    const running = this.options.start(version);
    this.running = running;
    this.current = version;
    running.stdout?.pipe(new ExplainedLines(this.traces)).pipe(process.stdout, { end: false });
    if (before !== null && why !== null) say(`restarted, connections broke: ${why}`);
    say(`${version.app.name} at ${this.options.place}`);
    running.ended.then(
      (code) => this.ended(running, `it ended with exit code ${code}`, code !== EXIT_OK),
      (error: unknown) => this.ended(running, String(error), true),
    );
  }

  private ended(running: Running, how: string, isWorthTelling: boolean): void {
    if (this.running !== running) return;
    this.running = null;
    if (isWorthTelling && !this.stopping) say(how);
  }
}

/** An error's text without what follows the application's own last line: our own frames. */
function ownTrace(error: string): string {
  const lines = error.split('\n');
  const last = lines.findLastIndex((line) => isOfScript(line));
  return lines.slice(0, last < 0 ? lines.length : last + 1).join('\n');
}
