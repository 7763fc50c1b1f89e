/**
 * Runs a unikernel on a machine: reads the boot-time arguments, connects the devices in the order
 * of the graph, calls `start`. The CLI generates the module that calls this (tools/cli/entry.ts),
 * with the implementations that the target has: only those are linked.
 */

import { Log, ok, type Result, setLevels } from '#core';
import type { Machine, Stack } from '#device';
import type { HttpHandler, HttpServer } from '#http';
import type { Commands } from '#inspect';
import { installNetwork, type WebNetwork } from '#web';
import { type ArgSpecs, helpLines, parseArguments } from './arguments.ts';
import type { DeviceKind, DeviceKinds, DeviceNode } from './devices.ts';
import type { Environment } from './index.ts';
import { LOG_ARGS } from './standard-args.ts';
import type { SecureClient } from './tls/secure.ts';

/** Exit codes as in BSD's sysexits.h, so that they differ from the CLI's own 1 and 2. */
export const EXIT_USAGE = 64;
export const EXIT_UNAVAILABLE = 69;
export const EXIT_SOFTWARE = 70;

type Values = Readonly<Record<string, string | number | boolean>>;

export interface ConnectRequest {
  readonly machine: Machine;
  readonly node: DeviceNode;
  /** The devices that `node` needs, connected. */
  readonly needs: readonly unknown[];
  /** Values of the connector's own `args`. */
  readonly args: Values;
  readonly log: Log;
  /** The program's. */
  readonly name: string;
  readonly inspection: Inspection | null;
  /** TLS for what the program asks of others; null: none is linked. */
  readonly secure: SecureClient | null;
}

/** One target's implementation of a kind of device. */
export interface Connector<K extends DeviceKind> {
  /** Boot-time arguments that come with this implementation. */
  readonly args: ArgSpecs;
  /** The device, or one sentence that says what the machine lacks. */
  connect(request: ConnectRequest): Promise<DeviceKinds[K] | { readonly lacks: string }>;
}

export type Connectors = { readonly [K in DeviceKind]?: Connector<K> };

/** What `start` gets, before the configuration's types are put on it. */
export type AnyContext = Environment & {
  readonly args: Values;
  readonly [device: string]: unknown;
};

export interface Unikernel {
  readonly name: string;
  readonly args: ArgSpecs;
  /** The graph in connecting order (devices.ts, deviceOrder). */
  readonly devices: readonly DeviceNode[];
  readonly connectors: Connectors;
  start(context: AnyContext): Promise<number | undefined> | Promise<void>;
  /** Absent where nobody is to look into it: then nothing of it is linked. */
  readonly inspection?: StartInspection;
  /** Likewise where the program has no TLS for what it asks of others. */
  readonly secure?: StartSecure;
  /** Of a development build that serves a website or a handler over HTTPS; else in the open. */
  readonly serve?: ServeProgram;
}

/** TLS for what a program asks of others (tls/secure.ts). */
export interface StartSecure {
  readonly args: ArgSpecs;
  start(machine: Machine, args: Values): Promise<Result<SecureClient, string>>;
}

/** Serves a website or a handler on the program's ports. */
export type ServeProgram = (handler: HttpHandler, context: AnyContext) => Promise<HttpServer>;

/** What inspection hears of a program (inspection.ts). */
export interface Inspection {
  readonly commands: Commands;
  connected(node: DeviceNode, device: unknown): void;
}

/** Called before the first device is connected. */
export type StartInspection = (machine: Machine, name: string, log: Log) => Inspection;

/**
 * A Program for a target's `launch`. Resolves with an exit code; never, when `start` leaves
 * servers running.
 */
export async function runUnikernel(machine: Machine, unikernel: Unikernel): Promise<number> {
  const standard = standardArgs(unikernel);
  const parsed = parseArguments(machine.bootArguments, { ...unikernel.args, ...standard });
  if (!parsed.ok) return usage(machine, parsed.error.message);
  if (parsed.value.help) {
    const groups = [
      { title: 'of this program', specs: unikernel.args },
      { title: 'of every image', specs: standard },
    ];
    for (const line of helpLines(unikernel.name, groups)) machine.console.writeLine(line);
    return 0;
  }
  const { values } = parsed.value;
  const log = new Log((line) => machine.console.writeLine(`${stamp(machine)} ${line}`), 'info');
  const wrong = setLevels(log, String(values.log));
  if (wrong !== null) return usage(machine, `--log=${values.log}: ${wrong}`);
  return startUnikernel(machine, unikernel, values, log);
}

/** Where nobody can look. */
const UNSEEN = { section() {}, stack() {} };

async function startUnikernel(
  machine: Machine,
  unikernel: Unikernel,
  values: Values,
  log: Log,
): Promise<number> {
  const logger = log.source(unikernel.name);
  const inspection = unikernel.inspection?.(machine, unikernel.name, log) ?? null;
  const secure = (await unikernel.secure?.start(machine, values)) ?? ok(null);
  const client = secure.ok ? secure.value : null;
  if (client !== null) {
    inspection?.commands.inspector.section('tlsClient', () => ({ ...client.counts }));
  }
  const devices = secure.ok
    ? await connectAll(machine, unikernel, values, { log, inspection, secure: secure.value })
    : secure.error;
  if (typeof devices === 'string') {
    logger.error(devices);
    return EXIT_UNAVAILABLE;
  }
  const { clock, entropy, timers, memoryBytes } = machine;
  const args: Record<string, string | number | boolean> = {};
  for (const name of Object.keys(unikernel.args)) args[name] = values[name]!;
  const inspect = inspection?.commands.program ?? UNSEEN;
  const environment = { log: logger, clock, entropy, timers, memoryBytes, inspect };
  const context: AnyContext = { ...devices, args, ...environment };
  try {
    const code = await unikernel.start(context);
    if (code !== undefined) {
      for (const device of Object.values(devices)) (device as Partial<Stack> | null)?.release?.();
      return code;
    }
  } catch (error) {
    logger.error(describeError(error));
    return EXIT_SOFTWARE;
  }
  return new Promise<number>(() => {});
}

function standardArgs(unikernel: Unikernel): ArgSpecs {
  let specs: ArgSpecs = { ...LOG_ARGS, ...unikernel.secure?.args };
  for (const { kind } of unikernel.devices) {
    specs = { ...specs, ...unikernel.connectors[kind]?.args };
  }
  return specs;
}

/** The named devices, or one sentence about the one that can't be had. */
async function connectAll(
  machine: Machine,
  unikernel: Unikernel,
  args: Values,
  around: Pick<ConnectRequest, 'log' | 'inspection' | 'secure'>,
): Promise<Record<string, unknown> | string> {
  const connected: unknown[] = [];
  const named: Record<string, unknown> = {};
  let hasNetwork = false;
  for (const node of unikernel.devices) {
    const needs = node.needs.map((at) => connected[at]);
    const connector = unikernel.connectors[node.kind];
    // A device that only stands under another may be missing: a host's sockets need no interface.
    const request = { machine, node, needs, args, name: unikernel.name, ...around };
    const device = await connector?.connect(request);
    if (isLack(device)) return `device '${node.name}' (${node.kind}): ${device.lacks}`;
    if (node.named) named[node.name] = device;
    // The first stack is the one that `fetch` goes out by: there is no other way to name one.
    if (node.kind === 'net.stack' && !hasNetwork) {
      installNetwork(networkOf(device as Stack, around.secure));
      hasNetwork = true;
    }
    around.inspection?.connected(node, device);
    connected.push(device);
  }
  return named;
}

/** What `fetch` goes out by. */
function networkOf(stack: Stack, secure: SecureClient | null): WebNetwork {
  if (secure === null) return stack;
  const connect = stack.connect.bind(stack);
  return { connect, connectSecure: secure.http(connect) };
}

const isLack = (device: unknown): device is { readonly lacks: string } =>
  typeof device === 'object' && device !== null && Object.hasOwn(device, 'lacks');

function usage(machine: Machine, message: string): number {
  machine.console.writeLine(`error: ${message}`);
  return EXIT_USAGE;
}

/** Seconds since boot, as Linux prints them. */
const stamp = (machine: Machine): string =>
  `[${(machine.timers.now / 1_000_000).toFixed(3).padStart(9)}]`;

function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return `${error.name}: ${error.message}\n${error.stack ?? ''}`.trimEnd();
}

/** Connectors that are the same on every machine. */
export const contentConnector: Connector<'kv.directory'> & Connector<'kv.tar'> = {
  args: {},
  async connect({ machine, node }) {
    return machine.content(node.name) ?? { lacks: 'its content is not in the image' };
  },
};

export const ethernetConnector: Connector<'net.ethernet'> = {
  args: {},
  async connect({ machine, node }) {
    const found = machine.interfaces[Number(node.options.index)];
    const count = machine.interfaces.length;
    return found ?? { lacks: `the machine has ${count} network interface(s)` };
  },
};
