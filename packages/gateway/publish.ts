/**
 * Ports of the host that lead to guests: the host listens, and what comes goes to a guest from the
 * gateway's own address. A guest named by its host name is looked up for each connection: it may
 * come later, or come back with another address.
 */

import {
  after,
  assert,
  err,
  type Instant,
  ok,
  type Result,
  since,
  Timer,
  type TimerQueue,
} from '#core';
import type { DatagramSocket, Endpoint, Flow, FlowHandler, ListenError } from '#device';
import {
  formatIpv4Address,
  type Ipv4Address,
  type NetStack,
  type TcpStack,
  type UdpSocket,
} from '#net';
import type { GatewayHost } from './host.ts';
import { publishedMax, publishedUdpClientsMax, publishedUdpIdle } from './limits.ts';
import type { Relays } from './relay.ts';

export interface PortToPublish {
  readonly protocol: 'tcp' | 'udp';
  /** The host's, numeric; null: every one. */
  readonly hostAddress: string | null;
  /** 0: any free one. */
  readonly hostPort: number;
  /** Numeric, or what a guest calls itself. */
  readonly guest: Ipv4Address | string;
  readonly guestPort: number;
}

export interface PublishedPort extends PortToPublish {
  /** Never 0. */
  readonly hostPort: number;
  /** Listens no more; open connections go on. */
  close(): void;
}

export type PublishError =
  | ListenError
  | { readonly kind: 'too many ports' }
  /** The gateway was closed meanwhile. */
  | { readonly kind: 'closed' };

/** What is published, by protocol. */
export interface PublishContext {
  readonly host: GatewayHost;
  readonly net: NetStack;
  readonly tcp: TcpStack;
  readonly timers: TimerQueue;
  readonly relays: Relays;
  /** The address of the guest that calls itself so now. */
  addressOf(hostName: string): Ipv4Address | null;
}

const NOBODY: FlowHandler = { data() {}, drained() {}, end() {}, closed() {} };

function refuse(flow: Flow): void {
  flow.attach(NOBODY);
  flow.abort();
}

export class Publisher {
  readonly counters = {
    publishedConnections: 0,
    /** The guest isn't there, or doesn't take the connection. */
    publishedNoGuest: 0,
    publishedRefused: 0,
    /** No place for another relay, of all or of the guest's. */
    publishedFull: 0,
    publishedUdpClients: 0,
    publishedUdpEvicted: 0,
    publishedUdpNotSent: 0,
  };
  readonly context: PublishContext;
  private readonly ports = new Set<PublishedPort>();
  private opening = 0;
  private isClosed = false;

  constructor(context: PublishContext) {
    this.context = context;
  }

  get list(): readonly PublishedPort[] {
    return [...this.ports];
  }

  async publish(wanted: PortToPublish): Promise<Result<PublishedPort, PublishError>> {
    if (this.isClosed) return err({ kind: 'closed' });
    if (this.ports.size + this.opening >= publishedMax) return err({ kind: 'too many ports' });
    this.opening += 1;
    const open = wanted.protocol === 'tcp' ? this.listen(wanted) : this.bind(wanted);
    const opened = await open;
    this.opening -= 1;
    if (!opened.ok) return opened;
    const { port, close } = opened.value;
    if (this.isClosed) {
      close();
      return err({ kind: 'closed' });
    }
    const published: PublishedPort = {
      ...wanted,
      hostPort: port,
      close: () => {
        if (this.ports.delete(published)) close();
      },
    };
    this.ports.add(published);
    return ok(published);
  }

  /** Publishes nothing more either. */
  close(): void {
    this.isClosed = true;
    for (const port of [...this.ports]) port.close();
  }

  addressOf(guest: Ipv4Address | string): Ipv4Address | null {
    return typeof guest === 'number' ? guest : this.context.addressOf(guest);
  }

  checkInvariants(): void {
    assert(this.ports.size <= publishedMax);
  }

  private async listen(
    wanted: PortToPublish,
  ): Promise<Result<{ port: number; close(): void }, ListenError>> {
    const { host } = this.context;
    const { hostAddress, hostPort } = wanted;
    const accept = (flow: Flow): void => this.accepted(flow, wanted);
    const listening =
      hostAddress === null || host.listenAt === undefined
        ? await host.listen(hostPort, accept)
        : await host.listenAt(hostAddress, hostPort, accept);
    if (!listening.ok) return listening;
    const listener = listening.value;
    return ok({ port: listener.port, close: () => listener.close() });
  }

  private accepted(outer: Flow, { guest, guestPort }: PortToPublish): void {
    const { tcp, relays } = this.context;
    const address = this.addressOf(guest);
    if (address === null) {
      this.counters.publishedNoGuest += 1;
      refuse(outer);
      return;
    }
    const name = formatIpv4Address(address);
    if (!relays.take(name)) {
      this.counters.publishedFull += 1;
      refuse(outer);
      return;
    }
    const relay = relays.start(outer, name);
    const connecting = tcp.connect(address, guestPort, (opened) => {
      relay.lost = () => {};
      if (!opened.ok) {
        this.counters.publishedRefused += 1;
        relay.abort();
        return;
      }
      this.counters.publishedConnections += 1;
      relay.join(opened.value);
    });
    relay.lost = () => connecting.cancel();
  }

  private async bind(
    wanted: PortToPublish,
  ): Promise<Result<{ port: number; close(): void }, ListenError>> {
    const { host } = this.context;
    const { hostAddress, hostPort } = wanted;
    const clients = new UdpClients(this, wanted);
    const bound =
      hostAddress === null || host.bindAt === undefined
        ? await host.bind(hostPort, clients)
        : await host.bindAt(hostAddress, hostPort, clients);
    if (!bound.ok) return bound;
    clients.outer = bound.value;
    return ok({ port: bound.value.local.port, close: () => clients.close() });
  }
}

interface UdpClient {
  readonly from: Endpoint;
  readonly socket: UdpSocket;
  usedAt: Instant;
}

/** The clients of one published UDP port, each with a port of the gateway's towards the guest. */
class UdpClients {
  outer: DatagramSocket | null = null;
  private readonly owner: Publisher;
  private readonly wanted: PortToPublish;
  private readonly clients = new Map<string, UdpClient>();
  private readonly timer = new Timer((now) => this.expire(now));

  constructor(owner: Publisher, wanted: PortToPublish) {
    this.owner = owner;
    this.wanted = wanted;
  }

  receive(bytes: Uint8Array, from: Endpoint): void {
    const { counters, context } = this.owner;
    const address = this.owner.addressOf(this.wanted.guest);
    if (address === null) {
      counters.publishedNoGuest += 1;
      return;
    }
    const key = `${from.address} ${from.port}`;
    const client = this.clients.get(key) ?? this.add(key, from);
    if (client === null) {
      counters.publishedUdpNotSent += 1;
      return;
    }
    client.usedAt = context.timers.now;
    if (!client.socket.send(bytes, address, this.wanted.guestPort)) {
      counters.publishedUdpNotSent += 1;
    }
  }

  close(): void {
    this.owner.context.timers.stop(this.timer);
    for (const key of [...this.clients.keys()]) this.remove(key);
    this.outer?.close();
    this.outer = null;
  }

  private add(key: string, from: Endpoint): UdpClient | null {
    const { counters, context } = this.owner;
    if (this.clients.size >= publishedUdpClientsMax) this.evict();
    const opened = context.net.udp.open(0, {
      datagram: (bytes, source, port) => {
        // Only the guest's own port answers (RFC 4787 §5).
        const isAsked = source === this.owner.addressOf(this.wanted.guest);
        if (!isAsked || port !== this.wanted.guestPort) return;
        client.usedAt = context.timers.now;
        if (this.outer?.send(bytes, from) !== true) counters.publishedUdpNotSent += 1;
      },
    });
    if (!opened.ok) return null;
    const client: UdpClient = { from, socket: opened.value, usedAt: context.timers.now };
    this.clients.set(key, client);
    counters.publishedUdpClients += 1;
    if (this.clients.size === 1) {
      context.timers.arm(this.timer, after(context.timers.now, publishedUdpIdle));
    }
    return client;
  }

  private evict(): void {
    let oldest = '';
    let usedAt = Number.POSITIVE_INFINITY;
    for (const [key, client] of this.clients) {
      if (client.usedAt >= usedAt) continue;
      oldest = key;
      usedAt = client.usedAt;
    }
    this.owner.counters.publishedUdpEvicted += 1;
    this.remove(oldest);
  }

  private expire(now: Instant): void {
    for (const [key, client] of [...this.clients]) {
      if (since(client.usedAt, now) >= publishedUdpIdle) this.remove(key);
    }
    if (this.clients.size > 0)
      this.owner.context.timers.arm(this.timer, after(now, publishedUdpIdle));
  }

  private remove(key: string): void {
    this.clients.get(key)?.socket.close();
    this.clients.delete(key);
  }
}
