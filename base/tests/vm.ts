/** Images of the base's own tests, QEMU around them, and how a run is judged. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { after } from 'node:test';
import { imageOf } from './pack.mjs';

export const here = import.meta.dirname;
export const built = path.join(here, '../../build/base');
export const work = fs.mkdtempSync(path.join(os.tmpdir(), 'morgana-base-'));
after(() => fs.rmSync(work, { recursive: true }));

const MACHINES = {
  microvm: 'microvm,acpi=off,x-option-roms=off,rtc=on',
  /** Without an interval timer and a CMOS clock, as Firecracker's. */
  bare: 'microvm,acpi=off,x-option-roms=off,pit=off,rtc=off',
  q35: 'q35',
  pc: 'pc',
} as const;
export type Machine = keyof typeof MACHINES;
export const BOTH: readonly Machine[] = ['microvm', 'q35'];
const BOOT_TIMEOUT_MS = 120_000;

export interface Section {
  readonly kind: 'bytecode' | 'source' | 'content';
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface Run {
  readonly code: number | null;
  readonly text: string;
  /** What QEMU's monitor said to `Options.monitor`. */
  readonly answer: string;
  /** For each piece of console output, how much text there was then, and both host clocks. */
  readonly marks: readonly Mark[];
}

export interface Mark {
  readonly chars: number;
  readonly atMs: number;
  readonly cpuMs: number;
}

/** When `words` were on the console. */
export function markOf(run: Run, words: string): Mark {
  const chars = run.text.indexOf(words) + words.length;
  const mark = run.marks.find((one) => one.chars >= chars);
  assert.ok(mark && run.text.includes(words), run.text);
  return mark;
}

export interface Options {
  readonly machine?: Machine;
  readonly cmdline?: string;
  readonly cpu?: string;
  readonly memory?: string;
  readonly input?: string;
  /** A line for QEMU's monitor, sent once the console says "ready". */
  readonly monitor?: string;
}

/**
 * User and system time that a process has used; its fields 14 and 15 are in 1/100 s. Null when it
 * has ended: what it wrote last may come after that.
 */
function cpuMs(pid: number): number | null {
  let stat: string;
  try {
    stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw error;
  }
  const fields = stat.replace(/^.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** QEMU's status as base_abi.h's exit code: 0, odd and above 1, else null. */
function exitCode(status: number | null): number | null {
  if (status === 0) return 0;
  return status !== null && status > 1 && status % 2 === 1 ? (status - 1) / 2 : null;
}

/** QEMU may end before it answers, which is the machine's end and judged there. */
function ask(socket: string, line: string, hear: (text: string) => void): void {
  const monitor = net.connect(socket);
  monitor.on('error', () => monitor.destroy());
  monitor.setEncoding('latin1').on('data', hear);
  monitor.write(`${line}\n`);
}

export function boot(image: string, options: Options): Promise<Run> {
  const socket = `${image}.monitor`;
  const child = spawn('qemu-system-x86_64', [
    ...['-M', MACHINES[options.machine ?? 'microvm'], '-accel', 'tcg'],
    ...['-cpu', options.cpu ?? 'Nehalem-v1,+rdrand', '-m', options.memory ?? '8'],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-serial', 'stdio'],
    ...['-device', 'isa-debug-exit,iobase=0x501,iosize=0x04', '-kernel', image],
    ...['-append', options.cmdline ?? ''],
    ...(options.monitor ? ['-monitor', `unix:${socket},server=on,wait=off`] : []),
  ]);
  const marks: Mark[] = [];
  let text = '';
  let stderr = '';
  let answer = '';
  const hear = (words: string) => {
    answer += words;
  };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk.replaceAll('\r', '');
    const used = cpuMs(child.pid ?? 0) ?? marks.at(-1)?.cpuMs ?? 0;
    marks.push({ chars: text.length, atMs: performance.now(), cpuMs: used });
    if (options.input && text === 'ready\n') child.stdin.write(options.input);
    if (options.monitor && text === 'ready\n') ask(socket, options.monitor, hear);
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), BOOT_TIMEOUT_MS);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => {
      clearTimeout(timer);
      assert.equal(stderr, '', 'QEMU complains');
      resolve({ code: exitCode(status), text, answer, marks });
    });
  });
}

export function source(behaviour: string): Section {
  const bytes = fs.readFileSync(path.join(here, behaviour, 'test.js'));
  return { kind: 'source', name: 'main', bytes };
}

let images = 0;
export function imageFile(payload: Buffer, base = 'base.elf'): string {
  const file = path.join(work, `${images++}.elf`);
  fs.writeFileSync(file, imageOf(fs.readFileSync(path.join(built, base)), payload));
  return file;
}

export interface Expectation extends Options {
  readonly behaviour: string;
  readonly code: number;
  readonly text: readonly (string | RegExp)[];
  readonly never?: readonly RegExp[];
  readonly contents?: readonly Section[];
  readonly base?: string;
  readonly machines?: readonly Machine[];
}

export function judge(run: Run, expected: Expectation): void {
  for (const part of expected.text) {
    if (typeof part === 'string')
      assert.ok(run.text.includes(part), `no "${part}" in:\n${run.text}`);
    else assert.match(run.text, part);
  }
  for (const part of expected.never ?? []) assert.doesNotMatch(run.text, part);
  assert.equal(run.code, expected.code, run.text);
}
