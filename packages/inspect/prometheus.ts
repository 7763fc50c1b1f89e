/**
 * A snapshot as Prometheus reads it: text exposition format 0.0.4. Names follow its conventions:
 * base units, `_total` for what only grows. Pure. Not here: HTTP
 * (packages/morgana/management-handler.ts).
 */

import type { LoopVitals, StackSnapshot, TlsServerSnapshot } from '#device';
import { counterKind, counterWords } from './counters.ts';
import type { UnikernelSnapshot } from './snapshot.ts';

export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

type Labels = Readonly<Record<string, string>>;
type Type = 'counter' | 'gauge' | 'histogram' | 'untyped';

interface Family {
  readonly type: Type;
  readonly help: string;
  readonly lines: string[];
}

/** Samples by family: those of one family must stand together. */
class Exposition {
  private readonly families = new Map<string, Family>();

  /** Of a name that was given another type before, and of what is no number, nothing. */
  add(type: Type, name: string, help: string, labels: Labels, value: number, suffix = ''): void {
    const family = this.families.get(name) ?? { type, help, lines: [] };
    if (family.type !== type || typeof value !== 'number') return;
    this.families.set(name, family);
    family.lines.push(`${name}${suffix}${labelText(labels)} ${valueText(value)}\n`);
  }

  text(): string {
    let text = '';
    for (const [name, { type, help, lines }] of this.families) {
      text += `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${lines.join('')}`;
    }
    return text;
  }
}

/** All of it but single connections, which would be too many series. */
export function formatMetrics(snapshot: UnikernelSnapshot): string {
  const out = new Exposition();
  const { name, target, uptimeMicros, memoryBytes, timers, loop, heap } = snapshot;
  const gauge = (what: string, help: string, value: number, labels: Labels = {}): void =>
    out.add('gauge', `morgana_${what}`, help, labels, value);
  gauge('info', 'What runs here; always 1.', 1, { name, target });
  gauge('uptime_seconds', "Since the machine's clock began.", uptimeMicros / 1e6);
  gauge('memory_bytes', 'Memory that the machine has.', memoryBytes);
  gauge('timers', 'Timers that are armed.', timers.count);
  if (loop !== undefined) addLoop(out, loop);
  if (heap !== undefined && heap !== null) {
    gauge('heap_total_bytes', 'What there is for the program.', heap.totalBytes);
    gauge('heap_used_bytes', 'Used of it.', heap.usedBytes);
    for (const [kind, { count, bytes }] of Object.entries(heap.kinds)) {
      gauge('heap_kind_bytes', 'Used bytes by kind.', bytes, { kind });
      gauge('heap_kind_count', 'Things on the heap by kind.', count, { kind });
    }
  }
  for (const [device, stack] of Object.entries(snapshot.stacks)) {
    if (stack !== null) addStack(out, device, stack);
  }
  if (snapshot.tls !== undefined) addTls(out, snapshot.tls);
  for (const [counter, value] of Object.entries(snapshot.tlsClient ?? {})) {
    const name = `${counterName(`tls_client_${underscored(counter)}`)}_total`;
    out.add('counter', name, 'Of what it asks.', {}, value);
  }
  for (const section of [snapshot.control, snapshot.management, snapshot.syslog]) {
    for (const [counter, value] of Object.entries(section ?? {})) {
      const name = `${counterName(underscored(counter))}_total`;
      out.add('counter', name, `Of the way in: ${counter}.`, {}, value as number);
    }
  }
  for (const [section, value] of Object.entries(snapshot.program ?? {})) {
    addProgram(out, section, '', value, { left: PROGRAM_NUMBERS_MAX });
  }
  return out.text();
}

function addTls(out: Exposition, tls: TlsServerSnapshot): void {
  out.add('gauge', 'morgana_tls_sessions', 'Open TLS sessions.', {}, tls.sessions.count);
  for (const [counter, value] of Object.entries(tls.counters)) {
    const name = `${counterName(`tls_${underscored(counter)}`)}_total`;
    out.add('counter', name, `Of TLS: ${counter}.`, {}, value);
  }
  for (const direction of ['sent', 'received'] as const) {
    const counts = direction === 'sent' ? tls.alertsSent : tls.alertsReceived;
    for (const [alert, value] of Object.entries(counts)) {
      const help = 'Handshakes that failed, by alert.';
      out.add('counter', 'morgana_tls_alerts_total', help, { direction, alert }, value);
    }
  }
  for (const { names, keyType, notAfterMillis } of tls.certificates) {
    const labels = { name: names[0] ?? '', key: keyType };
    const help = 'When the certificate expires.';
    const seconds = notAfterMillis / 1_000;
    out.add('gauge', 'morgana_tls_certificate_not_after_seconds', help, labels, seconds);
  }
}

/** Numbers of one section of the program's that become samples; the rest don't. */
const PROGRAM_NUMBERS_MAX = 256;
/** How deep in it. */
const PROGRAM_LEVELS_MAX = 16;

/** Every number in it, under its path: a program's own data has no types. */
function addProgram(
  out: Exposition,
  section: string,
  path: string,
  value: unknown,
  bound: { left: number },
  levels = PROGRAM_LEVELS_MAX,
): void {
  if (typeof value === 'number') {
    if (bound.left <= 0) return;
    bound.left -= 1;
    const help = 'What the program tells of itself.';
    out.add('untyped', 'morgana_program', help, { section, name: path }, value);
  } else if (typeof value === 'object' && value !== null && levels > 0) {
    for (const [key, item] of Object.entries(value)) {
      if (bound.left <= 0) return;
      addProgram(out, section, path === '' ? key : `${path}.${key}`, item, bound, levels - 1);
    }
  }
}

/** Turns and late timers by powers of two of a millisecond: packages/device/vitals.ts. */
function addLoop(out: Exposition, loop: LoopVitals): void {
  const name = 'morgana_loop_turn_seconds';
  const help = 'Turns of the event loop that did something, by how long they took.';
  const slow = loop.slowTurns.reduce((sum, count) => sum + count, 0);
  let below = loop.turns - slow;
  for (const [i, count] of loop.slowTurns.entries()) {
    out.add('histogram', name, help, { le: valueText(2 ** i / 1_000) }, below, '_bucket');
    below += count;
  }
  out.add('histogram', name, help, { le: '+Inf' }, loop.turns, '_bucket');
  out.add('histogram', name, help, {}, loop.busyMicros / 1e6, '_sum');
  out.add('histogram', name, help, {}, loop.turns, '_count');
  const late = loop.lateTimers.reduce((sum, count) => sum + count, 0);
  const lateHelp = 'Timers that fired a millisecond late or more.';
  out.add('counter', 'morgana_loop_late_timers_total', lateHelp, {}, late);
  const lag = (what: string, help: string, micros: number): void =>
    out.add('gauge', `morgana_loop_${what}`, help, {}, micros / 1e6);
  lag('turn_max_seconds', 'The longest turn of the last seconds.', loop.turnMicrosMax);
  lag('late_max_seconds', 'How late a timer was in the last seconds.', loop.lateMicrosMax);
}

function addStack(out: Exposition, stack: string, snapshot: StackSnapshot): void {
  const { connections, memory, neighbors, lease } = snapshot;
  const gauge = (what: string, help: string, value: number, labels: Labels = {}): void =>
    out.add('gauge', `morgana_${what}`, help, { stack, ...labels }, value);
  gauge('tcp_connections', 'TCP connections, half-open ones too.', connections.count);
  if (connections.halfOpen !== undefined) {
    gauge('tcp_half_open', 'TCP connections that are being opened to us.', connections.halfOpen);
    gauge('tcp_time_wait', 'Connections in TIME_WAIT.', connections.timeWait ?? 0);
  }
  if (neighbors !== undefined) {
    gauge('neighbors', 'Entries of the ARP and NDP tables.', neighbors.length);
  }
  if (lease?.expireSeconds !== undefined && lease.expireSeconds !== null) {
    gauge('dhcp_lease_seconds', 'Until the lease ends.', lease.expireSeconds);
  }
  if (memory !== undefined) {
    gauge('stack_memory_limit_bytes', 'What peers can make the stack keep.', memory.bytesMax);
    for (const [account, { usedBytes, refused }] of Object.entries(memory.accounts)) {
      gauge('stack_memory_bytes', 'What they do make it keep.', usedBytes, { account });
      const help = 'Requests for memory that were refused.';
      out.add('counter', 'morgana_stack_memory_refused_total', help, { stack, account }, refused);
    }
  }
  addCounters(out, stack, snapshot.deviceCounters ?? {}, true);
  addCounters(out, stack, snapshot.counters, false);
}

function addCounters(
  out: Exposition,
  stack: string,
  counters: Readonly<Record<string, number>>,
  isDevice: boolean,
): void {
  for (const [counter, value] of Object.entries(counters)) {
    const words = counterWords(counter, isDevice);
    const kind = counterKind(counter);
    if (kind === 'gauge') {
      // Those of the stack's own have better names above.
      if (isDevice)
        out.add('gauge', counterName(words.join('_')), words.join(' '), { stack }, value);
    } else if (kind === 'total') {
      const name = `${counterName(words.join('_'))}_total`;
      out.add('counter', name, `Counter ${words.join(' ')}.`, { stack }, value);
    } else {
      const direction = kind === 'dropped in' ? 'in' : 'out';
      const labels = { stack, direction, reason: words.join('_') };
      const help = 'Packets thrown away, by why.';
      out.add('counter', 'morgana_dropped_packets_total', help, labels, value);
    }
  }
}

/** "handshakesFailed" as "handshakes_failed". */
const underscored = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const counterName = (words: string): string => `morgana_${words.replace(/[^a-zA-Z0-9_]/g, '_')}`;

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** What the format asks for: a backslash before three characters. */
const escapeLabel = (text: string): string =>
  text.replace(/[\\"\n]/g, (found) => (found === '\n' ? '\\n' : `\\${found}`));
const escapeHelp = (text: string): string =>
  text.replace(/[\\\n]/g, (found) => (found === '\n' ? '\\n' : '\\\\'));

function valueText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  return String(value);
}
