/**
 * Runs a project in this process, from its file to its end: names and logs, builds, networks,
 * unikernels; what others ask; Ctrl-C. Whatever happens, nothing of it is left when `run` is done.
 */

import path from 'node:path';
import { EXIT_FAILED, EXIT_OK, Failure } from '../failure.ts';
import { formatPublish } from '../flags.ts';
import { checkPorts } from '../machine.ts';
import { runtimeNameOf } from '../runtime-directory.ts';
import { supervised } from '../supervision.ts';
import { buildMembers } from './build-members.ts';
import { type Built, commandOf, exitCodeOf, isNoise, platformOfUnikernel } from './commands.ts';
import type { ComposeProject, Member } from './compose-file.ts';
import { ComposeControlServer } from './control-server.ts';
import { LAST_LINES } from './limits.ts';
import { LogFile } from './log-file.ts';
import type { LogsAsk, MemberStatus, NamedLine, ProjectStatus } from './messages.ts';
import { MissedMilestone } from './milestone.ts';
import { Networks } from './networks.ts';
import { Project } from './project.ts';
import { claimProject } from './project-directory.ts';
import type { StopSignal } from './stop-signal.ts';
import { Unikernel } from './unikernel.ts';

/** Under which the supervisor's own words are in the log: no unikernel can have it. */
export const OWN_NAME = '-';

/** How much later than a build's failure the signal may be heard of that caused it. */
const SETTLE_MILLIS = 60;

/** Where the project's words go while it runs. */
export interface Output {
  line(line: NamedLine): void;
  /** A sentence of the supervisor. */
  say(text: string): void;
  /** All are up. */
  up(): void;
}

export class Supervisor {
  private readonly project: ComposeProject;
  private readonly output: Output;
  private readonly stop: StopSignal;
  private readonly isDetached: boolean;
  private readonly unikernels: Project;
  private readonly networks: Networks;
  private readonly logs = new Map<string, LogFile>();
  private built: ReadonlyMap<string, Built> = new Map();
  private readonly control: ComposeControlServer;
  private downDone: () => void = () => {};
  private readonly isDown = new Promise<void>((resolve) => {
    this.downDone = resolve;
  });

  constructor(project: ComposeProject, output: Output, stop: StopSignal, isDetached: boolean) {
    this.project = project;
    this.output = output;
    this.stop = stop;
    this.isDetached = isDetached;
    this.networks = new Networks(project);
    const members = project.members.map((member) => this.unikernelOf(member));
    this.unikernels = new Project(project.config, members);
    this.control = new ComposeControlServer({
      ps: () => this.status(),
      down: async () => {
        if (!this.stop.isAsked) this.stop.stop(EXIT_OK);
        await this.isDown;
        return null;
      },
      logs: (ask) => this.logLines(ask),
    });
  }

  /** Resolves with the exit code when all is down; rejects with a Failure when it can't be up. */
  async run(): Promise<number> {
    const { config, file } = this.project;
    const places = claimProject(config.name, file, this.isDetached);
    try {
      for (const name of [OWN_NAME, ...config.order]) {
        this.logs.set(name, new LogFile(path.join(places.logs, `${name}.log`)));
      }
      await this.control.listen(places.controlSocket);
      return await this.serve();
    } finally {
      this.downDone();
      await this.control.close();
      places.release();
    }
  }

  private async serve(): Promise<number> {
    const { stop } = this;
    const starting = this.bringUp();
    starting.catch(() => {});
    try {
      const lost = this.lost();
      // Also while all is taken down for another reason.
      lost.catch(() => {});
      const stopped = await Promise.race([stop.asked, lost, starting]);
      if (stopped !== null) return stopped;
      this.output.up();
      const ends = [stop.asked, lost, ...(this.isDetached ? [] : [this.unikernels.ended()])];
      return (await Promise.race(ends)) ?? this.allEnded();
    } catch (error) {
      // Ctrl-C ends the bundler and the compiler too, maybe before we hear of it.
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MILLIS));
      if (stop.isAsked) return stop.asked;
      throw this.failureOf(error);
    } finally {
      if (stop.isAsked) this.say('going down');
      const kill = (): void => this.unikernels.kill();
      void stop.insisted.then(kill);
      await this.unikernels.down();
      await this.networks.down();
      for (const log of this.logs.values()) log.close();
    }
  }

  /** Null when all are up. */
  private async bringUp(): Promise<null> {
    const { members } = this.project;
    for (const { name, publish } of members) await checkPorts(publish, `publish of '${name}'`);
    // The networks start while the applications are built.
    const [built] = await Promise.all([buildMembers(this.project), this.networks.up()]);
    this.built = built;
    if (!this.stop.isAsked) await this.unikernels.up();
    return null;
  }

  /** Rejects when a network is gone. */
  private async lost(): Promise<never> {
    const name = await this.networks.lost;
    throw new Failure({ what: `the network '${name}' has ended`, mend: 'start all again' });
  }

  private allEnded(): number {
    const codes = [...this.unikernels.unikernels.values()].map((one) => one.status().exitCode);
    this.say('all have ended');
    return codes.every((code) => code === 0) ? EXIT_OK : EXIT_FAILED;
  }

  /** With the last words of the one that it is about. */
  private failureOf(error: unknown): unknown {
    if (!(error instanceof MissedMilestone)) return error;
    const name = error.unikernel;
    const lines = this.logs.get(name)?.tail(LAST_LINES) ?? [];
    const detail = lines.map(({ text }) => `${name} | ${text}`);
    const mend = detail.length > 0 ? 'see its last words above' : 'it said nothing';
    return new Failure({ what: error.message, mend, detail });
  }

  private unikernelOf(member: Member): Unikernel {
    const { name, spec } = member;
    const platform = platformOfUnikernel(spec);
    return new Unikernel(name, spec, {
      hold: (run) => this.hold(member, run),
      command: (channel) => {
        const built = this.built.get(name)!;
        const isHost = platform === 'node';
        const attached = {
          links: this.networks.links(name),
          publish: isHost ? member.publish : [],
          disks: member.disks,
        };
        return commandOf(spec, built, attached, channel);
      },
      exitCode: (status) => exitCodeOf(platform, status),
      reach: this.networks.reach(member),
      line: (text) => {
        if (!isNoise(platform, text)) this.line(name, text);
      },
      say: (text) => this.say(text),
    });
  }

  /** Its name, its control channel, its places on networks: as long as it may run. */
  private hold(
    { name, spec, app, publish }: Member,
    run: (channel: string | null) => Promise<number>,
  ): Promise<number> {
    const { config, file } = this.project;
    const about = {
      app: this.built.get(name)?.app.name ?? runtimeNameOf(name),
      source: app.kind === 'static' ? app.directory : file,
      target: spec.target,
      network: this.networks.namesOf(spec)[0] ?? null,
      ports: publish.map(formatPublish),
    };
    const unikernel = `${config.name}-${name}`;
    return supervised(
      unikernel,
      about,
      (text) => this.say(text),
      (channel) => this.networks.during(name, () => run(channel)),
    );
  }

  private async status(): Promise<ProjectStatus> {
    const { config, file, members } = this.project;
    return {
      name: config.name,
      file,
      pid: process.pid,
      detached: this.isDetached,
      networks: this.networks.status(),
      unikernels: await Promise.all(members.map((member) => this.memberStatus(member))),
    };
  }

  private async memberStatus({ name, spec, publish }: Member): Promise<MemberStatus> {
    const published = publish.map(
      (one) => `${one.hostAddress}:${one.hostPort}->${one.guestPort}/${one.protocol}`,
    );
    return {
      name,
      unikernel: `${this.project.config.name}-${name}`,
      target: spec.target,
      ...this.unikernels.unikernels.get(name)!.status(),
      addresses: await this.networks.addresses(name),
      published,
    };
  }

  private say(text: string): void {
    this.line(OWN_NAME, text);
    this.output.say(text);
  }

  private line(name: string, text: string): void {
    const line = { name, at: new Date().toISOString(), text };
    this.logs.get(name)?.append(line);
    this.control.line(line);
    if (name !== OWN_NAME) this.output.line(line);
  }

  /** Of all that are asked for, in the order of time. */
  private logLines({ names, tail }: LogsAsk): readonly NamedLine[] | string {
    const odd = names.find((name) => !this.logs.has(name));
    if (odd !== undefined) {
      const { name, order } = this.project.config;
      return `'${name}' has no unikernel '${odd}', only ${order.join(', ')}`;
    }
    const asked = names.length > 0 ? names : [...this.logs.keys()];
    const lines = asked.flatMap((name) =>
      this.logs
        .get(name)!
        .tail(tail ?? undefined)
        .map((line) => ({ name, ...line })),
    );
    // Stable: what one said stays in its order.
    return lines.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  }
}
