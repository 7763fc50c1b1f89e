/**
 * What a unikernel sends about itself, checked before anything is made of it: a hostile one may
 * send anything. Shapes are those of packages/inspect/snapshot.ts and packages/device/vitals.ts;
 * fields that they don't have may be there. Pure.
 */

import type { CpuProfile, StackSnapshot } from '#device';
import { BARE_STACK, type UnikernelSnapshot } from '#inspect';

type Check = (value: unknown) => boolean;
type Plain = Readonly<Record<string, unknown>>;

/** How deep a snapshot may be: a program's own data is printed level by level. */
export const LEVELS_MAX = 32;
/** Of a profile: the tables of our own images have fewer (base/engine/profile.c). */
export const PROFILE_NODES_MAX = 65_536;
/** Frames of all samples' stacks together, each stack written once: what a file is made of. */
export const PROFILE_FRAMES_MAX = 4_194_304;
/** Samples a second, and of a profile that takes no time: more than we ask for. */
const PROFILE_HZ_MAX = 2_000;
const PROFILE_SAMPLES_SPARE = 1_000;

const number: Check = (value) => typeof value === 'number' && Number.isFinite(value);
const text: Check = (value) => typeof value === 'string';
const numberOrText: Check = (value) => number(value) || text(value);
const truth: Check = (value) => typeof value === 'boolean';
const nullable =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const list =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const isPlain = (value: unknown): value is Plain =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const record =
  (check: Check): Check =>
  (value) =>
    isPlain(value) && Object.values(value).every(check);
const shape = (fields: Readonly<Record<string, Check>>): Check => {
  const checks = Object.entries(fields);
  return (value) => isPlain(value) && checks.every(([name, check]) => check(value[name]));
};

const numbers = (...names: string[]): Record<string, Check> =>
  Object.fromEntries(names.map((name) => [name, number]));
const numbersMaybe = (...names: string[]): Record<string, Check> =>
  Object.fromEntries(names.map((name) => [name, optional(nullable(number))]));

const connection = shape({
  local: text,
  remote: text,
  state: text,
  ...numbersMaybe('rttMicros', 'rttVarianceMicros', 'rtoMicros', 'congestionWindowBytes'),
  ...numbersMaybe('slowStartThresholdBytes', 'inFlightBytes', 'retransmitted', 'memoryBytes'),
  ...numbersMaybe('sentPosition', 'receivedPosition', 'sentBytes', 'receivedBytes'),
  ...numbersMaybe('sendQueueBytes', 'receiveQueueBytes'),
});

const address = shape({
  address: text,
  prefixBits: number,
  origin: text,
  isTentative: optional(truth),
  ...numbersMaybe('preferredSeconds', 'validSeconds'),
});

const neighbor = shape({
  address: text,
  mac: nullable(text),
  state: text,
  ...numbers('confirmedSecondsAgo', 'waitingPackets'),
  isRouter: optional(truth),
});

const route = shape({
  prefix: text,
  gateway: nullable(text),
  ...numbersMaybe('metric', 'validSeconds'),
});

const lease = shape({
  state: text,
  address: nullable(text),
  server: nullable(text),
  ...numbersMaybe('renewSeconds', 'rebindSeconds', 'expireSeconds'),
});

const memory = shape({
  ...numbers('usedBytes', 'bytesMax'),
  accounts: record(shape(numbers('usedBytes', 'bytesMax', 'refused'))),
});

const stack = shape({
  error: optional(text),
  mac: optional(text),
  mtuBytes: optional(number),
  addresses: list(address),
  routes: optional(list(route)),
  neighbors: optional(list(neighbor)),
  nameServers: optional(list(text)),
  searchDomains: optional(list(text)),
  lease: optional(lease),
  listeners: optional(list(number)),
  datagramPorts: optional(list(number)),
  connections: shape({
    count: number,
    halfOpen: optional(number),
    timeWait: optional(number),
    list: list(connection),
  }),
  memory: optional(memory),
  counters: record(number),
  deviceCounters: optional(record(number)),
});

const snapshot = shape({
  name: text,
  target: text,
  ...numbers('version', 'uptimeMicros', 'wallMillis', 'memoryBytes'),
  timers: shape({ count: number, nextMicros: nullable(number) }),
  logLevels: record(text),
  loop: optional(
    shape({
      ...numbers('micros', 'turns', 'busyMicros', 'turnMicrosMax', 'lateMicrosMax'),
      slowTurns: list(number),
      lateTimers: list(number),
    }),
  ),
  heap: optional(
    nullable(
      shape({
        ...numbers('totalBytes', 'usedBytes'),
        kinds: record(shape(numbers('bytes', 'count'))),
      }),
    ),
  ),
  stacks: record(() => true),
  tls: optional((value) => tls(value)),
  tlsClient: optional(record(numberOrText)),
  syslog: optional(record(numberOrText)),
  program: optional(record(() => true)),
});

const tls = shape({
  certificates: list(
    shape({ names: list(text), keyType: text, notAfterMillis: number, origin: text }),
  ),
  sessions: shape({
    count: number,
    list: list(
      shape({
        ...{ local: text, remote: text, version: text, suite: text, group: nullable(text) },
        ...{ alpn: nullable(text), serverName: nullable(text) },
        ...{ resumed: truth, hasClientCertificate: truth },
      }),
    ),
  }),
  counters: record(number),
  alertsSent: record(number),
  alertsReceived: record(number),
});

/** Null for what is no snapshot. Programs make stacks too: what is none has an error instead. */
export function parseSnapshot(value: unknown): UnikernelSnapshot | null {
  if (!isShallow(value, LEVELS_MAX) || !snapshot(value)) return null;
  const sent = value as UnikernelSnapshot;
  const stacks = Object.entries(sent.stacks).map(([name, one]): [string, StackSnapshot | null] => [
    name,
    one === null || stack(one) ? one : { ...BARE_STACK, error: 'what it tells is of no use' },
  ]);
  return { ...sent, stacks: Object.fromEntries(stacks) };
}

function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((item) => isShallow(item, levels - 1));
}

const node = shape({
  ...numbers('parent', 'samples', 'line', 'column'),
  kind: (value) => value === 'script' || value === 'native' || value === 'code',
  name: text,
  file: text,
});

const profile = shape({
  ...numbers('hz', 'micros', 'samples', 'idle', 'lost'),
  nodes: (value) => Array.isArray(value) && value.length <= PROFILE_NODES_MAX && value.every(node),
});

/** Null for what is no profile of `seconds`, or one from which too large a file would be made. */
export function parseProfile(value: unknown, seconds: number): CpuProfile | null {
  if (!profile(value)) return null;
  const taken = value as CpuProfile;
  const samplesMax = PROFILE_SAMPLES_SPARE + PROFILE_HZ_MAX * seconds;
  if (taken.hz <= 0 || !isCount(taken.idle)) return null;
  let samples = taken.idle;
  let frames = 0;
  const depths = new Uint32Array(taken.nodes.length);
  for (const [i, { parent, samples: own }] of taken.nodes.entries()) {
    if (!isCount(own) || !Number.isInteger(parent) || parent < -1 || parent >= i) return null;
    depths[i] = 1 + (parent < 0 ? 0 : depths[parent]!);
    samples += own;
    if (own > 0) frames += depths[i]!;
  }
  return samples <= samplesMax && frames <= PROFILE_FRAMES_MAX ? taken : null;
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

/** Log levels by source; null for anything else. */
export function parseLevels(value: unknown): Readonly<Record<string, string>> | null {
  return record(text)(value) ? (value as Readonly<Record<string, string>>) : null;
}
