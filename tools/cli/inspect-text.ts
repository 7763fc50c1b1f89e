/**
 * A snapshot as text for a terminal, beside the one before it, which rates are made of. Pure.
 * Every line is fit for a terminal (printable.ts).
 */

import type { ConnectionSnapshot, StackSnapshot } from '#device';
import { counterKind, counterWords, type UnikernelSnapshot } from '#inspect';
import { askingLines, tlsLines } from './inspect-tls-text.ts';
import { printable } from './printable.ts';

export interface TextOptions {
  /** Connections shown, of those that the snapshot has. */
  readonly connectionsMax: number;
  /** Columns; longer lines are cut. */
  readonly columns: number;
  /** How the unikernel was asked for, when its application has another name. */
  readonly title?: string;
}

type Before = UnikernelSnapshot | null;

/** All lines, without newlines. */
export function snapshotLines(
  now: UnikernelSnapshot,
  before: Before,
  options: TextOptions,
): string[] {
  const head = headLine(now, options.title ?? now.name);
  const lines = [head, ...loopLines(now, before), ...heapLines(now)];
  for (const [name, stack] of Object.entries(now.stacks)) {
    if (stack === null) continue;
    const earlier = before?.stacks[name] ?? null;
    const seconds = before === null ? 0 : (now.uptimeMicros - before.uptimeMicros) / 1_000_000;
    lines.push('', ...stackLines(name, stack, earlier, seconds, options));
  }
  if (now.tls !== undefined) lines.push('', ...tlsLines(now.tls, now.wallMillis, options));
  const asking = askingLines(now);
  if (asking.length > 0) lines.push('', ...asking);
  for (const [name, value] of Object.entries(now.program ?? {})) {
    lines.push('', ...dataLines(name, value));
  }
  lines.push('', `log ${pairs(now.logLevels)}`);
  return lines.map((line) => printable(line).slice(0, options.columns).trimEnd());
}

function headLine(now: UnikernelSnapshot, title: string): string {
  const { name, target, uptimeMicros, memoryBytes, timers } = now;
  const next = timers.nextMicros === null ? 'none due' : `next in ${time(timers.nextMicros)}`;
  return [
    `${title === name ? name : `${title} (${name})`} on ${target}`,
    `up ${clock(uptimeMicros / 1_000_000)}`,
    `memory ${bytes(memoryBytes)}`,
    `${timers.count} timers, ${next}`,
  ].join(' | ');
}

function loopLines({ loop }: UnikernelSnapshot, before: Before): string[] {
  if (loop === undefined) return [];
  const micros = loop.micros - (before?.loop?.micros ?? 0);
  const busy = loop.busyMicros - (before?.loop?.busyMicros ?? 0);
  const turns = loop.turns - (before?.loop?.turns ?? 0);
  return [
    `loop ${percent(busy, micros)} busy, ${rate(turns, micros / 1_000_000)} turns/s` +
      ` | lately: longest turn ${time(loop.turnMicrosMax)}, timers late by ${time(loop.lateMicrosMax)} at most` +
      ` | slow turns ${total(loop.slowTurns)}, late timers ${total(loop.lateTimers)}`,
  ];
}

function heapLines({ heap }: UnikernelSnapshot): string[] {
  if (heap === undefined || heap === null) return [];
  const kinds = Object.entries(heap.kinds)
    .sort(([, a], [, b]) => b.bytes - a.bytes)
    .filter(([, { bytes: size }]) => size > 0)
    // Node counts none of its spaces' objects.
    .map(
      ([kind, { count, bytes: size }]) => `${kind} ${bytes(size)}${count ? ` in ${count}` : ''}`,
    );
  return [`heap ${bytes(heap.usedBytes)} of ${bytes(heap.totalBytes)}: ${kinds.join(', ')}`];
}

function stackLines(
  name: string,
  stack: StackSnapshot,
  before: StackSnapshot | null,
  seconds: number,
  options: TextOptions,
): string[] {
  if (stack.error !== undefined) return [`${name}: ${stack.error}`];
  return [
    `${name}: ${addressesOf(stack)}`,
    ...linkLines(stack),
    ...memoryLines(stack),
    ...connectionLines(stack, before, seconds, options),
    ...tableLines('neighbours', stack.neighbors ?? [], (entry) => [
      entry.address,
      entry.mac ?? '-',
      entry.state,
      `${entry.confirmedSecondsAgo} s ago`,
      entry.isRouter === true ? 'router' : '',
      entry.waitingPackets > 0 ? `${entry.waitingPackets} waiting` : '',
    ]),
    ...tableLines('routes', stack.routes ?? [], (entry) => [
      entry.prefix,
      entry.gateway === null ? 'on the link' : `by ${entry.gateway}`,
      entry.validSeconds === undefined ? '' : lifetime(entry.validSeconds),
    ]),
    ...dropLines(stack, before),
  ];
}

function addressesOf({ addresses }: StackSnapshot): string {
  if (addresses.length === 0) return 'no address';
  return addresses
    .map(({ address, prefixBits, origin, isTentative, validSeconds }) => {
      const life =
        validSeconds === undefined || validSeconds === null ? '' : `, ${lifetime(validSeconds)}`;
      return `${address}/${prefixBits} (${origin}${isTentative === true ? ', tentative' : ''}${life})`;
    })
    .join(' ');
}

function linkLines({ mac, mtuBytes, lease, nameServers, searchDomains }: StackSnapshot): string[] {
  const lines: string[] = [];
  const parts = [
    mac === undefined ? '' : `mac ${mac}, mtu ${mtuBytes}`,
    nameServers?.length ? `names from ${nameServers.join(', ')}` : '',
    searchDomains?.length ? `search ${searchDomains.join(', ')}` : '',
  ].filter((part) => part !== '');
  if (parts.length > 0) lines.push(`  ${parts.join(' | ')}`);
  if (lease === undefined) return lines;
  const { state, address, server, renewSeconds, expireSeconds } = lease;
  const life =
    address === null
      ? ''
      : ` ${address} from ${server}, ${lifetime(expireSeconds)}` +
        (renewSeconds === null ? '' : `, renewed in ${clock(renewSeconds)}`);
  return [...lines, `  dhcp ${state}${life}`];
}

function memoryLines({ memory }: StackSnapshot): string[] {
  if (memory === undefined) return [];
  const used = Object.entries(memory.accounts)
    .filter(([, { usedBytes, refused }]) => usedBytes > 0 || refused > 0)
    .map(([kind, account]) => {
      const refused = account.refused > 0 ? ` (${account.refused} refused)` : '';
      return `${kind} ${bytes(account.usedBytes)}${refused}`;
    });
  const list = used.length > 0 ? `: ${used.join(', ')}` : '';
  return [`  memory ${bytes(memory.usedBytes)} of ${bytes(memory.bytesMax)}${list}`];
}

const HEAD = ['remote', 'local', 'state', 'rtt', 'rto', 'cwnd', 'ssthresh', 'flight', 'again'];
const HEAD_TRAFFIC = ['in/s', 'out/s', 'send queue', 'read queue', 'memory'];

function connectionLines(
  { connections, listeners = [], datagramPorts = [] }: StackSnapshot,
  before: StackSnapshot | null,
  seconds: number,
  options: TextOptions,
): string[] {
  const { count, halfOpen, timeWait, list } = connections;
  const known = new Map(before?.connections.list.map((one) => [keyOf(one), one]));
  const rows = list
    .map((one) => ({ one, ...traffic(one, known.get(keyOf(one)) ?? null, seconds) }))
    .sort((a, b) => b.inRate + b.outRate - a.inRate - a.outRate);
  const shown = rows.slice(0, options.connectionsMax);
  const ports = [
    listeners.length > 0 ? `listening on ${list16(listeners)}` : '',
    datagramPorts.length > 0 ? `UDP ${list16(datagramPorts)}` : '',
  ].filter((part) => part !== '');
  const summary = [
    `${count} connections`,
    ...(halfOpen === undefined ? [] : [`${halfOpen} half open`]),
    ...(timeWait === undefined ? [] : [`${timeWait} in TIME_WAIT`]),
    ...ports,
  ];
  const table = shown.map(({ one, inRate, outRate }) =>
    connectionRow(one, inRate, outRate, seconds),
  );
  const more = count - shown.length;
  return [
    `  ${summary.join(', ')}`,
    ...(table.length > 0 ? aligned([[...HEAD, ...HEAD_TRAFFIC], ...table]) : []),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

function connectionRow(
  one: ConnectionSnapshot,
  inRate: number,
  outRate: number,
  seconds: number,
): string[] {
  const { slowStartThresholdBytes: ssthresh } = one;
  return [
    one.remote,
    one.local,
    one.state,
    one.rttMicros === undefined
      ? '-'
      : `${time(one.rttMicros)} ±${time(one.rttVarianceMicros ?? 0)}`,
    optional(one.rtoMicros, time),
    optional(one.congestionWindowBytes, bytes),
    ssthresh === null ? 'none' : optional(ssthresh, bytes),
    optional(one.inFlightBytes, bytes),
    optional(one.retransmitted, String),
    seconds > 0 ? bytes(inRate) : '-',
    seconds > 0 ? bytes(outRate) : '-',
    optional(one.sendQueueBytes, bytes),
    optional(one.receiveQueueBytes, bytes),
    optional(one.memoryBytes, bytes),
  ];
}

const keyOf = ({ local, remote }: ConnectionSnapshot): string => `${local} ${remote}`;

/** Bytes a second since `before`; 0 when it wasn't there. */
function traffic(
  now: ConnectionSnapshot,
  before: ConnectionSnapshot | null,
  seconds: number,
): { inRate: number; outRate: number } {
  if (before === null || seconds <= 0) return { inRate: 0, outRate: 0 };
  return {
    inRate:
      moved(
        now.receivedBytes,
        before.receivedBytes,
        now.receivedPosition,
        before.receivedPosition,
      ) / seconds,
    outRate:
      moved(now.sentBytes, before.sentBytes, now.sentPosition, before.sentPosition) / seconds,
  };
}

function moved(
  now: number | undefined,
  before: number | undefined,
  nowAt: number | undefined,
  beforeAt: number | undefined,
): number {
  if (now !== undefined && before !== undefined) return Math.max(0, now - before);
  if (nowAt === undefined || beforeAt === undefined) return 0;
  return (nowAt - beforeAt + 2 ** 32) % 2 ** 32;
}

/** What was dropped, by reason; most of it first. */
function dropLines(stack: StackSnapshot, before: StackSnapshot | null): string[] {
  const rows = [
    ...dropsOf(stack.deviceCounters ?? {}, before?.deviceCounters ?? null, true),
    ...dropsOf(stack.counters, before?.counters ?? null, false),
  ].sort((a, b) => b.count - a.count);
  if (rows.length === 0) return ['  nothing dropped'];
  return [
    '  dropped packets',
    ...aligned(
      rows.map(({ count, fresh, direction, reason }) => [
        String(count),
        fresh > 0 ? `+${fresh}` : '',
        direction,
        reason,
      ]),
    ),
  ];
}

function dropsOf(
  now: Readonly<Record<string, number>>,
  before: Readonly<Record<string, number>> | null,
  isDevice: boolean,
): { count: number; fresh: number; direction: string; reason: string }[] {
  return Object.entries(now).flatMap(([name, count]) => {
    const kind = counterKind(name);
    if (count === 0 || !kind.startsWith('dropped')) return [];
    const fresh = before === null ? 0 : count - (before[name] ?? 0);
    const reason = counterWords(name, isDevice).join(' ');
    return [{ count, fresh, direction: kind === 'dropped in' ? 'in' : 'out', reason }];
  });
}

function tableLines<T>(
  title: string,
  entries: readonly T[],
  row: (entry: T) => readonly string[],
): string[] {
  if (entries.length === 0) return [];
  const shown = entries.slice(0, 16);
  const more = entries.length - shown.length;
  return [`  ${title}`, ...aligned(shown.map(row)), ...(more > 0 ? [`    and ${more} more`] : [])];
}

/** Of a table of a program's own records. */
const DATA_COLUMNS_MAX = 12;

/** Longer cells are cut: all others of their column are as wide. */
const CELL_CHARACTERS_MAX = 64;

/** Columns as wide as their widest cell, without those that are empty. */
export function aligned(whole: readonly (readonly string[])[]): string[] {
  const rows = whole.map((row) => row.map((cell) => cell.slice(0, CELL_CHARACTERS_MAX)));
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  return rows.map((row) => {
    const cells = row.flatMap((cell, i) => (widths[i] === 0 ? [] : [cell.padEnd(widths[i]!)]));
    return `    ${cells.join('  ')}`.trimEnd();
  });
}

/** A program's own data: lists of records as tables below, the rest in one line. */
function dataLines(name: string, value: unknown): string[] {
  if (isRecords(value)) return [name, ...recordLines(value)];
  if (!isObject(value)) return [`${name}: ${dataText(value)}`];
  const rest = Object.entries(value).filter(([, item]) => !isRecords(item));
  const tables = Object.entries(value).flatMap(([title, item]) =>
    isRecords(item) ? [`  ${title}`, ...recordLines(item)] : [],
  );
  return [`${name}: ${dataText(Object.fromEntries(rest))}`, ...tables];
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isRecords = (value: unknown): value is readonly unknown[] =>
  Array.isArray(value) && isObject(value[0]);

/** A column for each key of the first record. */
function recordLines(list: readonly unknown[]): string[] {
  const keys = Object.keys(list[0] as object).slice(0, DATA_COLUMNS_MAX);
  const rows = list
    .slice(0, 16)
    .map((record) => keys.map((key) => (isObject(record) ? dataText(record[key] ?? '-') : '-')));
  const more = list.length - rows.length;
  return [...aligned([keys, ...rows]), ...(more > 0 ? [`    and ${more} more`] : [])];
}

/** Plain data in one line, without what is 0. */
function dataText(value: unknown): string {
  if (Array.isArray(value)) return value.slice(0, 16).map(dataText).join(' ') || 'none';
  if (!isObject(value)) return String(value);
  const parts = Object.entries(value)
    .filter(([, item]) => item !== 0)
    .map(([key, item]) =>
      typeof item === 'object' && item !== null ? `${key} (${dataText(item)})` : `${key} ${item}`,
    );
  return parts.length === 0 ? 'nothing' : parts.join(', ');
}

const list16 = (ports: readonly number[]): string =>
  ports.length <= 16
    ? ports.join(' ')
    : `${ports.slice(0, 16).join(' ')} and ${ports.length - 16} more`;

const optional = (value: number | undefined, show: (value: number) => string): string =>
  value === undefined ? '-' : show(value);

const pairs = (record: Readonly<Record<string, string>>): string =>
  Object.entries(record)
    .map(([name, value]) => (name === '*' ? value : `${name}:${value}`))
    .join(', ');

const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);
const percent = (part: number, whole: number): string =>
  whole <= 0 ? '-' : `${((100 * part) / whole).toFixed(1)} %`;
const rate = (count: number, seconds: number): string =>
  seconds <= 0 ? '-' : Math.round(count / seconds).toString();
const lifetime = (seconds: number | null): string =>
  seconds === null ? 'for ever' : `${clock(seconds)} left`;

/** "1:02:03", with days before when there are any. */
function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  const two = (value: number) => String(value).padStart(2, '0');
  const rest = `${Math.floor(whole / 3_600) % 24}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  const days = Math.floor(whole / 86_400);
  return days === 0 ? rest : `${days} d ${rest}`;
}

function time(micros: number): string {
  if (micros < 1_000) return `${Math.round(micros)} us`;
  if (micros < 1_000_000) return `${(micros / 1_000).toFixed(1)} ms`;
  return `${(micros / 1_000_000).toFixed(1)} s`;
}

function bytes(count: number): string {
  if (count < 1_024) return `${Math.round(count)} B`;
  if (count < 1_048_576) return `${(count / 1_024).toFixed(1)} KiB`;
  return `${(count / 1_048_576).toFixed(1)} MiB`;
}
