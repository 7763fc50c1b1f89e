/** Processor time of the QEMU process while its booted machine has nothing to do. */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Running } from '../machines.ts';
import { progress } from '../process.ts';
import { addSample, type Line } from '../results.ts';
import type { Suite } from '../suite.ts';

/** USER_HZ: what /proc counts in, 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** For the last connections to time out of the machine's first, busy moments. */
const SETTLE_MS = 2000;

export async function measureIdle(suite: Suite, all: readonly Running[]): Promise<Line[]> {
  const seconds = suite.quick ? 5 : 30;
  const line: Line = {
    id: 'idle',
    what: `idle CPU over ${seconds} s`,
    unit: '% of a core',
    net: suite.net,
    better: 'less',
    samples: {},
  };
  progress(`${line.what}, all machines at once`);
  await delay(SETTLE_MS);
  const before = await Promise.all(all.map(ticks));
  const startedAt = performance.now();
  await delay(seconds * 1000);
  const after = await Promise.all(all.map(ticks));
  const elapsedSeconds = (performance.now() - startedAt) / 1000;
  all.forEach((running, index) => {
    const spent = ((after[index] ?? 0) - (before[index] ?? 0)) / TICKS_PER_SECOND;
    addSample(line, running.machine.name, (100 * spent) / elapsedSeconds);
  });
  return [line];
}

/** utime + stime of QEMU, proc_pid_stat(5) fields 14 and 15, counted after the name in brackets. */
async function ticks(running: Running): Promise<number> {
  const text = await readFile(`/proc/${running.child.pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
