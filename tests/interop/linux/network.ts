/**
 * A namespace with Linux's TCP in it, an impairing relay, and a unikernel: tap device, tap-link,
 * relay, UNIX link. The unikernel's target is a parameter; a process can also sit on the tap device
 * itself, with the kernel's offloads and without a relay.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openLink, parseLink } from '#targets/node/link';
import {
  cannotBoot,
  type LinkedTarget,
  leashed,
  type Machine,
  startLinked,
  startMachine,
} from '../../helpers/machine.ts';
import { cannotTap, Namespace } from '../../helpers/namespace.ts';
import { Relay, type RelayOptions } from '../../helpers/relay.ts';
import type { Answer, Request, Task } from './kernel-peer.ts';

const ROOT = path.join(import.meta.dirname, '../../..');
const TAP_LINK = path.join(ROOT, 'build/base/tap-link');
const KERNEL_PEER = path.join(import.meta.dirname, 'kernel-peer.ts');
const PATIENCE_MILLIS = 60_000;
/** The longest that any task may take. */
const ANSWER_MILLIS_MAX = 60_000;
export const LINUX = '10.97.1.1';
export const UNIKERNEL = '10.97.1.2';
export const LINUX6 = 'fd97::1';
export const UNIKERNEL6 = 'fd97::2';
export const MAC = '52:54:00:6d:67:02';

export const cannotInterop: string | false = cannotBoot === false ? cannotTap : cannotBoot;

const FIXED = [`--ipv4=${UNIKERNEL}/24`, `--ipv6=${UNIKERNEL6}/64`];

export interface NetworkOptions {
  readonly target: LinkedTarget | 'pvh';
  readonly image: string;
  /** Null: the unikernel has the tap device itself. */
  readonly relay: RelayOptions | null;
  /** In place of fixed addresses. */
  readonly bootArguments?: readonly string[];
  /** Runs in the namespace, with tap0 up, before the unikernel starts. */
  readonly prepare?: (net: Namespace) => Promise<void>;
  readonly memoryMib?: number;
  readonly content?: Readonly<Record<string, string>>;
}

/** Waits, turn by turn, until `find` gives something. */
export async function eventually<T>(
  what: string,
  find: () => Promise<T | null> | T | null,
  patienceMillis = PATIENCE_MILLIS,
): Promise<T> {
  const deadline = performance.now() + patienceMillis;
  for (;;) {
    const found = await find();
    if (found !== null) return found;
    if (performance.now() > deadline) throw new Error(`it took too long: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** tap-link in a namespace; its socket. It ends when the socket is closed. */
export function linkTap(net: Namespace, device: string): Socket {
  const [command = '', ...rest] = [...net.enter, TAP_LINK, `${device}=fd:3`];
  const child = spawn(...leashed(command, rest), {
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
  });
  return child.stdio[3] as Socket;
}

/** Linux's end: kernel-peer.ts in a namespace. */
export class KernelPeer {
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, (answer: Answer) => void>();
  private ids = 0;

  constructor(net: Namespace) {
    const [command = '', ...rest] = [...net.enter, process.execPath, KERNEL_PEER];
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as const;
    this.child = spawn(...leashed(command, rest), { stdio: [...stdio], cwd: ROOT });
    this.child.on('message', (answer: Answer) => {
      this.waiting.get(answer.id)?.(answer);
      this.waiting.delete(answer.id);
    });
  }

  ask(host: string, task: Task): Promise<Answer> {
    const id = this.ids++;
    this.child.send({ id, host, task } satisfies Request);
    return new Promise((resolve) => {
      const late = setTimeout(() => {
        resolve({ id, ok: false, text: 'no end in sight', millis: ANSWER_MILLIS_MAX });
      }, ANSWER_MILLIS_MAX);
      this.waiting.set(id, (answer) => {
        clearTimeout(late);
        resolve(answer);
      });
    });
  }

  async close(): Promise<void> {
    this.child.kill('SIGKILL');
    if (this.child.exitCode === null) await once(this.child, 'close');
  }
}

export class LinuxNetwork {
  readonly net: Namespace;
  readonly machine: Machine;
  readonly relay: Relay | null;
  readonly kernel: KernelPeer;
  private readonly work: string;

  private constructor(net: Namespace, machine: Machine, relay: Relay | null, work: string) {
    this.net = net;
    this.machine = machine;
    this.relay = relay;
    this.work = work;
    this.kernel = new KernelPeer(net);
  }

  static async open(options: NetworkOptions): Promise<LinuxNetwork> {
    const { relay: impairing, prepare, bootArguments } = options;
    const net = await Namespace.open();
    const work = mkdtempSync(path.join(tmpdir(), 'morgana-linux-'));
    await net.run('ip', 'link', 'set', 'lo', 'up');
    const header = impairing === null ? ['vnet_hdr'] : [];
    await net.run('ip', 'tuntap', 'add', 'dev', 'tap0', 'mode', 'tap', ...header);
    await net.run('sh', '-c', 'echo 0 > /proc/sys/net/ipv6/conf/tap0/accept_dad');
    await net.run('ip', 'address', 'add', `${LINUX}/24`, 'dev', 'tap0');
    await net.run('ip', 'address', 'add', `${LINUX6}/64`, 'dev', 'tap0');
    await net.run('ip', 'link', 'set', 'tap0', 'up');
    await prepare?.(net);
    const place = path.join(work, 'link');
    const given = { ...options, bootArguments: bootArguments ?? FIXED };
    const machine = await startOn(given, impairing === null ? null : place, net);
    let relay: Relay | null = null;
    if (impairing !== null) {
      const socket = await eventually('the link', () => connectTo(place));
      relay = new Relay(linkTap(net, 'tap0'), socket, impairing);
    }
    await machine.wrote(/info \S+: listening on/);
    return new LinuxNetwork(net, machine, relay, work);
  }

  /** One command of the unikernel's (peer/main.ts), over the network as it is. */
  async command(text: string, host = UNIKERNEL): Promise<string> {
    const { ok, text: answer } = await this.kernel.ask(host, { op: 'line', port: 1, text });
    if (!ok) throw new Error(`${text}: ${answer}`);
    return answer;
  }

  async counters(host = UNIKERNEL): Promise<Readonly<Record<string, number>>> {
    return JSON.parse(await this.command('counters', host));
  }

  async close(): Promise<void> {
    await this.machine.stop();
    this.relay?.close();
    await this.kernel.close();
    await this.net.close();
    rmSync(this.work, { recursive: true });
  }
}

function startOn(
  options: NetworkOptions & { readonly bootArguments: readonly string[] },
  place: string | null,
  net: Namespace,
): Promise<Machine> | Machine {
  const { target, image, bootArguments, memoryMib = 32, content = {} } = options;
  if (target === 'pvh') {
    const netdev =
      place === null
        ? 'tap,id=n0,ifname=tap0,script=no,downscript=no,vhost=off,vnet_hdr=on'
        : `stream,id=n0,server=on,addr.type=unix,addr.path=${place}`;
    const link = { netdev, device: `,mac=${MAC}` };
    return startMachine({ image, memoryMib, link, bootArguments, enter: net.enter });
  }
  const links = [place === null ? `tap:tap0,mac=${MAC}` : `unix-listen:${place},mac=${MAC}`];
  const enter = place === null ? net.enter : [];
  return startLinked({ image, target, links, bootArguments, memoryMib, content, enter });
}

async function connectTo(place: string): Promise<Socket | null> {
  if (!existsSync(place)) return null;
  return openLink(parseLink(`unix:${place}`)!, '').catch(() => null);
}
