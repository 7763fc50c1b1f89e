/**
 * Two namespaces with a router between them: inside with several hosts (addresses of one
 * interface), outside with several servers. The router is a unikernel of target process or pvh over
 * two tap devices, with an impairing relay on its outside or without, or the kernel's own.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openLink, parseLink } from '#targets/node/link';
import { imageExitCode, qemuArguments } from '../../../tools/cli/qemu.ts';
import { leashed, Machine, startLinked } from '../../helpers/machine.ts';
import { Namespace } from '../../helpers/namespace.ts';
import { Relay, type RelayOptions } from '../../helpers/relay.ts';
import { eventually, linkTap } from '../linux/network.ts';
import type { Answer, Request, Task } from './peer.ts';

const ROOT = path.join(import.meta.dirname, '../../..');
const PEER = path.join(import.meta.dirname, 'peer.ts');

export const HOSTS = ['192.168.7.10', '192.168.7.11', '192.168.7.12', '192.168.7.13'] as const;
export const OUTSIDE = '198.51.100.2';
export const SERVERS = ['198.51.100.1', '198.51.100.3'] as const;
export const INSIDE6 = '2001:db8:7::1';
export const SERVER6 = '2001:db8:1::1';
export const FORWARDED = 8_080;
export const HOST_PORT = 80;

const BOOT_ARGUMENTS = [
  `--outside-ipv4=${OUTSIDE}/24`,
  `--outside-gateway=${SERVERS[0]}`,
  `--inside-ipv6=${INSIDE6}/64`,
  '--outside-ipv6=2001:db8:1::2/64',
  `--outside-ipv6-gateway=${SERVER6}`,
  `--forwards=tcp:${FORWARDED}=${HOSTS[0]}:${HOST_PORT},udp:${FORWARDED}=${HOSTS[0]}:${HOST_PORT}`,
  '--allow=tcp:*:81',
];

/** A Node process of a namespace. */
export class Peer {
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, PromiseWithResolvers<unknown>>();
  private ids = 0;

  constructor(at: Namespace) {
    const [command = '', ...rest] = [...at.enter, process.execPath, PEER];
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as const;
    this.child = spawn(...leashed(command, rest), { stdio: [...stdio], cwd: ROOT });
    this.child.on('message', ({ id, value }: Answer) => {
      this.waiting.get(id)?.resolve(value);
      this.waiting.delete(id);
    });
    this.child.on('exit', () => {
      for (const { reject } of this.waiting.values()) reject(new Error('the peer ended'));
    });
  }

  ask<T>(task: Task): Promise<T> {
    const id = this.ids++;
    const answer = Promise.withResolvers<unknown>();
    this.waiting.set(id, answer);
    this.child.send({ id, task } satisfies Request);
    return answer.promise as Promise<T>;
  }

  async close(): Promise<void> {
    this.child.kill('SIGKILL');
    if (this.child.exitCode === null) await once(this.child, 'close');
  }
}

export interface Topology {
  readonly inside: Namespace;
  readonly outside: Namespace;
  /** The unikernel; null where the kernel routes. */
  readonly machine: Machine | null;
  readonly relay: Relay | null;
  close(): Promise<void>;
}

async function configureInside(net: Namespace, device: string): Promise<void> {
  await net.run('sh', '-c', `echo 0 > /proc/sys/net/ipv6/conf/${device}/accept_dad`);
  for (const host of HOSTS) await net.run('ip', 'address', 'add', `${host}/24`, 'dev', device);
  await net.run('ip', 'link', 'set', device, 'up');
  await net.run('ip', 'route', 'add', 'default', 'via', '192.168.7.1');
}

async function configureOutside(net: Namespace, device: string): Promise<void> {
  await net.run('sh', '-c', `echo 0 > /proc/sys/net/ipv6/conf/${device}/accept_dad`);
  for (const server of SERVERS) {
    await net.run('ip', 'address', 'add', `${server}/24`, 'dev', device);
  }
  await net.run('ip', 'address', 'add', `${SERVER6}/64`, 'dev', device);
  await net.run('ip', 'link', 'set', device, 'up');
  await net.run('ip', 'route', 'add', '2001:db8:7::/64', 'via', '2001:db8:1::2', 'dev', device);
}

async function twoNamespaces(): Promise<[Namespace, Namespace]> {
  const both: [Namespace, Namespace] = [await Namespace.open(), await Namespace.open()];
  for (const net of both) await net.run('ip', 'link', 'set', 'lo', 'up');
  return both;
}

export interface RouterOptions {
  readonly image: string;
  readonly target: 'process' | 'pvh';
  /** On the outside; null: taps on both sides, with the kernel's offloads. */
  readonly relay?: RelayOptions | null;
  readonly more?: readonly string[];
  /** Of the image itself. */
  readonly machineWords?: readonly string[];
}

/** A namespace of another process, by name of its holder. */
const holderOf = (net: Namespace): string => /\/proc\/(\d+)\//.exec(net.enter.join(' '))![1]!;

export async function unikernelRouter(options: RouterOptions): Promise<Topology> {
  const [inside, outside] = await twoNamespaces();
  const work = mkdtempSync(path.join(tmpdir(), 'morgana-router-'));
  const place = path.join(work, 'link');
  const header = options.target === 'pvh' ? ['vnet_hdr'] : [];
  const isRelayed = options.relay !== undefined && options.relay !== null;
  // Whoever opens a tap device keeps it when it moves to another namespace.
  const devices = isRelayed ? ['tap1'] : ['tap0', 'tap1'];
  for (const device of devices) {
    await inside.run('ip', 'tuntap', 'add', 'dev', device, 'mode', 'tap', ...header);
  }
  if (isRelayed) await outside.run('ip', 'tuntap', 'add', 'dev', 'tap0', 'mode', 'tap');
  const bootArguments = [...BOOT_ARGUMENTS, ...(options.more ?? [])];
  const links = [isRelayed ? `unix-listen:${place}` : 'tap:tap0', 'tap:tap1'];
  const machine =
    options.target === 'pvh'
      ? startPvh(options.image, bootArguments, inside)
      : startLinked({
          image: options.image,
          target: 'process',
          links,
          bootArguments,
          enter: inside.enter,
        });
  let relay: Relay | null = null;
  if (isRelayed) {
    const socket = await eventually('the link', () => {
      if (!existsSync(place)) return null;
      return openLink(parseLink(`unix:${place}`)!, '').catch(() => null);
    });
    relay = new Relay(linkTap(outside, 'tap0'), socket, options.relay!);
  }
  await machine.wrote(/info router: routing/);
  if (!isRelayed) await inside.run('ip', 'link', 'set', 'tap0', 'netns', holderOf(outside));
  await configureOutside(outside, 'tap0');
  await configureInside(inside, 'tap1');
  return {
    inside,
    outside,
    machine,
    relay,
    async close() {
      await machine.stop();
      relay?.close();
      await inside.close();
      await outside.close();
      rmSync(work, { recursive: true });
    },
  };
}

/** QEMU with two cards on tap devices, which it opens in `net`. */
function startPvh(image: string, bootArguments: readonly string[], net: Namespace): Machine {
  const words = qemuArguments({
    image,
    machine: 'microvm',
    accelerator: 'tcg',
    memoryMib: 32,
    publish: [],
    bootArguments: [...bootArguments],
    links: ['tap0', 'tap1'].map((place, i) => ({
      kind: 'tap',
      place,
      mac: `52:54:00:72:74:0${i}`,
    })),
  });
  return new Machine([...net.enter, 'qemu-system-x86_64', ...words], '', imageExitCode);
}

/** The kernel's masquerading, with the same forwards. */
export async function kernelRouter(): Promise<Topology> {
  const [inside, outside] = await twoNamespaces();
  const middle = await Namespace.open();
  const between = { in0: [inside, '192.168.7.1/24'], out0: [outside, `${OUTSIDE}/24`] } as const;
  for (const [device, [net, address]] of Object.entries(between)) {
    const peer = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', holderOf(net)];
    await middle.run('ip', 'link', 'add', device, ...peer);
    await middle.run('ip', 'address', 'add', address, 'dev', device);
    await middle.run('ip', 'link', 'set', device, 'up');
  }
  await middle.run('sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward');
  const target = `${HOSTS[0]}:${HOST_PORT}`;
  const rules = `table ip nat {
    chain post { type nat hook postrouting priority 100; oifname "out0" masquerade; }
    chain pre { type nat hook prerouting priority -100;
      iifname "out0" meta l4proto { tcp, udp } th dport ${FORWARDED} dnat to ${target}
    }
  }`;
  await middle.run('nft', rules);
  await configureInside(inside, 'eth0');
  for (const server of SERVERS) {
    await outside.run('ip', 'address', 'add', `${server}/24`, 'dev', 'eth0');
  }
  await outside.run('ip', 'link', 'set', 'eth0', 'up');
  return {
    inside,
    outside,
    machine: null,
    relay: null,
    async close() {
      for (const net of [middle, inside, outside]) await net.close();
    },
  };
}
