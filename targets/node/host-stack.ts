/** The network of the host as a Stack. */

import dgram from 'node:dgram';
import net from 'node:net';
import os from 'node:os';
import { setImmediate } from 'node:timers';
import { err, ok, type Result } from '#core';
import type {
  ConnectError,
  DatagramHandler,
  DatagramSocket,
  Flow,
  ListenError,
  Listener,
  Stack,
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

type Counters = DatagramCounters & { accepted: number; connected: number; open: number };

export class HostStack implements Stack {
  private readonly loop: NodeLoop;
  private readonly publish: readonly Publish[];
  private readonly numbers: Counters = {
    accepted: 0,
    connected: 0,
    open: 0,
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
    const place = this.placeOf(port, 'tcp');
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      this.numbers.accepted++;
      this.loop.turn(() => accept(this.flowOf(socket)));
    });
    return new Promise((resolve) => {
      server.once('error', (error) => this.loop.turn(() => resolve(err(listenError(error, port)))));
      server.listen({ port: place.port, host: place.host }, () => {
        const bound = (server.address() as net.AddressInfo).port;
        const listener = { port: port === 0 ? bound : port, close: () => void server.close() };
        this.loop.turn(() => resolve(ok(listener)));
      });
    });
  }

  connect(
    address: string,
    port: number,
    opened: (result: Result<Flow, ConnectError>) => void,
  ): void {
    const fail = (kind: ConnectError['kind']) => this.loop.turn(() => opened(err({ kind })));
    if (net.isIP(address) === 0 || !(port >= 1 && port <= 0xffff)) {
      setImmediate(fail, 'bad address');
      return;
    }
    const socket = net.connect({ host: address, port, allowHalfOpen: true });
    const failed = (error: NodeJS.ErrnoException) => fail(connectErrorKind(error.code));
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.off('error', failed);
      this.numbers.connected++;
      this.loop.turn(() => opened(ok(this.flowOf(socket))));
    });
  }

  bind(port: number, handler: DatagramHandler): Promise<Result<DatagramSocket, ListenError>> {
    const place = this.placeOf(port, 'udp');
    const socket = dgram.createSocket('udp4');
    socket.on('message', (message, from) => {
      const bytes = new Uint8Array(message.buffer, message.byteOffset, message.length);
      this.numbers.datagramsIn++;
      this.loop.turn(() => handler.receive(bytes, { address: from.address, port: from.port }));
    });
    return new Promise((resolve) => {
      const failed = (error: Error) => this.loop.turn(() => resolve(err(listenError(error, port))));
      socket.once('error', failed);
      socket.bind(
        { port: place.port, ...(place.host === '::' ? {} : { address: place.host }) },
        () => {
          socket.off('error', failed);
          // Later errors belong to single messages, which are counted where they are sent.
          socket.on('error', () => {});
          this.loop.turn(() => resolve(ok(new HostDatagramSocket(socket, this.numbers))));
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
    return { ...this.numbers };
  }

  private flowOf(socket: net.Socket): Flow {
    this.numbers.open++;
    socket.once('close', () => this.numbers.open--);
    return new HostFlow(socket, this.loop);
  }

  private placeOf(port: number, protocol: 'tcp' | 'udp'): { host: string; port: number } {
    const found = this.publish.find((one) => one.guestPort === port && one.protocol === protocol);
    if (found === undefined) return { host: anyAddress(), port };
    return { host: plainAddress(found.hostAddress), port: found.hostPort };
  }
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

function connectErrorKind(code: string | undefined): ConnectError['kind'] {
  switch (code) {
    case 'ECONNREFUSED':
    case 'ECONNRESET':
      return 'refused';
    case 'ETIMEDOUT':
      return 'timeout';
    case 'EADDRNOTAVAIL':
    case 'EAGAIN':
      return 'no port';
    default:
      return 'unreachable';
  }
}
