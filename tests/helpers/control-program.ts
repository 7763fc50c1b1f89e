/**
 * A program of which clients of its control channel ask things, a line each: "echo", and all that
 * follows comes back; else an answer as JSON, and the end. Linked into images of every target.
 */

import { after, hot, millis, Timer } from '#core';
import {
  CONTROL_PAYLOAD_BYTES_MAX,
  type ControlChannel,
  ControlReader,
  controlFrame,
  type Machine,
  type Program,
} from '#device';

const NEWLINE = 0x0a;

interface Client {
  line: string;
  isEcho: boolean;
}

export const controlProgram: Program = async (machine) => {
  const { control } = machine;
  if (control === null) {
    machine.console.writeLine('no control channel');
    return 3;
  }
  const clients = new Map<number, Client>();
  const out = new Outbox(control);
  const answer = async (id: number, line: string): Promise<void> => {
    const text = hot.utf8Encode(JSON.stringify(await answerTo(machine, line)) ?? 'null');
    for (let at = 0; at < text.length; at += CONTROL_PAYLOAD_BYTES_MAX) {
      out.write(controlFrame(id, text.subarray(at, at + CONTROL_PAYLOAD_BYTES_MAX)));
    }
    out.write(controlFrame(id, new Uint8Array(0)));
  };
  const reader = (): ControlReader =>
    new ControlReader({
      piece(id, bytes) {
        const client = clients.get(id) ?? { line: '', isEcho: false };
        clients.set(id, client);
        let from = 0;
        if (!client.isEcho) {
          const end = bytes.indexOf(NEWLINE);
          client.line += hot.latin1(bytes, 0, end < 0 ? bytes.length : end);
          if (end < 0) return;
          from = end + 1;
          client.isEcho = client.line === 'echo';
          if (!client.isEcho) void answer(id, client.line);
        }
        if (client.isEcho && from < bytes.length) {
          out.write(controlFrame(id, bytes.subarray(from)));
        }
      },
      end: (id) => void clients.delete(id),
    });
  const incoming = reader();
  control.attach({
    data(bytes) {
      const fault = incoming.push(bytes);
      if (fault !== null) machine.console.writeLine('a broken frame');
    },
    drained: () => out.drain(),
    reopened() {
      machine.console.writeLine('reopened');
      clients.clear();
      out.clear();
      incoming.restart();
    },
  });
  machine.console.writeLine('ready');
  return new Promise(() => {});
};

/** What the channel refuses waits here; a test's echo may be larger than its queue. */
class Outbox {
  private readonly control: ControlChannel;
  private readonly waiting: Uint8Array[] = [];

  constructor(control: ControlChannel) {
    this.control = control;
  }

  write(frame: Uint8Array): void {
    this.waiting.push(frame);
    this.drain();
  }

  drain(): void {
    while (this.waiting.length > 0 && this.control.write(this.waiting[0]!)) this.waiting.shift();
  }

  clear(): void {
    this.waiting.length = 0;
  }
}

const kept: unknown[] = [];

async function answerTo(machine: Machine, line: string): Promise<unknown> {
  const [word, ...rest] = line.split(' ');
  const argument = rest.join(' ');
  const { vitals } = machine;
  switch (word) {
    case 'heap':
      return vitals?.heap();
    case 'loop':
      return vitals?.loop();
    case 'counters':
      return machine.control!.counters();
    case 'keep':
      for (let i = 0; i < Number(argument); i++) kept.push({ number: i, text: `${i} kept` });
      kept.push(new ArrayBuffer(Number(argument) * 100));
      return kept.length;
    case 'spin':
      return burnOuter(Number(argument), machine);
    case 'later':
      await passed(machine, Number(argument));
      machine.console.writeLine('later');
      void passed(machine, 20).then(() => machine.console.writeLine('still here'));
      return true;
    case 'start':
      return vitals?.startProfile(Number(argument));
    case 'stop':
      return vitals?.stopProfile();
    case 'evaluate':
      return machine.evaluate === null ? 'no' : machine.evaluate(hot.utf8Encode(argument));
    case 'exit':
      return machine.exit(Number(argument));
  }
  return `no such word: ${word}`;
}

const passed = (machine: Machine, waitMillis: number): Promise<void> =>
  new Promise((resolve) => {
    const { timers } = machine;
    timers.arm(new Timer(() => resolve()), after(timers.now, millis(waitMillis)));
  });

/** Burns time where a profile is to find it. */
function burnOuter(rounds: number, machine: Machine): number {
  let sum = 0;
  for (let i = 0; i < rounds; i++) sum += burnInner(machine.timers.now + i);
  return sum;
}

function burnInner(seed: number): number {
  let x = seed;
  for (let i = 0; i < 1_000; i++) x = (x + i * 3) % 1_021;
  return x;
}
