/**
 * The profiler's face to TypeScript: lends the base a table, and makes a tree of named functions of
 * what it finds there. Required reading: base/engine/profile.c, Base.profile (base.ts).
 */

import { assert } from '#core';
import { type CpuProfile, isProfileHz, type ProfileNode } from '#device';
import type { Base } from './base.ts';

/** struct profile: four words, then NODES_MAX nodes of four words. */
const NODES_MAX = 4_096;
const WORDS = 4;
export const PROFILE_TABLE_BYTES: number = 4 * WORDS * (1 + NODES_MAX);
const HEAD = { samples: 0, idle: 1, lost: 2 } as const;
const NODE = { keyLow: 0, keyHigh: 1, parent: 2, samples: 3 } as const;
/** The low bits of a key: LAYOUT_FRAME_* of base/engine/layout.h. */
const KINDS = ['', 'script', 'native', 'code'] as const;
const ADDRESS_SHIFT = 4;
const MICROS_PER_SECOND = 1_000_000;

type ProfilerBase = Pick<Base, 'clockMonotonic' | 'profile' | 'functionName'>;

export class Profiler {
  private readonly base: ProfilerBase;
  private readonly busyMicros: (() => number) | null;
  private busyBefore = 0;
  private table: Uint32Array | null = null;
  private hz = 0;
  private startedMicros = 0;

  /**
   * `busyMicros`: how long the loop has been busy, where samples are taken of that time alone and
   * none of the idle wait, as in a process; else null.
   */
  constructor(base: ProfilerBase, busyMicros: (() => number) | null) {
    this.base = base;
    this.busyMicros = busyMicros;
  }

  /** False when it can't, or runs already, or at no such rate. */
  start(hz: number): boolean {
    const { base } = this;
    if (this.table !== null || base.profile === undefined || !isProfileHz(hz)) return false;
    const table = new Uint8Array(PROFILE_TABLE_BYTES);
    this.startedMicros = base.clockMonotonic();
    if (!base.profile(hz, table)) {
      base.profile(0, null);
      return false;
    }
    this.table = new Uint32Array(table.buffer);
    this.hz = hz;
    this.busyBefore = this.busyMicros?.() ?? 0;
    return true;
  }

  /** Null when none runs. Names of functions that are gone meanwhile can't be had. */
  stop(): CpuProfile | null {
    const { base, table } = this;
    if (table === null) return null;
    base.profile!(0, null);
    this.table = null;
    const micros = base.clockMonotonic() - this.startedMicros;
    return {
      ...this.rate(table[HEAD.samples]!, table[HEAD.idle]!, micros),
      micros,
      lost: table[HEAD.lost]!,
      nodes: readNodes(table, (address) => base.functionName!(address)),
    };
  }

  /**
   * At what rate the samples came: a machine may lose some, and Linux looks at a process's timer
   * no more often than it ticks. With those of the idle wait, which a process hasn't taken.
   */
  private rate(
    samples: number,
    idle: number,
    micros: number,
  ): Pick<CpuProfile, 'hz' | 'samples' | 'idle'> {
    const sampledMicros =
      this.busyMicros === null ? micros : Math.min(this.busyMicros() - this.busyBefore, micros);
    const found = Math.round((samples * MICROS_PER_SECOND) / Math.max(sampledMicros, 1));
    const hz = samples === 0 ? this.hz : Math.min(Math.max(found, 1), this.hz);
    if (this.busyMicros === null) return { hz, samples, idle };
    const all = Math.max(Math.round((micros * hz) / MICROS_PER_SECOND), samples);
    return { hz, samples: all, idle: all - samples };
  }
}

/** The nodes of the table, callers before those they called. */
export function readNodes(table: Uint32Array, nameOf: (address: number) => string): ProfileNode[] {
  assert(table.length === PROFILE_TABLE_BYTES / 4);
  const nodes: ProfileNode[] = [];
  /** By place in the table: 1 + index in `nodes`; the root's children have parent -1. */
  const places = new Uint16Array(NODES_MAX);
  const names = new Map<number, string>();
  const add = (place: number): number => {
    const at = WORDS * (1 + place);
    const keyLow = table[at + NODE.keyLow]!;
    const kind = KINDS[keyLow & 3]!;
    if (place === 0 || kind === '') return -1;
    if (places[place] !== 0) return places[place]! - 1;
    const parent = add(table[at + NODE.parent]!);
    const key = table[at + NODE.keyHigh]! * 0x1_0000_0000 + keyLow;
    const address = Math.floor(key / ADDRESS_SHIFT);
    let text = names.get(address);
    if (text === undefined) {
      text = kind === 'script' ? nameOf(address) : `0x${address.toString(16)}`;
      names.set(address, text);
    }
    const samples = table[at + NODE.samples]!;
    nodes.push({ parent, samples, kind, ...parseName(text) });
    places[place] = nodes.length;
    return nodes.length - 1;
  };
  for (let place = 1; place < NODES_MAX; place++) add(place);
  return nodes;
}

/** "name file:line:column"; the file may be missing. */
function parseName(text: string): Pick<ProfileNode, 'name' | 'file' | 'line' | 'column'> {
  const found = /^(.*) (.*):(\d+):(\d+)$/s.exec(text);
  if (found === null) return { name: text, file: '', line: 0, column: 0 };
  const [, name = '', file = '', line, column] = found;
  return { name, file, line: Number(line), column: Number(column) };
}
