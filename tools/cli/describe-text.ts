/** Descriptions for people: one as text, and what differs between two. */

import type { ArgSpecs } from '../../packages/morgana/arguments.ts';
import { formatDiskBytes } from '../../packages/morgana/disk.ts';
import type { DescribedDisk, DescribedPackage, Description, Part } from './description.ts';

/** Columns of a table, padded; numbers (cells that begin with a digit or a sign) to the right. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
    });
  }
  return rows.map((row) =>
    row
      .map((cell, i) =>
        /^[+-]?\d/.test(cell) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!),
      )
      .join('  ')
      .trimEnd(),
  );
}

const indent = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);

/** 1234567 as "1,234,567". */
export const grouped = (count: number): string => count.toString().replace(/\B(?=(\d{3})+$)/g, ',');

export function partLines(parts: readonly Part[], totalBytes: number): string[] {
  const rows = parts.map(({ name, bytes }) => [name, grouped(bytes)]);
  return table([...rows, ['total', grouped(totalBytes)]]);
}

function argLines(args: ArgSpecs): string[] {
  return table(
    Object.entries(args).map(([name, spec]) => [
      `--${name}`,
      spec.kind,
      spec.default === undefined ? 'required' : `default ${JSON.stringify(spec.default)}`,
      spec.doc,
    ]),
  );
}

function capabilityLines({ capabilities }: Description): string[] {
  const { ports, network, disks, content } = capabilities;
  return [
    ...ports.map(
      (p) => `listens on --${p.arg}${p.default === null ? '' : ` (default ${p.default})`}`,
    ),
    ...network,
    ...(disks.length === 0 ? ['no disk'] : disks.map(diskLine)),
    ...content.map(
      (c) =>
        `reads ${c.device}: ${grouped(c.files)} files, ${grouped(c.bytes)} bytes, in the image`,
    ),
  ];
}

function diskLine({ name, bytesMin, readOnly, optional }: DescribedDisk): string {
  const size = bytesMin > 0 ? `, ${formatDiskBytes(bytesMin)} at least` : '';
  return `${readOnly ? 'reads' : 'reads and writes'} disk ${name}${size}${optional ? ', if there is one' : ''}`;
}

export function formatText(d: Description): string {
  const devices = d.devices.map((device) => [
    device.name,
    device.kind,
    device.implementation,
    device.needs.length === 0 ? '' : `over ${device.needs.join(', ')}`,
  ]);
  const packages = d.packages.map((p) => [p.name, grouped(p.bytes), grouped(p.lines), reason(p)]);
  return [
    `${d.name}: ${d.kind}, target ${d.target}`,
    ...['', 'devices', ...indent(table(devices))],
    '',
    'packages (bytes in the bundle, lines of source, why)',
    ...indent(table(packages)),
    ...['', 'boot-time arguments', ...indent(argLines(d.args))],
    ...['', 'capabilities', ...indent(capabilityLines(d))],
    ...['', 'image, bytes', ...indent(partLines(d.image.parts, d.image.bytes))],
    '',
  ].join('\n');
}

/** Why a package is there. */
export const reason = (p: DescribedPackage): string =>
  p.because.length > 0 ? `by ${p.because.join(' > ')}` : p.name === 'app' ? '' : 'in every image';

export interface Change {
  /** "image", "package", "part", "device" or "argument". */
  readonly what: string;
  readonly name: string;
  readonly before: number | string | null;
  readonly after: number | string | null;
}

/** What differs, in the order of the text form; empty when both describe the same. */
export function diffDescriptions(a: Description, b: Description): Change[] {
  const changes: Change[] = [];
  const compare = (
    what: string,
    before: Iterable<readonly [string, number | string]>,
    after: Iterable<readonly [string, number | string]>,
  ): void => {
    const old = new Map(before);
    const now = new Map(after);
    for (const name of new Set([...old.keys(), ...now.keys()])) {
      const [was, is] = [old.get(name) ?? null, now.get(name) ?? null];
      if (was !== is) changes.push({ what, name, before: was, after: is });
    }
  };
  const devices = (d: Description): [string, string][] =>
    d.devices.map((v) => [v.name, [v.kind, v.implementation, ...v.needs].join(' ')]);
  const args = (d: Description): [string, string][] =>
    Object.entries(d.args).map(([name, spec]) => [
      name,
      `${spec.kind} ${spec.default ?? 'required'}`,
    ]);
  const sizes = (list: readonly Part[]): [string, number][] => list.map((p) => [p.name, p.bytes]);
  compare('image', [['bytes', a.image.bytes]], [['bytes', b.image.bytes]]);
  compare('device', devices(a), devices(b));
  compare('argument', args(a), args(b));
  compare('part', sizes(a.image.parts), sizes(b.image.parts));
  compare('package', sizes(a.packages), sizes(b.packages));
  return changes;
}

export function formatDiff(changes: readonly Change[]): string {
  if (changes.length === 0) return 'no difference';
  const rows = changes.map(({ what, name, before, after }) => {
    const text = (side: number | string | null): string =>
      typeof side === 'number' ? grouped(side) : (side ?? '(none)');
    const isNumeric = typeof before !== 'string' && typeof after !== 'string';
    const by = isNumeric ? (after ?? 0) - (before ?? 0) : 0;
    return [what, name, text(before), '->', text(after), isNumeric ? signed(by) : ''];
  });
  return table(rows).join('\n');
}

const signed = (count: number): string => `${count < 0 ? '-' : '+'}${grouped(Math.abs(count))}`;
