/** The network of the host as a Stack; names are asked of the host too. */

import dgram from 'node:dgram';
import dns from 'node:dns';
import net from 'node:net';
import os from 'node:os';
import { setImmediate } from 'node:timers';
import { err, ok, type Result } from '#core';
import {
  type ConnectError,
  type Connecting,
  type ConnectionSnapshot,
  type DatagramHandler,
  type DatagramSocket,
  type Flow,
  type InspectRequest,
  isHostName,
  isNeverHost,
  type ListenError,
  type Listener,
  type NameError,
  type Stack,
  type StackSnapshot,
} from '#device';
import { type DatagramCounters, HostDatagramSocket } from './host-datagram.ts';
import { HostFlow, plainAddress } from './host-flow.ts';
import type { NodeLoop } from './loop.ts';

/** Where a port of the program is on the host. */
export interface Publish {
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly guestPort: number;
  readonly protocol: 'tcp' | 'udp';
}

const ATTEMPT_DELAY_MS = 250;

type Counters = DatagramCounters & { accepted: number; connected: number };

export class HostStack implements Stack {
  private readonly loop: NodeLoop;
  private readonly publish: readonly Publish[];
  private readonly sockets = new Set<net.Socket>();
  private readonly servers = new Set<net.Server>();
  private readonly numbers: Counters = {
    accepted: 0,
    connected: 0,
    datagramsIn: 0,
    datagramsOut: 0,
    datagramsDropped: 0,
  };

  /** A port in `publish` is bound where it says; others under their own number, on every address. */
  constructor(loop: NodeLoop, publish: readonly Publish[] = []) {
    this.loop = loop;
    this.publish = publish;
  }

  listen(port: number, accept: (flow: Flow) => void): Promise<Result<Listener, ListenError>> {
    return this.listenOn(this.placeOf(port, 'tcp'), port, accept);
  }

  /** As `listen`, on one address of the host only. */
  listenAt(
    address: string,
    port: number,
    accept: (flow: Flow) => void,
  ): Promise<Result<Listener, ListenError>> {
    return this.listenOn({ host: address, port }, port, accept);
  }

  private listenOn(
    place: { readonly host: string; readonly port: number },
    port: number,
    accept: (flow: Flow) => void,
  ): Promise<Result<Listener, ListenError>> {
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      this.numbers.accepted++;
      this.loop.turn(() => accept(this.flowOf(socket)));
    });
    return new Promise((resolve) => {
      server.once('error', (error) => this.loop.turn(() => resolve(err(listenError(error, port)))));
      server.listen({ port: place.port, host: place.host }, () => {
        const bound = (server.address() as net.AddressInfo).port;
        this.servers.add(server);
        const close = (): void => {
          this.servers.delete(server);
          server.close();
        };
        const listener = { port: port === 0 ? bound : port, close };
        this.loop.turn(() => resolve(ok(listener)));
      });
    });
  }

  connect(
    address: string,
    port: number,
    opened: (result: Result<Flow, ConnectError>) => void,
  ): Connecting {
    let isOver = false;
    const tell = (result: () => Result<Flow, ConnectError>): void => {
      if (isOver) return;
      isOver = true;
      this.loop.turn(() => opened(result()));
    };
    const fail = (kind: ConnectError['kind']) => tell(() => err({ kind }));
    if (!isAddressOrName(address) || !(port >= 1 && port <= 0xffff)) {
      setImmediate(fail, 'bad address');
      return {
        cancel() {
          isOver = true;
        },
      };
    }
    const socket = net.connect({
      // A name that exists nowhere goes to nobody: an empty lookup fails the same way.
      ...(isNeverHost(address) ? { lookup: notFound } : {}),
      host: address,
      port,
      allowHalfOpen: true,
      // Node's own Happy Eyeballs, with the delay of RFC 8305 §8.
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: ATTEMPT_DELAY_MS,
    });
    socket.on('error', (error) => fail(connectErrorKind(errorCode(error))));
    socket.once('connect', () => {
      this.numbers.connected++;
      tell(() => ok(this.flowOf(socket)));
    });
    const cancel = (): void => {
      if (isOver) return;
      isOver = true;
      socket.destroy();
    };
    return { cancel };
  }

  resolve(name: string): Promise<Result<readonly string[], NameError>> {
    return new Promise((resolve) => {
      const tell = (result: Result<readonly string[], NameError>) =>
        this.loop.turn(() => resolve(result));
      if (!isAddressOrName(name)) {
        setImmediate(tell, err({ kind: 'bad address' } as const));
        return;
      }
      const lookup = isNeverHost(name) ? notFound : dns.lookup;
      lookup(name, { all: true }, (error, found) => {
        if (error === null) tell(ok(found.map(({ address }) => address)));
        else tell(err({ kind: nameErrorKind(error.code) ?? 'name servers failed' }));
      });
    });
  }

  bind(port: number, handler: DatagramHandler): Promise<Result<DatagramSocket, ListenError>> {
    return this.bindOn(this.placeOf(port, 'udp'), port, handler);
  }

  /** As `bind`, on one address of the host only. */
  bindAt(
    address: string,
    port: number,
    handler: DatagramHandler,
  ): Promise<Result<DatagramSocket, ListenError>> {
    return this.bindOn({ host: address, port }, port, handler);
  }

  private bindOn(
    place: { readonly host: string; readonly port: number },
    port: number,
    handler: DatagramHandler,
  ): Promise<Result<DatagramSocket, ListenError>> {
    const socket = this.hearing(dgram.createSocket('udp4'), handler);
    const open6 = (): dgram.Socket => {
      const other = dgram.createSocket({ type: 'udp6', ipv6Only: true });
      return this.hearing(other, handler).on('error', () => {});
    };
    return new Promise((resolve) => {
      const failed = (error: Error) => this.loop.turn(() => resolve(err(listenError(error, port))));
      socket.once('error', failed);
      socket.bind(
        { port: place.port, ...(place.host === '::' ? {} : { address: place.host }) },
        () => {
          socket.off('error', failed);
          // Later errors belong to single messages, which are counted where they are sent.
          socket.on('error', () => {});
          this.loop.turn(() => resolve(ok(new HostDatagramSocket(socket, this.numbers, open6))));
        },
      );
    });
  }

  addresses(): readonly string[] {
    const all = Object.values(os.networkInterfaces()).flatMap((list) => list ?? []);
    const outer = all.filter((one) => !one.internal);
    return (outer.length > 0 ? outer : all).flatMap(({ cidr }) => (cidr === null ? [] : [cidr]));
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.numbers, open: this.sockets.size };
  }

  /** What Node knows of its sockets: where they lead, and how many bytes went. */
  inspect({ connectionsFrom, connectionsMax }: InspectRequest): StackSnapshot {
    const list: ConnectionSnapshot[] = [];
    let at = 0;
    for (const socket of this.sockets) {
      if (at >= connectionsFrom + connectionsMax) break;
      if (at++ >= connectionsFrom) list.push(inspectSocket(socket));
    }
    const addresses = this.addresses().map((cidr) => {
      const [address = '', bits] = cidr.split('/');
      return { address, prefixBits: Number(bits), origin: 'host' };
    });
    const listeners = [...this.servers].flatMap((server) => {
      const bound = server.address();
      return bound === null || typeof bound === 'string' ? [] : [bound.port];
    });
    const connections = { count: this.sockets.size, list };
    return { addresses, listeners, connections, counters: this.counters() };
  }

  private hearing(socket: dgram.Socket, handler: DatagramHandler): dgram.Socket {
    return socket.on('message', (message, from) => {
      const bytes = new Uint8Array(message.buffer, message.byteOffset, message.length);
      this.numbers.datagramsIn++;
      const sender = { address: from.address, port: from.port };
      this.loop.turn(() => handler.receive(bytes, sender, socket.address().address));
    });
  }

  private flowOf(socket: net.Socket): Flow {
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
    return new HostFlow(socket, this.loop);
  }

  private placeOf(port: number, protocol: 'tcp' | 'udp'): { host: string; port: number } {
    const found = this.publish.find((one) => one.guestPort === port && one.protocol === protocol);
    if (found === undefined) return { host: anyAddress(), port };
    return { host: plainAddress(found.hostAddress), port: found.hostPort };
  }
}

const inspectSocket = (socket: net.Socket): ConnectionSnapshot => ({
  local: endpoint(socket.localAddress, socket.localPort),
  remote: endpoint(socket.remoteAddress, socket.remotePort),
  state: STATES[socket.readyState],
  sentBytes: socket.bytesWritten - socket.writableLength,
  receivedBytes: socket.bytesRead,
  sendQueueBytes: socket.writableLength,
  receiveQueueBytes: socket.readableLength,
});

/** As far as Node tells; TCP has more. */
const STATES: Readonly<Record<net.SocketReadyState, string>> = {
  opening: 'SYN_SENT',
  open: 'ESTABLISHED',
  readOnly: 'FIN_WAIT',
  writeOnly: 'CLOSE_WAIT',
  closed: 'CLOSED',
};

function endpoint(address: string | undefined, port: number | undefined): string {
  const plain = plainAddress(address);
  return plain.includes(':') ? `[${plain}]:${port}` : `${plain}:${port}`;
}

/** Both families, where the host has IPv6. */
const anyAddress = (): string => {
  const all = Object.values(os.networkInterfaces()).flatMap((list) => list ?? []);
  return all.some(({ family }) => family === 'IPv6') ? '::' : '0.0.0.0';
};

const listenError = (error: NodeJS.ErrnoException, port: number): ListenError => ({
  kind: error.code === 'EADDRINUSE' ? 'port in use' : 'not permitted',
  port,
});

/** As dns.lookup, for a name that doesn't exist. */
function notFound(
  _name: string,
  _options: dns.LookupOptions,
  told: (error: NodeJS.ErrnoException, found: dns.LookupAddress[]) => void,
): void {
  setImmediate(() => told(Object.assign(new Error('not found'), { code: 'ENOTFOUND' }), []));
}

const isAddressOrName = (text: string): boolean => net.isIP(text) !== 0 || isHostName(text);

/** An AggregateError when several addresses were tried: the last one's reason. */
const errorCode = (error: NodeJS.ErrnoException): string | undefined =>
  error instanceof AggregateError ? error.errors.at(-1)?.code : error.code;

function nameErrorKind(code: string | undefined): NameError['kind'] | null {
  switch (code) {
    case 'ENOTFOUND':
      return 'name not found';
    case 'ENODATA':
      return 'no address';
    case 'EAI_AGAIN':
      return 'name servers silent';
    default:
      return null;
  }
}

function connectErrorKind(code: string | undefined): ConnectError['kind'] {
  switch (code) {
    case 'ECONNREFUSED':
    case 'ECONNRESET':
      return 'refused';
    case 'ETIMEDOUT':
      return 'timeout';
    case 'EADDRNOTAVAIL':
    case 'EAGAIN':
    // No more sockets to be had, or no memory for one.
    case 'EMFILE':
    case 'ENFILE':
    case 'ENOBUFS':
      return 'no port';
    default:
      return nameErrorKind(code) ?? 'unreachable';
  }
}
