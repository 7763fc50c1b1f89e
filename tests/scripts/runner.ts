/**
 * Runs a script step by step, and says where and how it fails: the line, what was expected, what
 * came, and all that happened until then, in the script's own words.
 */

import { type AppEvent, AppFailure, showEvent } from './app.ts';
import { familyOf, readPacket, showEnvelope, writeFrame } from './notation/envelope.ts';
import { notations } from './notation/index.ts';
import { readScript, type Script, type Step, type When } from './script.ts';
import { type MakeArp, Stage } from './stage.ts';
import { type Fields, ScriptSyntax } from './words.ts';

/** A script that our stack doesn't play as it is written. */
export class ScriptFailure extends Error {
  override readonly name = 'ScriptFailure';
}

export interface ScriptRun {
  /** Everything that happened, in order, a line each. */
  readonly trace: readonly string[];
  /** Null: it went as written. */
  readonly failure: string | null;
  /** The frames that the script sent into our stack. */
  readonly inputs: readonly Uint8Array[];
  /** The whole conversation as a capture file. */
  readonly pcap: Uint8Array;
}

/** How long to look on for what should have come, to say when it came instead. */
const LOOK_MICROS = 600e6;

interface Seen {
  readonly at: number;
  readonly name: string;
  readonly envelope: Fields;
  readonly fields: Fields;
  readonly shown: string;
}

/**
 * Throws ScriptSyntax for a text that is no script; never for one that fails. `arp`: another cache
 * than our stack's own.
 */
export function runScript(text: string, arp?: MakeArp): ScriptRun {
  const script = readScript(text);
  const play = new Play(script, arp);
  let failure: string | null = null;
  try {
    play.run();
  } catch (error) {
    failure = play.explain(error);
  }
  const { pcap, injected: inputs } = play.stage;
  return { trace: play.trace, failure, inputs, pcap: pcap.bytes() };
}

class Play {
  readonly trace: string[] = [];
  readonly stage: Stage;
  private readonly script: Script;
  /** Packets that left and weren't expected yet. */
  private readonly seen: Seen[] = [];
  private step: Step | null = null;
  /** When the step before happened. */
  private last = 0;

  constructor(script: Script, arp?: MakeArp) {
    this.script = script;
    this.stage = new Stage(script, arp);
    for (const { at, frame } of this.stage.captured) this.see(frame, at - this.stage.start);
    this.stage.onFrame = (frame) => this.see(frame, this.stage.now);
    const events = this.stage.app.events;
    const push = events.push.bind(events);
    events.push = (...added: AppEvent[]) => {
      for (const event of added) this.note(event.at - this.stage.start, showEvent(event));
      return push(...added);
    };
  }

  run(): void {
    const { steps } = this.script;
    for (const [i, step] of steps.entries()) {
      this.step = step;
      this.perform(step);
      const next = steps[i + 1];
      // What belongs to the same turn must come before what the turn brings about.
      if (next?.when.kind !== 'turn') this.stage.runTo(this.stage.now);
    }
    this.step = null;
    this.expectQuiet(Number.POSITIVE_INFINITY);
  }

  explain(error: unknown): string {
    const { step } = this;
    const where = step === null ? 'at the end' : `line ${step.line}: ${step.text}`;
    const isExpected = error instanceof ScriptFailure || error instanceof AppFailure;
    const isTold = isExpected || error instanceof ScriptSyntax;
    const what = isTold ? error.message : error instanceof Error ? error.stack : String(error);
    const lines = this.trace.map((line) => `    ${line}`);
    return [where, `  ${what}`, '  so far:', ...lines].join('\n');
  }

  private perform({ when, deed, text }: Step): void {
    switch (deed.kind) {
      case 'packet':
        if (deed.direction === 'out') {
          this.expectPacket(when, deed);
          return;
        }
        this.goTo(when);
        this.note(this.stage.now, text.replace(/^[^<]*/, ''));
        this.stage.inject(
          writeFrame(
            deed.notation,
            this.script.scene.resolve(deed.envelope),
            this.script.scene.resolve(deed.fields),
            this.script.scene,
          ),
        );
        return;
      case 'event':
        this.expectEvent(when, deed);
        return;
      case 'action':
        this.goTo(when);
        this.note(this.stage.now, text.replace(/^[+=*\d.]+\s+/, ''));
        deed.act(this.stage.app);
        return;
      case 'nothing': {
        this.goTo(when);
        const until = this.timeOf(deed.until);
        this.stage.runBefore(until);
        this.expectQuiet(until);
        this.last = until;
        return;
      }
    }
  }

  private timeOf(when: When): number {
    if (when.kind !== 'at') return this.last;
    return when.from + (when.isRelative ? this.last : 0);
  }

  /** To the time of something that the script does. */
  private goTo(when: When): void {
    if (when.kind === 'turn') return;
    const at = this.timeOf(when);
    if (at < this.stage.now) throw new ScriptFailure(`time goes back from ${this.stage.now} µs`);
    this.stage.runBefore(at);
    this.expectQuiet(at);
    this.stage.runTo(at);
    this.last = at;
  }

  /** Nothing that came before `at` may be left. */
  private expectQuiet(at: number): void {
    const packet = this.seen[0];
    const event = this.stage.app.events[0];
    const packetAt = packet?.at ?? Number.POSITIVE_INFINITY;
    const eventAt = event === undefined ? packetAt : event.at - this.stage.start;
    if (event !== undefined && eventAt <= packetAt && eventAt < at) {
      throw new ScriptFailure(`unexpected: ${timeText(eventAt)} ${showEvent(event)}`);
    }
    if (packet !== undefined && packetAt < at) {
      throw new ScriptFailure(`unexpected: ${timeText(packetAt)} ${packet.shown}`);
    }
  }

  /** Runs to the time of something that is to come, and says which times will do. */
  private await(
    when: When,
    hasCome: () => boolean,
  ): { readonly from: number; readonly to: number } {
    const { tolerance } = this.script.head;
    if (when.kind === 'any') {
      this.stage.runUntil(hasCome, this.stage.now + LOOK_MICROS);
      return { from: 0, to: Number.POSITIVE_INFINITY };
    }
    const base = when.kind === 'at' && when.isRelative ? this.last : 0;
    const at = when.kind === 'at' ? when : { from: this.last, to: this.last };
    const [from, to] = [base + at.from - tolerance, base + at.to + tolerance];
    this.stage.runUntil(hasCome, to);
    return { from, to };
  }

  private expectPacket(when: When, deed: Step['deed'] & { kind: 'packet' }): void {
    const { scene } = this.script;
    const { from, to } = this.await(when, () => this.seen.length > 0);
    const came = this.seen[0];
    if (came === undefined) {
      this.stage.runUntil(() => this.seen.length > 0, this.stage.now + LOOK_MICROS);
      const later = this.seen[0] as Seen | undefined;
      const next = later === undefined ? '' : `; next came ${timeText(later.at)} ${later.shown}`;
      throw new ScriptFailure(`nothing was sent${next}`);
    }
    const got = `got: ${timeText(came.at)} ${came.shown}`;
    if (came.name !== deed.notation.name) throw new ScriptFailure(got);
    const expected = { ...this.ends(deed), ...deed.envelope };
    const wrong = [
      ...scene.compare(deed.fields, came.fields),
      ...scene.compare(expected, came.envelope),
    ];
    if (wrong.length > 0) {
      const details = wrong.map((name) => {
        const [want, have] = [deed.fields[name] ?? expected[name], came.fields[name]];
        return `${name} should be ${want}, is ${have ?? came.envelope[name]}`;
      });
      throw new ScriptFailure(`${details.join('; ')}\n  ${got}`);
    }
    if (came.at < from || came.at > to) throw new ScriptFailure(`at another time\n  ${got}`);
    this.seen.shift();
    this.last = came.at;
  }

  /** From us to the peer, as far as nothing else is said. */
  private ends({ notation, envelope }: Step['deed'] & { kind: 'packet' }): Fields {
    const { scene } = this.script;
    if (!('protocol' in notation.carrier)) return {};
    const { us, peer } = scene.ends(familyOf(notation, envelope, scene));
    return { src: us, dst: peer };
  }

  private expectEvent(when: When, deed: Step['deed'] & { kind: 'event' }): void {
    const { events } = this.stage.app;
    const { from, to } = this.await(when, () => events.length > 0);
    const event = events[0];
    if (event === undefined) throw new ScriptFailure('the application was told nothing');
    const at = event.at - this.stage.start;
    const got = `got: ${timeText(at)} ${showEvent(event)}`;
    const isFlow = deed.flow === 0 || deed.flow === event.flow;
    const isSame = event.what === deed.what || event.what.startsWith(`${deed.what} `);
    if (!isFlow || !isSame) throw new ScriptFailure(got);
    if (at < from || at > to) throw new ScriptFailure(`at another time\n  ${got}`);
    const bytes = deed.what === 'data' ? this.takeData(event, deed.content) : event.bytes;
    if (deed.what !== 'data') events.shift();
    this.last = at;
    if (bytes === null || deed.content === null) return;
    const text = Buffer.from(bytes).toString('latin1');
    const isRight =
      typeof deed.content === 'number' ? bytes.length === deed.content : text === deed.content;
    if (!isRight) throw new ScriptFailure(`got ${bytes.length} bytes: ${text.slice(0, 60)}`);
  }

  /** Joins the pieces that came at once, up to what is expected, and checks every byte. */
  private takeData(first: AppEvent, content: number | string | null): Uint8Array {
    const { events } = this.stage.app;
    const wanted = typeof content === 'string' ? content.length : (content ?? 0);
    const bytes: number[] = [];
    while (bytes.length < wanted || bytes.length === 0) {
      const event = events[0];
      const isMore = event?.what === 'data' && event.flow === first.flow && event.at === first.at;
      if (event === undefined || !isMore) break;
      bytes.push(...(event.bytes ?? []));
      events.shift();
    }
    const joined = Uint8Array.from(bytes);
    const wrong = this.stage.app.flow(first.flow).conversation.deliver(joined);
    if (wrong !== null) throw new ScriptFailure(`the application was given wrong data: ${wrong}`);
    return joined;
  }

  private see(frame: Uint8Array, at: number): void {
    const { scene } = this.script;
    const packet = readPacket(frame);
    for (const notation of notations) {
      const fields = notation.recognise(packet, scene);
      if (fields === null) continue;
      const inside = `${notation.name} ${notation.show(fields, scene)}`;
      const shown = `> ${showEnvelope(packet.envelope, scene)}${inside}`;
      this.note(at, shown);
      this.seen.push({ at, name: notation.name, envelope: packet.envelope, fields, shown });
      return;
    }
  }

  private note(at: number, text: string): void {
    this.trace.push(`${timeText(at)} ${text}`);
  }
}

const timeText = (at: number): string => (at / 1e6).toFixed(6).replace(/0{1,3}$/, '');
