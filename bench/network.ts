/**
 * How a machine of the bench reaches the host: QEMU's user networking (a TCP/IP stack inside QEMU,
 * a forwarded port), or a tap device with checksum and segmentation offloads and dnsmasq as DHCP
 * server. Taps are made only inside network and process namespaces of the bench's own
 * (`inNamespace`): the kernel takes them away, with all that is in them, however the bench ends.
 * Native servers are ours on such a tap with a fixed address, and the rival on loopback.
 */
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { userInfo } from 'node:os';
import { BenchError, keep, require, run } from './process.ts';

export type NetKind = 'user' | 'tap' | 'native';

export interface Link {
  kind: NetKind;
  host: string;
  port: number;
  /** QEMU's `-netdev` argument, with the id n0; empty for native servers. */
  netdev: string;
  mac: string;
  device: string | null;
}

const TAP_QUEUE_PACKETS = 1000;

/**
 * Packets that wait for a machine which isn't up yet. Few, or a booting machine would
 * first have to refuse hundreds of stale connection attempts.
 */
const TAP_QUEUE_PACKETS_BOOTING = 8;

function macOf(index: number): string {
  return `52:54:00:6d:67:0${index}`;
}

/** A link through user networking, to a port of the host that is free now. */
export async function userLink(index: number): Promise<Link> {
  const port = await freePort();
  const netdev = `user,id=n0,hostfwd=tcp:127.0.0.1:${port}-:80`;
  return { kind: 'user', host: '127.0.0.1', port, netdev, mac: macOf(index), device: null };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** A tap for our process, loopback for the rival; only for inside the namespace. */
export async function nativeLinks(): Promise<Link[]> {
  await run('ip', ['link', 'set', 'lo', 'up']);
  await run('ip', ['tuntap', 'add', 'dev', 'tap0', 'mode', 'tap', 'vnet_hdr']);
  await run('ip', ['address', 'add', '10.98.0.1/24', 'dev', 'tap0']);
  await run('ip', ['link', 'set', 'tap0', 'up']);
  const link = { kind: 'native', netdev: '', mac: '', device: null } as const;
  return [
    { ...link, host: '10.98.0.2', port: 80, device: 'tap0' },
    { ...link, host: '127.0.0.1', port: 8080 },
  ];
}

/** Makes `count` taps, each a network with one address to lease; only for inside the namespace. */
export async function tapLinks(count: number): Promise<Link[]> {
  await run('ip', ['link', 'set', 'lo', 'up']);
  const links: Link[] = [];
  const dhcp: string[] = [];
  for (let index = 0; index < count; index++) {
    const device = `tap${index}`;
    const mac = macOf(index);
    const host = `10.98.${index}.2`;
    await run('ip', ['tuntap', 'add', 'dev', device, 'mode', 'tap', 'vnet_hdr']);
    await run('ip', ['address', 'add', `10.98.${index}.1/24`, 'dev', device]);
    await run('ip', ['link', 'set', device, 'up']);
    // Known beforehand, or the host's own ARP retries of 1 s would be part of the boot time.
    const neighbour = ['neigh', 'replace', host, 'lladdr', mac, 'dev', device, 'nud', 'permanent'];
    await run('ip', neighbour);
    dhcp.push(`--dhcp-range=${host},${host},255.255.255.0,1h`, `--dhcp-host=${mac},${host}`);
    const netdev = `tap,id=n0,ifname=${device},script=no,downscript=no,vhost=off`;
    links.push({ kind: 'tap', host, port: 80, netdev, mac, device });
  }
  const fixed = ['--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--leasefile-ro'];
  const quick = ['--no-ping', '--dhcp-authoritative', '--user=root', '--log-facility=/dev/null'];
  const options = [...fixed, ...quick, '--pid-file=', ...dhcp];
  const server = keep('dnsmasq', options, { stdio: 'ignore' });
  server.on('exit', (code) => {
    if (code !== null) process.stderr.write(`bench: dnsmasq ended with ${code}\n`);
  });
  return links;
}

/** Sets how many packets may wait for the machine; nothing to do for user networking. */
export async function setBooting(link: Link, booting: boolean): Promise<void> {
  if (link.device === null) return;
  const packets = booting ? TAP_QUEUE_PACKETS_BOOTING : TAP_QUEUE_PACKETS;
  await run('ip', ['link', 'set', link.device, 'txqueuelen', `${packets}`]);
}

/** Runs this bench again inside fresh namespaces; gives what it wrote to standard output. */
export async function inNamespace(args: readonly string[]): Promise<string> {
  await require(['unshare', 'ip', 'dnsmasq']);
  const root = userInfo().uid === 0;
  const spaces = ['--net', '--pid', '--fork', '--kill-child', '--mount-proc'];
  if (!root) spaces.unshift('--user', '--map-root-user');
  return new Promise((resolve, reject) => {
    const child = spawn('unshare', [...spaces, process.execPath, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const end = () => child.kill('SIGKILL');
    process.once('exit', end);
    let out = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    child.on('error', reject);
    child.on('close', (code) => {
      process.removeListener('exit', end);
      if (code === 0) resolve(out);
      else reject(new BenchError('the bench through tap devices failed (its words are above)'));
    });
  });
}
