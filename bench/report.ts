/** The table and the JSON of the bench, with issue 2's targets and whether they are reached. */
import type { MachineName } from './machines.ts';
import { type Line, medianOf, spreadOf } from './results.ts';

type Verdict = 'reached' | 'missed' | 'not measured';

export interface Judged {
  target: string;
  verdict: Verdict;
}

/** At most this value of ours. */
const ABSOLUTE: Readonly<Record<string, number>> = { image: 1_310_720, memory: 8, idle: 2 };

/** Ours against nginx: boot at most, rates at least. */
const AGAINST_NGINX: Readonly<Record<string, number>> = { boot: 0.1, rps: 0.5, throughput: 0.5 };

const AHEAD_OF_NODE = new Set(['boot', 'memory', 'image', 'image-gzip', 'rps', 'connections']);

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
  const share = AGAINST_NGINX[line.id];
  if (share !== undefined) {
    const less = line.better === 'less';
    const good = (n: number) => (less ? n <= share : n >= share);
    add(`${less ? '≤' : '≥'} ${share} of nginx`, ratio(line, 'nginx'), good);
  }
  if (AHEAD_OF_NODE.has(line.id)) {
    const good = (n: number) => (line.better === 'less' ? n < 1 : n > 1);
    add('ahead of Node', ratio(line, 'node'), good);
  }
  return judged;
}

const NAMES: readonly MachineName[] = ['morgana', 'nginx', 'node'];

export function formatTable(lines: readonly Line[]): string {
  const heads = ['what', 'net', 'unit', ...NAMES, '/nginx', '/node', 'target'];
  const rows = [heads, ...lines.map(row)];
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

function row(line: Line): string[] {
  const targets = judge(line).map(({ target, verdict }) => `${target}: ${verdict}`);
  const cells = NAMES.map((name) => cell(line, name));
  const ratios = (['nginx', 'node'] as const).map((name) => {
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
      ratios: { nginx: ratio(line, 'nginx'), node: ratio(line, 'node') },
      targets: judge(line),
    })),
  };
}
