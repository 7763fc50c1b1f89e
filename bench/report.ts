/** The table and the JSON of the bench, with the issues' targets and whether they are reached. */
import type { MachineName } from './machines.ts';
import { type Line, medianOf, spreadOf } from './results.ts';

type Verdict = 'reached' | 'missed' | 'not measured';

export interface Judged {
  target: string;
  verdict: Verdict;
}

/** At most this value of ours. */
const ABSOLUTE: Readonly<Record<string, number>> = { image: 1_310_720, memory: 8, idle: 2 };

/** Ours against a rival's: what should be little at most, rates at least. */
const SHARES: Readonly<Record<string, Partial<Record<MachineName, number>>>> = {
  boot: { nginx: 0.1, node: 1 },
  memory: { node: 1 },
  image: { node: 1 },
  'image-gzip': { node: 1 },
  rps: { nginx: 0.8, node: 1 },
  throughput: { nginx: 0.5 },
  connections: { nginx: 1, node: 1 },
};
const SHARES_NATIVE: typeof SHARES = {
  boot: { node: 1 / 3 },
  resident: { node: 1 / 6 },
  rps: { node: 0.2 },
  connections: { node: 0.5 },
};
/** Mbit/s that are enough, and the share of the kernel's that is enough too. */
const BULK = { megabits: 1_000, share: 0.25 };

/** In the order of the table's columns; ours is first. */
const NAMES: readonly MachineName[] = ['morgana', 'nginx', 'node', 'kernel'];

const rivalsIn = (names: readonly MachineName[]) => names.filter((name) => name !== 'morgana');

export function ratio(line: Line, rival: MachineName): number | null {
  const ours = medianOf(line, 'morgana');
  const theirs = medianOf(line, rival);
  return ours === null || theirs === null || theirs === 0 ? null : ours / theirs;
}

/** Every target of this line; empty where the issue sets none. */
export function judge(line: Line): Judged[] {
  const judged: Judged[] = [];
  const add = (target: string, value: number | null, good: (value: number) => boolean) => {
    const verdict = value === null ? 'not measured' : good(value) ? 'reached' : 'missed';
    judged.push({ target, verdict });
  };
  const most = ABSOLUTE[line.id];
  if (most !== undefined) {
    const text = `${line.id === 'idle' ? '<' : '≤'} ${most.toLocaleString('en')} ${line.unit}`;
    const good = (n: number) => (line.id === 'idle' ? n < most : n <= most);
    add(text, medianOf(line, 'morgana'), good);
  }
  const shares = (line.net === 'native' ? SHARES_NATIVE : SHARES)[line.id] ?? {};
  for (const rival of NAMES) {
    const share = shares[rival];
    if (share === undefined) continue;
    const less = line.better === 'less';
    const good = (n: number) => (less ? n <= share : n >= share);
    add(`${less ? '≤' : '≥'} ${share.toPrecision(2)} of ${rival}`, ratio(line, rival), good);
  }
  if (line.id.startsWith('bulk-')) {
    const { megabits, share } = BULK;
    const ours = medianOf(line, 'morgana');
    const good = (n: number) => n >= megabits || (ratio(line, 'kernel') ?? 0) >= share;
    add(`≥ ${megabits} Mbit/s or ${share} of the kernel`, ours, good);
  }
  return judged;
}

export function formatTable(lines: readonly Line[]): string {
  const names = NAMES.filter((name) => lines.some((line) => line.samples[name] !== undefined));
  const rivals = rivalsIn(names);
  const heads = ['what', 'net', 'unit', ...names, ...rivals.map((name) => `/${name}`), 'target'];
  const rows = [heads, ...lines.map((line) => row(line, names))];
  const widths = heads.map((_, column) => Math.max(...rows.map((r) => r[column]?.length ?? 0)));
  const format = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  const [head, ...body] = rows.map(format);
  return [head, rule, ...body].join('\n');
}

function row(line: Line, names: readonly MachineName[]): string[] {
  const targets = judge(line).map(({ target, verdict }) => `${target}: ${verdict}`);
  const cells = names.map((name) => cell(line, name));
  const ratios = rivalsIn(names).map((name) => {
    const value = ratio(line, name);
    return value === null ? '-' : value.toPrecision(3);
  });
  return [line.what, line.net ?? '', line.unit, ...cells, ...ratios, targets.join('; ')];
}

/** The median, and the spread where there is more than one sample. */
function cell(line: Line, name: MachineName): string {
  const samples = line.samples[name];
  if (samples === undefined || samples.length === 0) return '-';
  const { median, min, max } = spreadOf(samples);
  if (samples.length === 1) return number(median);
  return `${number(median)} (${number(min)}..${number(max)})`;
}

function number(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  const whole = Number.isInteger(value);
  return value.toLocaleString('en', { maximumFractionDigits: whole ? 0 : digits });
}

/** The results as data: every sample, the spread, the ratios and the targets. */
export function asData(lines: readonly Line[]): object {
  return {
    lines: lines.map((line) => ({
      ...line,
      spread: Object.fromEntries(
        Object.entries(line.samples).map(([name, samples]) => [name, spreadOf(samples)]),
      ),
      ratios: Object.fromEntries(rivalsIn(NAMES).map((name) => [name, ratio(line, name)])),
      targets: judge(line),
    })),
  };
}
