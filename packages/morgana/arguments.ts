/**
 * Boot-time arguments: their specifications (plain data), parsing and help text. Pure: what argv
 * says in, values or one sentence out. Arguments are `--name=value`; unknown and repeated ones are
 * refused.
 */

import { err, ok, type Result } from '#core';

/** Each kind of argument and the type of its value. */
export interface ArgKinds {
  port: number;
  int: number;
  string: string;
  boolean: boolean;
  ipv4: string;
  ipv4Cidr: string;
  /** Several, with commas. */
  ipv4Cidrs: string;
  /** PREFIX=GATEWAY, several with commas. */
  ipv4Routes: string;
  /** ADDRESS=MAC, several with commas. */
  neighbors: string;
}

export type ArgKind = keyof ArgKinds;

export interface ArgSpec<K extends ArgKind = ArgKind> {
  readonly kind: K;
  readonly doc: string;
  readonly default?: ArgKinds[K];
  /** Bounds of an 'int'. */
  readonly min?: number;
  readonly max?: number;
}

export type ArgSpecs = { readonly [name: string]: ArgSpec };
export type ArgValue<S extends ArgSpec> = ArgKinds[S['kind']];
export type ArgValues<A extends ArgSpecs> = { readonly [N in keyof A]: ArgValue<A[N]> };

export type ArgError = {
  readonly kind: 'unknown' | 'repeated' | 'missing' | 'malformed' | 'value';
  /** One line: what is wrong and what would be right. */
  readonly message: string;
};

export type Parsed =
  | { readonly help: true }
  | {
      readonly help: false;
      readonly values: Readonly<Record<string, string | number | boolean>>;
      /** Names that the command line gave, as opposed to defaults. */
      readonly given: ReadonlySet<string>;
    };

const EXPECTED: Record<ArgKind, string> = {
  port: 'a port number, 1 to 65535',
  int: 'a decimal integer',
  string: 'text',
  boolean: 'true or false',
  ipv4: 'an IPv4 address, as 10.0.2.15',
  ipv4Cidr: 'an IPv4 address and prefix length, as 10.0.2.15/24',
  ipv4Cidrs: 'IPv4 addresses and prefix lengths, as 10.0.2.15/24,10.0.3.1/16',
  ipv4Routes: 'prefixes and their routers, as 172.16.0.0/12=10.0.2.3,192.0.2.0/24=link',
  neighbors:
    'addresses and their stations, as 10.0.2.3=52:54:00:00:00:03,10.0.2.4=02:00:00:00:00:04',
};

/** Reads `argv` by `specs`; the first mistake ends it. */
export function parseArguments(argv: readonly string[], specs: ArgSpecs): Result<Parsed, ArgError> {
  const values: Record<string, string | number | boolean> = {};
  const given = new Set<string>();
  if (argv.includes('--help')) return ok({ help: true });
  for (const word of argv) {
    const found = /^--([a-z][a-zA-Z0-9-]*)(?:=(.*))?$/s.exec(word);
    if (found === null) return refuse('malformed', `'${word}' is not of the form --name=value`);
    const name = found[1]!;
    const spec = Object.hasOwn(specs, name) ? specs[name] : undefined;
    if (spec === undefined) return refuse('unknown', `there is no argument --${name}; see --help`);
    if (given.has(name)) return refuse('repeated', `--${name} is given twice`);
    const text = found[2] ?? (spec.kind === 'boolean' ? 'true' : undefined);
    if (text === undefined) return refuse('malformed', `--${name} needs a value: --${name}=...`);
    const value = readValue(spec, text);
    if (value === null) {
      return refuse('value', `--${name}=${text}: expected ${expected(spec)}`);
    }
    given.add(name);
    values[name] = value;
  }
  for (const [name, spec] of Object.entries(specs)) {
    if (given.has(name)) continue;
    if (spec.default === undefined) return refuse('missing', `--${name} is required: ${spec.doc}`);
    values[name] = spec.default;
  }
  return ok({ help: false, values, given });
}

const refuse = (kind: ArgError['kind'], message: string): Result<Parsed, ArgError> =>
  err({ kind, message });

function expected(spec: ArgSpec): string {
  const { min, max } = spec;
  if (spec.kind !== 'int' || (min === undefined && max === undefined)) return EXPECTED[spec.kind];
  if (min === undefined) return `an integer of at most ${max}`;
  return max === undefined ? `an integer of at least ${min}` : `an integer, ${min} to ${max}`;
}

/** The value that `text` means, or null. */
function readValue(spec: ArgSpec, text: string): string | number | boolean | null {
  switch (spec.kind) {
    case 'string':
      return text;
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : null;
    case 'port':
      return readInteger(text, 1, 65_535);
    case 'int':
      return readInteger(text, spec.min, spec.max);
    case 'ipv4':
      return isIpv4(text) ? text : null;
    case 'ipv4Cidr':
      return isIpv4Cidr(text) ? text : null;
    case 'ipv4Cidrs':
      return text.split(',').every(isIpv4Cidr) ? text : null;
    case 'ipv4Routes':
      return text.split(',').every(isIpv4Route) ? text : null;
    case 'neighbors':
      return neighborsOf(text) === null ? null : text;
  }
}

function isIpv4Cidr(text: string): boolean {
  const [address, prefix, ...rest] = text.split('/');
  if (address === undefined || prefix === undefined || rest.length > 0) return false;
  return isIpv4(address) && readInteger(prefix, 0, 32) !== null;
}

function isIpv4Route(text: string): boolean {
  const [prefix, gateway, ...rest] = text.split('=');
  if (prefix === undefined || gateway === undefined || rest.length > 0) return false;
  return isIpv4Cidr(prefix) && (gateway === 'link' || isIpv4(gateway));
}

/**
 * "52:54:00:00:00:03" by "10.0.2.3", of such pairs with '=' between and commas after; null when it
 * isn't that, when one address is there twice, or a MAC is no station's.
 */
export function neighborsOf(text: string): Readonly<Record<string, string>> | null {
  const neighbors: Record<string, string> = {};
  for (const pair of text === '' ? [] : text.split(',')) {
    const [address = '', mac = '', ...rest] = pair.split('=');
    if (rest.length > 0 || !isIpv4(address) || Object.hasOwn(neighbors, address)) return null;
    if (!/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/.test(mac) || /^[0:]+$/.test(mac)) return null;
    neighbors[address] = mac;
  }
  return neighbors;
}

function readInteger(
  text: string,
  min = Number.MIN_SAFE_INTEGER,
  max = Number.MAX_SAFE_INTEGER,
): number | null {
  if (!/^-?\d{1,16}$/.test(text)) return null;
  const value = Number(text);
  return value >= min && value <= max ? value : null;
}

/** Four decimal numbers without leading zeros: what every reader takes for the same address. */
function isIpv4(text: string): boolean {
  return /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.|$)){4}$/.test(text) && !text.endsWith('.');
}

/** The lines of `--help`: one group of arguments after the other. */
export function helpLines(
  name: string,
  groups: readonly { readonly title: string; readonly specs: ArgSpecs }[],
): string[] {
  const lines = [`${name}: boot-time arguments`];
  for (const { title, specs } of groups) {
    if (Object.keys(specs).length === 0) continue;
    lines.push('', `${title}:`);
    for (const [arg, spec] of Object.entries(specs)) {
      const head = `  --${arg}=${placeholder(spec)}`;
      lines.push(`${head.padEnd(28)} ${spec.doc}${defaultNote(spec)}`);
    }
  }
  return lines;
}

const PLACEHOLDER: Record<ArgKind, string> = {
  port: 'PORT',
  int: 'INTEGER',
  string: 'TEXT',
  boolean: 'true|false',
  ipv4: 'ADDRESS',
  ipv4Cidr: 'ADDRESS/PREFIX',
  ipv4Cidrs: 'ADDRESS/PREFIX',
  ipv4Routes: 'PREFIX=ROUTER',
  neighbors: 'ADDRESS=MAC',
};
const placeholder = (spec: ArgSpec): string => PLACEHOLDER[spec.kind];

function defaultNote(spec: ArgSpec): string {
  if (spec.default === undefined) return ' (required)';
  return spec.default === '' ? '' : ` (default ${spec.default})`;
}
