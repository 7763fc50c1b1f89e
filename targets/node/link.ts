/**
 * Links of a Node process with our own stack: `--link=tap:NAME`, `unix:PATH` or `unix-listen:PATH`,
 * each with `,mac=52:54:00:00:00:01` when the address must stay the same. Whatever it is, a stream
 * socket comes out: the kernel's tap device is carried to it by tap-link (base/tools/tap_link.c).
 */

import { spawn } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { lstat, readFile, unlink } from 'node:fs/promises';
import net from 'node:net';

export interface Link {
  /** As it was given: "unix:/run/a". */
  readonly name: string;
  readonly kind: 'tap' | 'unix' | 'unix-listen';
  /** The device's name, or the socket's path. */
  readonly place: string;
  /** Six bytes, a station's. */
  readonly mac: Uint8Array;
}

const MAC_BYTES = 6;
const GROUP_BIT = 0x01;
const LOCAL_BIT = 0x02;

/** Null when `text` is no link. Without a `mac` a random local one is drawn. */
export function parseLink(text: string): Link | null {
  const found = /^(tap|unix|unix-listen):(.+?)(?:,mac=([0-9a-f:]*))?$/is.exec(text);
  if (found === null) return null;
  const [, kind = '', place = '', macText] = found;
  const mac = macText === undefined ? randomMac() : parseMac(macText);
  if (mac === null) return null;
  return { name: `${kind}:${place}`, kind: kind as Link['kind'], place, mac };
}

/** What `parseLink` takes, for a person. */
export const LINK_EXPECTED = 'tap:NAME, unix:PATH or unix-listen:PATH[,mac=02:00:00:00:00:01]';

/** As "52:54:00:00:00:01". */
export const formatMac = (mac: Uint8Array): string =>
  Array.from(mac, (byte) => byte.toString(16).padStart(2, '0')).join(':');

function parseMac(text: string): Uint8Array | null {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) return null;
  const mac = Uint8Array.from(text.split(':'), (part) => Number.parseInt(part, 16));
  return (mac[0]! & GROUP_BIT) === 0 ? mac : null;
}

function randomMac(): Uint8Array {
  const mac = randomFillSync(new Uint8Array(MAC_BYTES));
  mac[0] = (mac[0]! & ~GROUP_BIT) | LOCAL_BIT;
  return mac;
}

/**
 * The link's socket, connected; rejects with an Error whose message says why there is none.
 * `tapLink` is tap-link's path.
 */
export async function openLink(link: Link, tapLink: string): Promise<net.Socket> {
  if (link.kind === 'tap') return openTap(link.place, tapLink);
  if (link.kind === 'unix') {
    const socket = net.connect(link.place);
    await once(socket, 'connect');
    return socket;
  }
  await removeStale(link.place);
  const server = net.createServer();
  server.maxConnections = 1;
  server.listen(link.place);
  await once(server, 'listening');
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  server.close();
  return socket;
}

/**
 * Removes a socket that an earlier process left behind; one in use, or a file, stays. Only Linux
 * says which it is without a connection, which would be taken for the peer's.
 */
async function removeStale(place: string): Promise<void> {
  const found = await lstat(place).catch(() => null);
  if (found?.isSocket() !== true) return;
  const bound = await readFile('/proc/net/unix', 'utf8').catch(() => null);
  if (bound === null || bound.split('\n').some((line) => line.endsWith(` ${place}`))) return;
  await unlink(place);
}

/** What tap-link complains about is in this process's stderr; its end closes the socket. */
async function openTap(device: string, tapLink: string): Promise<net.Socket> {
  const stdio = ['ignore', 'ignore', 'inherit', 'pipe'] as const;
  const child = spawn(tapLink, [`${device}=fd:3`], { stdio: [...stdio] });
  await once(child, 'spawn');
  child.unref();
  return child.stdio[3] as net.Socket;
}
