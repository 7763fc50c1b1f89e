/** Whether a morgana.compose.ts makes sense: the first mistake as one sentence, with its place. */

import { type Ipv4Address, isPrivateAddress, netmaskOf, parseIpv4Address } from '#net';
import type { HealthCheck, NetworkSpec, UnikernelSpec } from './compose.ts';
import {
  COMPOSE_MILLIS_MAX,
  COMPOSE_NAMES_CHARACTERS_MAX,
  COMPOSE_NETWORKS_MAX,
  COMPOSE_UNIKERNELS_MAX,
} from './compose-limits.ts';

/** What the DNS of every network calls somebody else than a unikernel. */
const RESERVED = ['gateway', 'host', 'localhost'];
const MEMORY_MIB_MIN = 3;
const MEMORY_MIB_MAX = 4_096;
const PORT_MAX = 65_535;
/** As `morgana switch` takes them. */
const DELAY_MILLIS_MAX = 60_000;
const RATE_MBIT_MAX = 100_000;

export interface Compose {
  readonly name: string;
  readonly networks: { readonly [name: string]: NetworkSpec };
  readonly unikernels: { readonly [name: string]: UnikernelSpec };
}

type Fields = Readonly<Record<string, unknown>>;

/** Before anything of it is read. */
export const checkIsCompose = (value: unknown): void =>
  checkFields('defineCompose', value, ['name', 'networks', 'unikernels']);

/** Names of the unikernels in the order of their start; throws a TypeError at the first mistake. */
export function checkCompose(compose: Compose): readonly string[] {
  checkName('name', compose.name);
  const { networks, unikernels } = compose;
  checkCount('networks', networks, COMPOSE_NETWORKS_MAX);
  checkCount('unikernels', unikernels, COMPOSE_UNIKERNELS_MAX);
  for (const [name, spec] of Object.entries(networks)) {
    checkMember(`networks.${name}`, compose.name, name);
    checkNetwork(`networks.${name}`, spec);
  }
  for (const [name, spec] of Object.entries(unikernels)) {
    checkMember(`unikernels.${name}`, compose.name, name);
    const isReserved = RESERVED.includes(name);
    if (isReserved) throw wrong(`unikernels.${name}`, 'every network calls another so');
    checkUnikernel(`unikernels.${name}`, spec, compose);
  }
  checkShared(unikernels);
  return startOrder(unikernels);
}

const wrong = (place: string, what: string): TypeError => new TypeError(`${place}: ${what}`);

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function checkCount(place: string, entries: unknown, max: number): void {
  if (!isObject(entries)) throw wrong(place, 'must be an object with an entry for each');
  const count = Object.keys(entries).length;
  if (count === 0) throw wrong(place, 'there is none');
  if (count > max) throw wrong(place, `${count} are too many, ${max} is the most`);
}

function checkName(place: string, name: unknown): void {
  if (typeof name === 'string' && /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) return;
  const expected = "must be lower-case letters, digits and '-', at most 63, no '-' at an end";
  throw wrong(place, `'${name}' is no name: it ${expected}`);
}

function checkMember(place: string, project: string, name: string): void {
  checkName(place, name);
  const both = `${project}-${name}`;
  if (both.length <= COMPOSE_NAMES_CHARACTERS_MAX) return;
  const most = COMPOSE_NAMES_CHARACTERS_MAX;
  throw wrong(place, `'${both}' has ${both.length} characters, ${most} are the most`);
}

/** Refuses fields that nobody reads: most are misspelt. */
function checkFields(place: string, value: unknown, known: readonly string[]): void {
  if (!isObject(value)) throw wrong(place, 'must be an object');
  const odd = Object.keys(value).find((name) => !known.includes(name));
  if (odd !== undefined) throw wrong(place, `there is no '${odd}', only ${known.join(', ')}`);
  const empty = Object.keys(value).find((name) => value[name] === null);
  if (empty !== undefined) throw wrong(`${place}.${empty}`, 'null is no value: leave it out');
}

function checkNumber(place: string, value: unknown, min: number, max: number): void {
  if (value === undefined) return;
  if (typeof value === 'number' && value >= min && value <= max) return;
  throw wrong(place, `${value} is not a number from ${min} to ${max}`);
}

function checkInteger(place: string, value: unknown, min: number, max: number): void {
  const isInteger = Number.isInteger(value) && Number(value) >= min && Number(value) <= max;
  if (value === undefined || isInteger) return;
  throw wrong(place, `${value} is not an integer from ${min} to ${max}`);
}

function checkChoice(place: string, value: unknown, choices: readonly unknown[]): void {
  if (value === undefined || choices.some((choice) => choice === value)) return;
  throw wrong(place, `'${value}' is none of ${choices.join(', ')}`);
}

function checkNetwork(place: string, spec: NetworkSpec): void {
  checkFields(place, spec, ['subnet', 'gateway', 'host', 'loss', 'delayMs', 'rateMbit']);
  checkChoice(`${place}.gateway`, spec.gateway, ['on', 'off']);
  checkChoice(`${place}.host`, spec.host, [true, false]);
  if (spec.host === true && spec.gateway === 'off') {
    throw wrong(`${place}.host`, 'has no meaning without a gateway');
  }
  checkNumber(`${place}.loss`, spec.loss, 0, 1);
  checkNumber(`${place}.delayMs`, spec.delayMs, 0, DELAY_MILLIS_MAX);
  checkNumber(`${place}.rateMbit`, spec.rateMbit, 0.001, RATE_MBIT_MAX);
  if (spec.subnet === undefined) return;
  if (subnetOf(spec.subnet) === null) {
    const expected = 'a private network from /16 to /27, as 10.77.0.0/24';
    throw wrong(`${place}.subnet`, `'${spec.subnet}' is not ${expected}`);
  }
  if (spec.gateway === 'off') throw wrong(`${place}.subnet`, 'has no meaning without a gateway');
}

interface Subnet {
  readonly prefix: Ipv4Address;
  readonly netmask: Ipv4Address;
}

function subnetOf(text: string): Subnet | null {
  const [address = '', bitsText = '', ...more] = String(text).split('/');
  const prefix = parseIpv4Address(address);
  const bits = /^\d\d$/.test(bitsText) ? Number(bitsText) : 0;
  if (prefix === null || bits < 16 || bits > 27 || more.length > 0) return null;
  const netmask = netmaskOf(bits);
  return isPrivateAddress(prefix) && (prefix & ~netmask) === 0 ? { prefix, netmask } : null;
}

const UNIKERNEL_FIELDS = [
  ...['app', 'target', 'networks', 'address', 'mac', 'args', 'publish', 'memoryMib', 'disks'],
  ...['after', 'health', 'restart'],
];

function checkUnikernel(place: string, spec: UnikernelSpec, compose: Compose): void {
  checkFields(place, spec, UNIKERNEL_FIELDS);
  if (typeof spec.app !== 'string' || spec.app === '') {
    throw wrong(`${place}.app`, 'must name a directory or a module');
  }
  checkChoice(`${place}.target`, spec.target, ['pvh', 'process', 'node']);
  checkChoice(`${place}.restart`, spec.restart, ['no', 'on-failure']);
  checkInteger(`${place}.memoryMib`, spec.memoryMib, MEMORY_MIB_MIN, MEMORY_MIB_MAX);
  if (spec.health !== undefined) checkHealth(`${place}.health`, spec.health);
  checkPlaces(place, spec, compose.networks);
  checkArgs(`${place}.args`, spec.args ?? {});
  if (!isObject(spec.disks ?? {})) throw wrong(`${place}.disks`, 'must be an object');
  checkTexts(`${place}.disks`, Object.values(spec.disks ?? {}));
  checkTexts(`${place}.publish`, spec.publish ?? []);
  checkAfter(`${place}.after`, spec.after ?? {}, compose.unikernels);
}

function checkTexts(place: string, values: unknown): void {
  if (!Array.isArray(values)) throw wrong(place, 'must be an array of texts');
  values.forEach((value, index) => {
    if (typeof value === 'string' && value !== '') return;
    throw wrong(`${place}[${index}]`, `'${value}' is no text`);
  });
}

function checkArgs(place: string, args: Fields): void {
  if (!isObject(args)) throw wrong(place, 'must be an object, as { port: 80 }');
  for (const [name, value] of Object.entries(args)) {
    if (['string', 'number', 'boolean'].includes(typeof value)) continue;
    throw wrong(`${place}.${name}`, 'must be a text, a number or a boolean');
  }
}

/** Its networks, and what it is on the first of them. */
function checkPlaces(place: string, spec: UnikernelSpec, networks: Compose['networks']): void {
  const names = Object.keys(networks);
  if (spec.networks === undefined && names.length > 1) {
    throw wrong(`${place}.networks`, `must say on which of ${names.join(', ')} it is`);
  }
  const own = spec.networks ?? names;
  checkTexts(`${place}.networks`, own);
  own.forEach((name, index) => {
    const at = `${place}.networks[${index}]`;
    if (!Object.hasOwn(networks, name)) throw wrong(at, `there is no network '${name}'`);
    if (own.indexOf(name) !== index) throw wrong(at, `'${name}' is named twice`);
  });
  const first = own[0] === undefined ? undefined : networks[own[0]];
  if (spec.address !== undefined) checkAddress(`${place}.address`, spec.address, first);
  if (spec.mac !== undefined) checkMac(`${place}.mac`, spec.mac, first);
  const isAsked = spec.health !== undefined && !('log' in spec.health);
  if (isAsked) checkReached(`${place}.health`, spec, own[0], first);
  if ((spec.publish ?? []).length > 0) checkReached(`${place}.publish`, spec, own[0], first);
}

/** Refuses what needs a way from this machine to the unikernel's ports, where there is none. */
function checkReached(
  place: string,
  spec: UnikernelSpec,
  name: string | undefined,
  network: NetworkSpec | undefined,
): void {
  if (network?.gateway === 'off') {
    throw wrong(place, `network '${name}' has no gateway, so nothing leads from here to its ports`);
  }
  if (network === undefined && spec.target !== 'node') throw wrong(place, 'it is on no network');
}

/** .0 is the network, .1 the gateway, .2 the host, the last the broadcast address. */
const HOSTS_RESERVED = 3;

function checkAddress(place: string, address: string, network: NetworkSpec | undefined): void {
  if (network === undefined) throw wrong(place, 'it is on no network');
  const number = typeof address === 'string' ? parseIpv4Address(address) : null;
  if (number === null) throw wrong(place, `'${address}' is no IPv4 address`);
  if (network.gateway === 'off') {
    throw wrong(place, 'its network has no gateway, which gives it: use args: { ipv4 }');
  }
  if (network.subnet === undefined) {
    throw wrong(place, 'its network must say its subnet, to have the address in it');
  }
  const { prefix, netmask } = subnetOf(network.subnet)!;
  if ((number & netmask) !== prefix) {
    throw wrong(place, `${address} is not in its network, ${network.subnet}`);
  }
  const host = number & ~netmask;
  if (host < HOSTS_RESERVED || host === ~netmask) {
    throw wrong(place, `${address} is the network's own (.0 to .2 and the last are)`);
  }
}

function checkMac(place: string, mac: unknown, network: NetworkSpec | undefined): void {
  if (network === undefined) throw wrong(place, 'it is on no network');
  const isStation = /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/;
  if (typeof mac === 'string' && isStation.test(mac)) return;
  throw wrong(place, `'${mac}' is no address of a station, as 02:00:00:00:00:01`);
}

function checkHealth(place: string, health: HealthCheck): void {
  checkFields(place, health, [
    ...['http', 'port', 'tcp', 'log'],
    ...['intervalMs', 'timeoutMs', 'startPeriodMs'],
  ]);
  const fields: Fields = { ...health };
  const kinds = ['http', 'tcp', 'log'].filter((kind) => fields[kind] !== undefined);
  if (kinds.length !== 1) throw wrong(place, 'must have one of http, tcp, log');
  for (const name of ['intervalMs', 'timeoutMs', 'startPeriodMs']) {
    checkInteger(`${place}.${name}`, fields[name], 1, COMPOSE_MILLIS_MAX);
  }
  checkInteger(`${place}.tcp`, fields.tcp, 1, PORT_MAX);
  checkInteger(`${place}.port`, fields.port, 1, PORT_MAX);
  if (fields.port !== undefined && fields.http === undefined) {
    throw wrong(`${place}.port`, 'goes with http');
  }
  // A space or a line's end would be one of the request's head.
  if (fields.http !== undefined && !/^\/[!-~]*$/.test(String(fields.http))) {
    throw wrong(`${place}.http`, `'${fields.http}' is no path, as /ready`);
  }
  if (fields.log !== undefined && !(fields.log instanceof RegExp)) {
    throw wrong(`${place}.log`, 'must be a regular expression, as /listening/');
  }
}

function checkAfter(place: string, after: Fields, unikernels: Compose['unikernels']): void {
  if (!isObject(after)) throw wrong(place, "must be an object, as { db: 'healthy' }");
  for (const [name, condition] of Object.entries(after)) {
    const other = Object.hasOwn(unikernels, name) ? unikernels[name] : undefined;
    if (other === undefined) throw wrong(`${place}.${name}`, `there is no unikernel '${name}'`);
    checkChoice(`${place}.${name}`, condition ?? '', ['started', 'healthy']);
    if (condition === 'healthy' && other.health === undefined) {
      throw wrong(`${place}.${name}`, `'${name}' has no health to wait for`);
    }
  }
}

/** What two may not have both. */
function checkShared(unikernels: Compose['unikernels']): void {
  for (const field of ['address', 'mac'] as const) {
    const owners = new Map<string, string>();
    for (const [name, spec] of Object.entries(unikernels)) {
      const value = spec[field];
      if (value === undefined) continue;
      const key = field === 'mac' ? value : `${value} on ${spec.networks?.[0] ?? ''}`;
      const owner = owners.get(key);
      if (owner !== undefined) {
        throw wrong(`unikernels.${name}.${field}`, `${value} is that of '${owner}' already`);
      }
      owners.set(key, name);
    }
  }
}

/** Depth first, in the order of the file; a circle is told as a chain. */
function startOrder(unikernels: Compose['unikernels']): readonly string[] {
  const order: string[] = [];
  const path: string[] = [];
  const visit = (name: string): void => {
    if (order.includes(name)) return;
    const from = path.indexOf(name);
    if (from >= 0) {
      const circle = [...path.slice(from), name].join(' after ');
      throw wrong(`unikernels.${path[path.length - 1]}.after`, `a circle: ${circle}`);
    }
    path.push(name);
    for (const other of Object.keys(unikernels[name]!.after ?? {})) visit(other);
    path.pop();
    order.push(name);
  };
  for (const name of Object.keys(unikernels)) visit(name);
  return order;
}
