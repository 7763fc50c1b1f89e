/**
 * `morgana/config`: what a morgana.config.ts is written with. The file is evaluated on the
 * developer's machine at build time and declares devices and boot-time arguments; nothing of it is
 * linked into the image. Not here: reading the arguments (arguments.ts) and connecting the devices
 * (run.ts), which happen at boot.
 */

import { type ArgSpec, type ArgSpecs, neighborsOf } from './arguments.ts';
import {
  type DeviceNode,
  type DeviceSpec,
  type DeviceSpecs,
  declareDevice,
  deviceOrder,
} from './devices.ts';
import { DISK_NAME, DISK_NAME_CHARACTERS_MAX } from './disk.ts';
import {
  ACME_ARGS,
  DIRECT_STACK_ARGS,
  LOG_ARGS,
  MANAGEMENT_ARGS,
  NAME_ARGS,
  TLS_CLIENT_ARGS,
  TLS_SERVER_ARGS,
  VERSIONED_ARP_ARGS,
} from './standard-args.ts';

export type { ArgSpec, ArgSpecs, ArgValue, ArgValues } from './arguments.ts';
export type { DeviceKinds, DeviceSpec, DeviceSpecs } from './devices.ts';

export interface UnikernelConfig<
  D extends DeviceSpecs = DeviceSpecs,
  A extends ArgSpecs = ArgSpecs,
> {
  /** What logs and `describe` call it: lower-case letters, digits, '-'; at most 63 characters. */
  readonly name: string;
  /** The module that exports `start`, relative to the configuration file. */
  readonly main: string;
  /**
   * Whom the program trusts when it asks others over TLS: `fetch("https://...")`, name servers and
   * syslog over TLS, `tls.client`. A PEM file beside the configuration; 'system': the bundle of the
   * machine that builds; 'none': nobody but those of the boot-time argument --ca. Absent: no TLS is
   * linked for any of this.
   */
  readonly ca?: string;
  readonly devices: D;
  readonly args: A;
}

/** Names that `start` receives besides the devices. */
const RESERVED_DEVICES = new Set([
  'args',
  'log',
  'clock',
  'entropy',
  'timers',
  'memoryBytes',
  'inspect',
]);
/** Arguments that an image may have already, by what is linked. */
const RESERVED_ARGS = new Set([
  'help',
  ...[
    LOG_ARGS,
    NAME_ARGS,
    MANAGEMENT_ARGS,
    DIRECT_STACK_ARGS,
    VERSIONED_ARP_ARGS,
    TLS_SERVER_ARGS,
    TLS_CLIENT_ARGS,
    ACME_ARGS,
  ].flatMap((specs) => Object.keys(specs)),
]);

/**
 * Declares a unikernel; its type carries what `Start<typeof config>` hands to `start`. Throws on a
 * bad name.
 */
export function defineUnikernel<const D extends DeviceSpecs, const A extends ArgSpecs>(config: {
  readonly name: string;
  readonly main: string;
  readonly ca?: string;
  readonly devices?: D;
  readonly args?: A;
}): UnikernelConfig<D, A> {
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(config.name)) {
    throw new TypeError(`name '${config.name}' must be lower-case letters, digits and '-'`);
  }
  for (const name of Object.keys(config.devices ?? {})) {
    if (RESERVED_DEVICES.has(name)) throw new TypeError(`device name '${name}' is reserved`);
  }
  for (const name of Object.keys(config.args ?? {})) {
    if (RESERVED_ARGS.has(name)) throw new TypeError(`argument name '${name}' is reserved`);
    if (!/^[a-z][a-zA-Z0-9-]*$/.test(name)) {
      throw new TypeError(`argument name '${name}' must be letters, digits and '-'`);
    }
  }
  const specs = Object.values(config.devices ?? {});
  const asks = specs.find(({ kind }) => kind === 'tls.client' || kind === 'tls.acme');
  if (config.ca === undefined && asks !== undefined) {
    throw new TypeError(`${asks.kind} needs to know whom to trust: ca: './ca.pem', or 'system'`);
  }
  if (specs.filter(({ kind }) => kind === 'tls.server' || kind === 'tls.acme').length > 1) {
    throw new TypeError('one tls.server has all certificates: clients name the one they want');
  }
  checkSharing(config.devices ?? {});
  return {
    name: config.name,
    main: config.main,
    ...(config.ca === undefined ? {} : { ca: config.ca }),
    devices: config.devices ?? ({} as D),
    args: config.args ?? ({} as A),
  };
}

/** One device has one name, and an Ethernet interface one owner: a stack or the application. */
function checkSharing(devices: DeviceSpecs): void {
  const specs = Object.values(devices);
  if (new Set(specs).size !== specs.length) throw new TypeError('one device has two names');
  const owners = new Map<unknown, string>();
  const nodes = deviceOrder(devices);
  checkDisks(nodes.filter(({ kind }) => kind === 'disk' || kind === 'disk.optional'));
  checkStores(nodes);
  for (const node of nodes) {
    const claimed = node.needs.map((at) => nodes[at]!);
    if (node.named) claimed.push(node);
    for (const { kind, options } of claimed) {
      if (kind !== 'net.ethernet') continue;
      const owner = owners.get(options.index);
      if (owner !== undefined) {
        throw new TypeError(
          `devices '${owner}' and '${node.name}' both use Ethernet interface ${options.index}`,
        );
      }
      owners.set(options.index, node.name);
    }
  }
}

/** A store has its disk for itself; the application may see the disk, and must leave it alone. */
function checkStores(nodes: readonly DeviceNode[]): void {
  const owners = new Map<number, string>();
  for (const { kind, name, needs } of nodes) {
    const disk = needs[0];
    if ((kind !== 'store.block' && kind !== 'store.optional') || disk === undefined) continue;
    const owner = owners.get(disk);
    if (owner !== undefined) {
      throw new TypeError(
        `stores '${owner}' and '${name}' are both on disk '${nodes[disk]!.name}'`,
      );
    }
    owners.set(disk, name);
  }
}

/** Disks are attached by their names. */
function checkDisks(disks: readonly DeviceNode[]): void {
  const names = disks.map(({ name }) => name);
  if (new Set(names).size !== names.length) {
    throw new TypeError('several disks have no name: declare each in devices');
  }
  for (const name of names) {
    if (DISK_NAME.test(name)) continue;
    const most = `at most ${DISK_NAME_CHARACTERS_MAX} letters, digits, '.', '_' and '-'`;
    throw new TypeError(`the name of disk '${name}' must be ${most}`);
  }
}

/** An argument with a default is optional; without one it must be given at boot. */
type Options<T> = { readonly doc: string; readonly default?: T };

/** Boot-time arguments, each given as `--name=value`. `doc` is its line in `--help`. */
export const arg = {
  /** A port number, 1..65535. */
  port: (options: Options<number>): ArgSpec<'port'> => ({ kind: 'port', ...options }),
  /** Any text, also empty. */
  string: (options: Options<string>): ArgSpec<'string'> => ({ kind: 'string', ...options }),
  /** A decimal integer in min..max, both safe integers. */
  int: (
    options: Options<number> & { readonly min?: number; readonly max?: number },
  ): ArgSpec<'int'> => ({ kind: 'int', ...options }),
  /** `--name`, `--name=true` or `--name=false`; false unless a default says otherwise. */
  boolean: (options: Options<boolean>): ArgSpec<'boolean'> => ({
    kind: 'boolean',
    default: false,
    ...options,
  }),
  /** An IPv4 address, "10.0.2.15". */
  ipv4: (options: Options<string>): ArgSpec<'ipv4'> => ({ kind: 'ipv4', ...options }),
  /** An IPv4 address with its prefix length, "10.0.2.15/24". */
  ipv4Cidr: (options: Options<string>): ArgSpec<'ipv4Cidr'> => ({ kind: 'ipv4Cidr', ...options }),
} as const;

/** As an argument has them. Throws on what no neighbour can be. */
function staticEntries(fixed: Readonly<Record<string, string>>): string {
  const text = Object.entries(fixed).map((pair) => pair.join('='));
  const wrong = text.find((pair) => neighborsOf(pair) === null);
  if (wrong !== undefined) {
    throw new TypeError(`static ARP entry '${wrong}' must be as 10.0.2.3=52:54:00:00:00:03`);
  }
  return text.join(',');
}

/** The machine's first Ethernet interface: what stands under a stack that names none. */
const firstInterface = declareDevice('net.ethernet', { index: 0 }, [], null);

export const net = {
  /**
   * One Ethernet interface, in the order of discovery: frames, for an application with its own
   * protocol.
   */
  ethernet: (options: { readonly index?: number } = {}): DeviceSpec<'net.ethernet'> =>
    declareDevice('net.ethernet', { index: options.index ?? 0 }, [], callSite()),
  /**
   * TCP and UDP: our own over the given interface (the first, unless named), or the host's
   * sockets.
   */
  stack: (
    over: DeviceSpec<'net.ethernet'> = firstInterface,
    { arp }: { readonly arp?: DeviceSpec<'net.versionedArp'> } = {},
  ): DeviceSpec<'net.stack'> =>
    declareDevice('net.stack', {}, arp === undefined ? [over] : [over, arp], callSite()),
  /**
   * An ARP cache for one stack that keeps its table, with who said what and when, in a store:
   * `net.stack(net.ethernet(), { arp })`. `morgana/arp` serves it by Git's protocol and pulls from
   * others. `store`: on its branch 'main', which is nobody else's; one in memory unless given.
   * `believesUnasked`: also replies and announcements that nobody asked for. `static`: addresses
   * and their stations, which nothing on the network changes. `peers`: hosts whose tables are
   * believed, and no others'. The boot-time arguments --arp and --arp-peers add some.
   */
  versionedArp: ({
    believesUnasked = false,
    static: fixed = {},
    peers = [],
    store: over,
  }: {
    readonly believesUnasked?: boolean;
    readonly static?: Readonly<Record<string, string>>;
    readonly peers?: readonly string[];
    readonly store?: DeviceSpec<'store.block' | 'store.memory'>;
  } = {}): DeviceSpec<'net.versionedArp'> =>
    declareDevice(
      'net.versionedArp',
      { believesUnasked, static: staticEntries(fixed), peers: peers.join() },
      over === undefined ? [] : [over],
      callSite(),
    ),
  /**
   * What operators have over `stack`: metrics for Prometheus, snapshots, profiles and captures on a
   * port with a token, and the log by syslog. Off unless boot-time arguments turn it on.
   */
  management: (stack: DeviceSpec<'net.stack'>): DeviceSpec<'net.management'> =>
    declareDevice('net.management', {}, [stack], callSite()),
} as const;

export const kv = {
  /**
   * The files of a directory, read at build time and linked into the image; relative to the
   * configuration.
   */
  directory: (path: string): DeviceSpec<'kv.directory'> =>
    declareDevice('kv.directory', { path }, [], callSite()),
  /** The same of a tar. */
  tar: (path: string): DeviceSpec<'kv.tar'> => declareDevice('kv.tar', { path }, [], callSite()),
  /** The files of a branch's newest commit as it is at boot, in memory; nothing without one. */
  commit: (
    over: DeviceSpec<'store.block' | 'store.memory'>,
    { branch = 'main' }: { readonly branch?: string } = {},
  ): DeviceSpec<'kv.commit'> => declareDevice('kv.commit', { branch }, [over], callSite()),
  /** A branch to read and write: each change is a commit. */
  store: (
    over: DeviceSpec<'store.block' | 'store.memory'>,
    { branch = 'main' }: { readonly branch?: string } = {},
  ): DeviceSpec<'kv.store'> => declareDevice('kv.store', { branch }, [over], callSite()),
} as const;

export interface DiskOptions {
  /** Smaller ones are refused at boot. */
  readonly bytesMin?: number;
  /** The program only reads, so several may have it at once. */
  readonly readOnly?: boolean;
}

/**
 * A block device, attached at boot under the device's name: `morgana run --disk=NAME=FILE`. An
 * optional one that isn't attached is null.
 */
export function disk(options?: DiskOptions & { readonly optional?: false }): DeviceSpec<'disk'>;
export function disk(
  options: DiskOptions & { readonly optional: true },
): DeviceSpec<'disk.optional'>;
export function disk(
  options: DiskOptions & { readonly optional?: boolean } = {},
): DeviceSpec<'disk' | 'disk.optional'> {
  const { bytesMin = 0, readOnly = false, optional = false } = options;
  if (!Number.isSafeInteger(bytesMin) || bytesMin < 0) {
    throw new TypeError(`bytesMin of a disk: ${bytesMin} is no number of bytes`);
  }
  const kind = optional ? 'disk.optional' : 'disk';
  return declareDevice(kind, { bytesMin, readOnly }, [], callSite());
}

/** What a store is, by the disk that it is on. */
interface StoreKinds {
  readonly disk: 'store.block';
  readonly 'disk.optional': 'store.optional';
}

/** Whose name commits have that are given none, and what a repository that is made is like. */
export interface StoreDeviceOptions {
  /** The program's name unless given. */
  readonly author?: string;
  readonly email?: string;
  /** Of objects' names, when the store is made: SHA-1, as most of Git has it, unless given. */
  readonly hash?: 'SHA-1' | 'SHA-256';
}

export const store = {
  /**
   * A Git repository on a disk, as `morgana/store` has it. A blank disk is formatted; one with
   * other data is refused at boot, unless `overwrite` says that it may go. On an optional disk that
   * isn't attached it is null.
   */
  on: <K extends 'disk' | 'disk.optional'>(
    over: DeviceSpec<K>,
    options: StoreDeviceOptions & { readonly overwrite?: boolean } = {},
  ): DeviceSpec<StoreKinds[K]> => {
    const kinds: StoreKinds = { disk: 'store.block', 'disk.optional': 'store.optional' };
    return declareDevice(kinds[over.kind], { ...options }, [over], callSite());
  },
  /** The same in memory: gone when the program ends. */
  memory: (options: StoreDeviceOptions = {}): DeviceSpec<'store.memory'> =>
    declareDevice('store.memory', { ...options }, [], callSite()),
} as const;

export const tls = {
  /**
   * TLS for those who connect to us: certificates and keys from boot-time arguments, a disk, or the
   * PEM files of the directory `files`, read at build time. `serveHttps` of `morgana/tls` takes it.
   */
  server: ({ files }: { readonly files?: string } = {}): DeviceSpec<'tls.server'> =>
    declareDevice('tls.server', files === undefined ? {} : { path: files }, [], callSite()),
  /**
   * As `server`, and with the boot-time argument --acme the certificate comes from an authority by
   * ACME, over `stack`; the configuration's `ca` says who may be that authority.
   */
  acme: (
    stack: DeviceSpec<'net.stack'>,
    { files }: { readonly files?: string } = {},
  ): DeviceSpec<'tls.acme'> =>
    declareDevice('tls.acme', files === undefined ? {} : { path: files }, [stack], callSite()),
  /** Connections over TLS, by `stack`; whom to trust is the configuration's `ca`. */
  client: (stack: DeviceSpec<'net.stack'>): DeviceSpec<'tls.client'> =>
    declareDevice('tls.client', {}, [stack], callSite()),
} as const;

/**
 * "file:line" of the caller of the function above, for messages; null where the engine has no
 * stack text.
 */
function callSite(): string | null {
  const frame = new Error().stack?.split('\n')[3] ?? '';
  return /(?:\(|at )(?:file:\/\/)?([^()]+:\d+):\d+\)?$/.exec(frame)?.[1] ?? null;
}
