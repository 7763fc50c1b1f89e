/**
 * One unikernel of a project, from its first start to its last end: it is started again when that
 * was asked for, asked for its health, and stopped. Not here: when it may start (project.ts), and
 * what its processes are (commands.ts).
 */

import type { ComposedUnikernel, HealthCheck } from '../../../packages/morgana/compose.ts';
import type { Command } from '../node-process.ts';
import { Child } from './child.ts';
import { askHealth, type Reach } from './health.ts';
import {
  BACKOFF_MILLIS_MAX,
  BACKOFF_MILLIS_MIN,
  EAGER_MILLIS,
  MISSES_MAX,
  RESTARTS_MAX,
  STEADY_MILLIS,
} from './limits.ts';
import { Milestone } from './milestone.ts';

const INTERVAL_MILLIS = 1_000;
const START_PERIOD_MILLIS = 30_000;

export type State = 'waiting' | 'running' | 'restarting' | 'ended';
export type Health = 'starting' | 'healthy' | 'unhealthy';

export interface UnikernelStatus {
  readonly state: State;
  /** Null: it has no health to be asked for, or doesn't run. */
  readonly health: Health | null;
  readonly pid: number | null;
  /** Milliseconds since 1970; of the process that runs, or ran last. */
  readonly startedMillis: number | null;
  /** Of the last process that ended. */
  readonly exitCode: number | null;
  readonly restarts: number;
}

/** What a unikernel needs of the project around it. */
export interface Surroundings {
  /** Its processes, while its name is held; `channel`: where the control channel leads. */
  hold(run: (channel: string | null) => Promise<number>): Promise<number>;
  command(channel: string | null): Command;
  exitCode(status: number): number;
  readonly reach: Reach;
  /** A line of its console. */
  line(text: string): void;
  /** Something about it that its user should know. */
  say(text: string): void;
}

export class Unikernel {
  readonly name: string;
  /** A process of it was started. */
  readonly started: Milestone;
  /** It was healthy for the first time. */
  readonly healthy: Milestone;
  private readonly spec: ComposedUnikernel;
  private readonly around: Surroundings;
  private child: Child | null = null;
  private isStopping = false;
  /** Those who pause. */
  private readonly sleepers = new Set<() => void>();
  private lastWrong: string | null = null;
  private running: Promise<void> | null = null;
  private startedAt = 0;
  private readonly now = {
    state: 'waiting' as State,
    health: null as Health | null,
    pid: null as number | null,
    startedMillis: null as number | null,
    exitCode: null as number | null,
    restarts: 0,
  };

  constructor(name: string, spec: ComposedUnikernel, around: Surroundings) {
    this.name = name;
    this.spec = spec;
    this.around = around;
    this.started = new Milestone(name);
    this.healthy = new Milestone(name);
  }

  status(): UnikernelStatus {
    return { ...this.now };
  }

  /** Starts it, once; see `started`, `healthy` and `ended`. */
  start(): void {
    if (this.isStopping || this.running !== null) return;
    this.startedAt = performance.now();
    this.running = this.around
      .hold((channel) => this.run(channel))
      .then(
        (code) => this.fail(`'${this.name}' ended with exit code ${code}`),
        (error: Error) => this.refuse(error.message),
      )
      .finally(() => {
        this.now.state = 'ended';
        this.now.health = null;
      });
    if (this.spec.health !== undefined) void this.judge(this.spec.health);
  }

  /** It can't be started, or not again. */
  private refuse(why: string): void {
    const what = `'${this.name}' can't be started: ${why}`;
    if (this.started.isReached) this.around.say(what);
    this.fail(what);
  }

  /** Resolves when no process of it is left, and none will be; at once when there was none. */
  async ended(): Promise<void> {
    await this.running;
  }

  /** Asks it to end; see `ended`. It isn't started again. */
  stop(): void {
    this.isStopping = true;
    this.fail(`'${this.name}' was stopped`);
    this.child?.stop();
    this.wake();
  }

  kill(): void {
    this.stop();
    this.child?.kill();
  }

  private fail(why: string): void {
    this.started.fail(why);
    this.healthy.fail(why);
  }

  /** One process after the other; resolves with the last one's exit code. */
  private async run(channel: string | null): Promise<number> {
    let inRow = 0;
    // It may have been stopped while it got its name and its networks.
    let code = 0;
    while (!this.isStopping) {
      const begunAt = performance.now();
      code = await this.once(channel);
      if (this.isStopping) break;
      inRow = failuresInRow(inRow, performance.now() - begunAt);
      const again = this.spec.restart === 'on-failure' && code !== 0;
      if (!again) {
        this.around.say(`'${this.name}' ended with exit code ${code}`);
        return code;
      }
      const pauseMs = pauseBeforeRestart(inRow++);
      if (pauseMs === null) {
        this.around.say(`'${this.name}' failed ${inRow} times in a row, and is left alone`);
        return code;
      }
      const which = `restart ${inRow} of ${RESTARTS_MAX}`;
      this.around.say(
        `'${this.name}' ended with exit code ${code}; ${which} in ${pauseMs / 1_000} s`,
      );
      this.now.state = 'restarting';
      await this.pause(pauseMs);
      if (!this.isStopping) this.now.restarts++;
    }
    return code;
  }

  private async once(channel: string | null): Promise<number> {
    const { health } = this.spec;
    const hasLog = health !== undefined && 'log' in health;
    const { command, exitCode } = this.around;
    const child = new Child(command(channel), exitCode, (text) => {
      this.around.line(text);
      if (hasLog && matches(health.log, text)) this.becomeHealthy();
    });
    this.child = child;
    this.now.state = 'running';
    this.now.health = health === undefined ? null : 'starting';
    this.now.startedMillis = Date.now();
    this.now.pid = await child.started;
    this.started.reach();
    const watching = new AbortController();
    if (health !== undefined && !hasLog) void this.watch(health, watching.signal);
    const code = await child.ended;
    watching.abort();
    this.child = null;
    this.now.pid = null;
    this.now.health = null;
    this.now.exitCode = code;
    this.wake();
    return code;
  }

  /** Asks for the health of one process until `signal` says that it has ended; never rejects. */
  private async watch(health: HealthCheck, signal: AbortSignal): Promise<void> {
    let misses = 0;
    while (!signal.aborted && !this.isStopping) {
      const wrong = await askHealth(health, this.around.reach, signal);
      if (signal.aborted || this.isStopping) return;
      if (wrong === null) {
        misses = 0;
        this.becomeHealthy();
      } else {
        this.lastWrong = wrong;
        if (++misses === MISSES_MAX && this.now.health === 'healthy') {
          this.now.health = 'unhealthy';
          this.around.say(`'${this.name}' is unhealthy: ${wrong}`);
        }
      }
      const intervalMs = health.intervalMs ?? INTERVAL_MILLIS;
      const isEager = this.now.health === 'starting';
      await this.pause(isEager ? Math.min(intervalMs, EAGER_MILLIS) : intervalMs);
    }
  }

  private becomeHealthy(): void {
    if (this.now.health !== 'healthy') {
      const ms = Math.round(performance.now() - this.startedAt);
      const since = this.healthy.isReached ? 'again' : `${ms} ms after its start`;
      this.around.say(`'${this.name}' is healthy ${since}`);
    }
    this.now.health = 'healthy';
    this.healthy.reach();
  }

  /** Its first health must come in time, however often it is started until then. */
  private async judge(health: HealthCheck): Promise<void> {
    const ms = health.startPeriodMs ?? START_PERIOD_MILLIS;
    const late = setTimeout(() => {
      const last = this.lastWrong === null ? '' : `: ${this.lastWrong}`;
      this.now.health = 'unhealthy';
      this.healthy.fail(`'${this.name}' did not become healthy within ${ms / 1_000} s${last}`);
    }, ms);
    await this.healthy.settled();
    clearTimeout(late);
  }

  /** Ends sooner when something happens to the process. */
  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.sleepers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.sleepers.add(wake);
    });
  }

  private wake(): void {
    for (const sleeper of [...this.sleepers]) sleeper();
  }
}

/** How many restarts in a row there were, of a process that ran for `ranMillis` after them. */
export const failuresInRow = (before: number, ranMillis: number): number =>
  ranMillis >= STEADY_MILLIS ? 0 : before;

/** Milliseconds, after so many restarts in a row: doubled each time. Null: it is left alone. */
export const pauseBeforeRestart = (inRow: number): number | null =>
  inRow >= RESTARTS_MAX ? null : Math.min(BACKOFF_MILLIS_MIN * 2 ** inRow, BACKOFF_MILLIS_MAX);

/** A regular expression with the flags g or y remembers where it was. */
function matches(pattern: RegExp, text: string): boolean {
  pattern.lastIndex = 0;
  return pattern.test(text);
}
