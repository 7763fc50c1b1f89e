/**
 * What is said on a network's control socket: JSON, a line each way. A question has a number that
 * its answer repeats: `{"id":1,"ask":"status"}`, `{"id":1,"value":...}` or
 * `{"id":1,"error":"..."}`.
 *
 *     join       name, mac, address (its own; null: of DHCP), allowHost (refused where the gateway
 *                doesn't): the network stays, and has the name, while the socket is open
 *     publish    hostAddress, hostPort (0: any free one), protocol, guest, guestPort: until the
 *                socket is closed
 *     unpublish  hostAddress, hostPort, protocol
 *     probe      guest, guestPort, timeoutMillis: whether it takes a connection; null, or why not
 *     names      who is on the network
 *     status     ports, counters, addresses, names, what is published
 *
 * Pure. What is read is not believed: a line that is none of these is a fault.
 */

import { isIPv4 } from 'node:net';
import { err, ok, type Result } from '#core';
import { isUnikernelName } from '../runtime-directory.ts';

/** A longer line ends the connection. */
export const LINE_BYTES_MAX = 16_384;

export interface PublishAsk {
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly protocol: 'tcp' | 'udp';
  /** An address, or a name on the network. */
  readonly guest: string;
  readonly guestPort: number;
}

/** The answer to `publish`. */
export interface PublishedAt {
  /** Never 0. */
  readonly hostPort: number;
}

export interface ProbeAsk {
  readonly guest: string;
  readonly guestPort: number;
  readonly timeoutMillis: number;
}

/** Who asks for longer is refused: the answer must come before the asker's patience ends. */
export const PROBE_MILLIS_MAX = 8_000;

export interface JoinAsk {
  readonly name: string;
  readonly mac: string;
  /** That it has without asking for one, and is found at by its name; null: it has none. */
  readonly address: string | null;
  /** Whether it must reach this machine's loopback. */
  readonly allowHost: boolean;
}

export type NetworkAsk =
  | ({ readonly ask: 'join' } & JoinAsk)
  | ({ readonly ask: 'publish' } & PublishAsk)
  | ({ readonly ask: 'unpublish' } & Pick<PublishAsk, 'hostAddress' | 'hostPort' | 'protocol'>)
  | ({ readonly ask: 'probe' } & ProbeAsk)
  | { readonly ask: 'names' }
  | { readonly ask: 'status' };

export type NetworkRequest = NetworkAsk & { readonly id: number };

export interface GatewayStatus {
  readonly network: string;
  /** Whether this machine's loopback is reached through it. */
  readonly allowsHost: boolean;
  readonly counters: Readonly<Record<string, number>>;
}

/** The answer to `join`. */
export interface Joined {
  readonly switchSocket: string;
  readonly pid: number;
  /** As "10.77.0.0/24"; null: this network has no gateway, so nobody gives addresses. */
  readonly gateway: string | null;
}

/** Who is on the network, as far as it is known. */
export interface NetworkName {
  readonly name: string;
  readonly mac: string;
  /** Null until it asked for one. */
  readonly address: string | null;
}

export interface PortStatus {
  readonly port: string;
  readonly macs: readonly string[];
  readonly counters: Readonly<Record<string, number>>;
  /** Reasons of drops, those that occurred. */
  readonly drops: Readonly<Record<string, number>>;
}

export interface NetworkStatus {
  readonly name: string | null;
  readonly pid: number;
  readonly switchSocket: string;
  readonly ports: readonly PortStatus[];
  readonly counters: Readonly<Record<string, number>>;
  readonly names: readonly NetworkName[];
  readonly published: readonly PublishAsk[];
  readonly gateway: GatewayStatus | null;
}

export interface RequestFault {
  /** Of the question, when it has one: the answer goes to it. */
  readonly id: number;
  readonly message: string;
}

type Fields = Readonly<Record<string, unknown>>;

/** One line, without its newline. */
export function parseRequest(line: string): Result<NetworkRequest, RequestFault> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return err({ id: 0, message: 'not JSON' });
  }
  if (typeof value !== 'object' || value === null) return err({ id: 0, message: 'not an object' });
  const fields = value as Fields;
  const id = isNumber(fields.id, 0, Number.MAX_SAFE_INTEGER) ? fields.id : 0;
  const ask = askOf(fields);
  return typeof ask === 'string' ? err({ id, message: ask }) : ok({ ...ask, id });
}

/** The question, or what is wrong with it. */
function askOf(fields: Fields): NetworkAsk | string {
  switch (fields.ask) {
    case 'names':
    case 'status':
      return { ask: fields.ask };
    case 'join': {
      const { name, mac } = fields;
      if (!isText(name, 63) || !isText(mac, 17)) return 'join needs name and mac';
      if (!isUnikernelName(name)) return 'name is none of a unikernel';
      if (!STATION.test(mac)) return 'mac is no address of a station';
      const { address = null, allowHost = false } = fields;
      if (address !== null && !(isText(address, 15) && isIPv4(address))) {
        return 'address is none of IPv4';
      }
      if (typeof allowHost !== 'boolean') return 'allowHost is neither true nor false';
      return { ask: 'join', name, mac, address, allowHost };
    }
    case 'publish': {
      const host = hostOf(fields);
      const { guest, guestPort } = fields;
      if (typeof host === 'string') return host;
      if (!isText(guest, 253) || !isNumber(guestPort, 1, 65_535)) {
        return 'publish needs guest and guestPort';
      }
      return { ask: 'publish', ...host, guest, guestPort };
    }
    case 'probe': {
      const { guest, guestPort, timeoutMillis } = fields;
      if (!isText(guest, 253) || !isNumber(guestPort, 1, 65_535)) {
        return 'probe needs guest and guestPort';
      }
      if (!isNumber(timeoutMillis, 1, PROBE_MILLIS_MAX)) {
        return `timeoutMillis is not 1 to ${PROBE_MILLIS_MAX}`;
      }
      return { ask: 'probe', guest, guestPort, timeoutMillis };
    }
    case 'unpublish': {
      const host = hostOf(fields);
      return typeof host === 'string' ? host : { ask: 'unpublish', ...host };
    }
    default:
      return 'ask is none of join, publish, unpublish, probe, names, status';
  }
}

function hostOf(
  fields: Fields,
): Pick<PublishAsk, 'hostAddress' | 'hostPort' | 'protocol'> | string {
  const { hostAddress, hostPort, protocol } = fields;
  if (!isText(hostAddress, 45)) return 'hostAddress is missing';
  if (!isNumber(hostPort, 0, 65_535)) return 'hostPort is missing';
  if (protocol !== 'tcp' && protocol !== 'udp') return 'protocol is neither tcp nor udp';
  return { hostAddress, hostPort, protocol };
}

/** Six bytes, not of a group. */
const STATION = /^[0-9a-f][02468ace](?::[0-9a-f]{2}){5}$/;

/** An address or a name: it is shown on terminals, so there is nothing in it that moves them. */
const isText = (value: unknown, charactersMax: number): value is string =>
  typeof value === 'string' && /^[\w.:%-]+$/.test(value) && value.length <= charactersMax;

const isNumber = (value: unknown, min: number, max: number): value is number =>
  Number.isInteger(value) && (value as number) >= min && (value as number) <= max;

/** Lines out of a stream of bytes in UTF-8; bounded. */
export class Lines {
  private begun: Uint8Array[] = [];
  private begunBytes = 0;

  /** Calls `each` with what `chunk` completes; false when a line is too long. */
  push(chunk: Uint8Array, each: (line: string) => void): boolean {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(0x0a, from);
      const part = chunk.subarray(from, end < 0 ? chunk.length : end);
      if (this.begunBytes + part.length > LINE_BYTES_MAX) return false;
      this.begun.push(part.slice());
      this.begunBytes += part.length;
      if (end < 0) return true;
      const line = Buffer.concat(this.begun).toString('utf8');
      this.begun = [];
      this.begunBytes = 0;
      if (line !== '') each(line);
      from = end + 1;
    }
  }
}
