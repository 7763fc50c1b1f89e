/**
 * A user-mode gateway between a virtual network and the host's sockets, as slirp and passt are: our
 * own stack stands in for the whole world, ends guests' TCP and UDP, and the host's network carries
 * what is in them. It also gives guests their addresses and names. Read first: README.md,
 * destinations.ts, relay.ts. Not here: the switch that guests are on, the host's sockets.
 */

import { assert, type Logger, type Result, type TimerQueue } from '#core';
import type { Clock, Endpoint, Entropy, NetDevice } from '#device';
import { Forwarder, ForwarderServer, StackTransport } from '#dns';
import {
  Dhcpv4Server,
  ForeignTcp,
  ForeignUdp,
  formatIpv4Address,
  type Ipv4Address,
  type LeaseInfo,
  type NetStack,
  RouterAdvertiser,
  type TcpStack,
} from '#net';
import { joinStacks } from '#stack';
import { Destinations } from './destinations.ts';
import { Guests, type Members } from './guests.ts';
import type { GatewayHost } from './host.ts';
import { gatewayMemoryBytes, prefixLifetimeSeconds, routerLifetimeSeconds } from './limits.ts';
import { NetworkNames, reservedNames } from './names.ts';
import type { GatewayNetwork } from './network.ts';
import { type PortToPublish, type PublishError, type PublishedPort, Publisher } from './publish.ts';
import { Relays } from './relay.ts';
import { TcpNat } from './tcp-nat.ts';
import { UdpNat } from './udp-nat.ts';

const DNS_PORT = 53;
/** RFC 8200 §5. */
const IPV6_MTU_BYTES_MIN = 1_280;

export interface GatewayOptions {
  /** The gateway's port of the network; its own from now on. */
  readonly device: NetDevice;
  /** Carries what guests send out. */
  readonly host: GatewayHost;
  readonly timers: TimerQueue;
  readonly entropy: Entropy;
  readonly clock: Clock;
  readonly logger: Logger;
  /** See gatewayNetwork. */
  readonly network: GatewayNetwork;
  /** For the gateway's own TCP/IP; gatewayMemoryBytes unless given. */
  readonly memoryBytes?: number;
  /** Guests whose names are theirs whatever anybody says to DHCP; none unless given. */
  readonly members?: Members;
  /** Told when leases or their names changed. */
  readonly leasesChanged?: () => void;
}

export interface GatewaySnapshot {
  /** "10.77.0.1/24". */
  readonly address: string;
  readonly host: string | null;
  readonly allowsHost: boolean;
  readonly domain: string;
  readonly leases: readonly LeaseInfo[];
  readonly published: readonly {
    readonly protocol: 'tcp' | 'udp';
    /** "127.0.0.1:8080", "*:8080". */
    readonly host: string;
    /** "web:80", "10.77.0.16:80". */
    readonly guest: string;
  }[];
  /** With guests, the gateway's side: see TcpStack.connections. */
  readonly connections: ReturnType<TcpStack['connections']>;
}

export class Gateway {
  readonly network: GatewayNetwork;
  /** The gateway's own stack, for inspection. */
  readonly net: NetStack;
  readonly tcp: TcpStack;
  private readonly foreignTcp: ForeignTcp;
  private readonly foreignUdp: ForeignUdp;
  private readonly relays = new Relays();
  private readonly tcpNat: TcpNat;
  private readonly udpNat: UdpNat;
  private readonly dhcp: Dhcpv4Server;
  private readonly guests: Guests;
  private readonly publisher: Publisher;
  private readonly names: ForwarderServer;
  /** Null: guests get no IPv6. */
  private readonly advertiser: RouterAdvertiser | null;

  /** Serves its network from now on. */
  constructor(options: GatewayOptions) {
    const { device, host, timers, entropy, logger, network } = options;
    this.network = network;
    const memoryBytes = options.memoryBytes ?? gatewayMemoryBytes;
    const { net, tcp } = joinStacks({
      device,
      timers,
      entropy,
      netLog: logger,
      tcpLog: logger,
      memoryBytes,
    });
    this.net = net;
    this.tcp = tcp;
    const { address, prefixBits, domain } = network;
    net.configure({
      addresses: [{ address, prefixBits }],
      gateway: null,
      dnsServers: [],
      domain,
      mtuBytes: null,
    });
    this.advertiser = this.startIpv6(options);
    const destinations = new Destinations(network);
    const { addresses, errors } = net.takeForeign(destinations);
    this.tcpNat = new TcpNat(host, destinations, this.relays);
    this.foreignTcp = new ForeignTcp(tcp, addresses, errors, this.tcpNat);
    this.udpNat = new UdpNat(host, destinations, timers);
    this.foreignUdp = new ForeignUdp(net.udp, net.ip, timers, addresses, errors, this.udpNat);
    this.dhcp = this.startDhcp(options);
    this.guests = new Guests(this.dhcp, options.members ?? (() => []));
    this.names = this.startNames(options);
    const addressOf = (name: string): Ipv4Address | null => this.addressOf(name);
    this.publisher = new Publisher({ host, net, tcp, timers, relays: this.relays, addressOf });
    logger.info(`gateway ${formatIpv4Address(address)}/${prefixBits}`);
  }

  /** Makes a port of the host lead to a guest. */
  publish(port: PortToPublish): Promise<Result<PublishedPort, PublishError>> {
    return this.publisher.publish(port);
  }

  get published(): readonly PublishedPort[] {
    return this.publisher.list;
  }

  /** The address of the guest of that name, in any case; null: there is none now. */
  addressOf(hostName: string): Ipv4Address | null {
    return this.guests.addressOf(hostName);
  }

  /** The address that a station, as "52:54:00:00:00:01", has a lease of; null: none now. */
  addressOfStation(mac: string): Ipv4Address | null {
    return this.dhcp.addressOfStation(mac);
  }

  /** What the guest with this address is called; null: nothing. */
  nameOf(address: Ipv4Address): string | null {
    return this.guests.nameOf(address);
  }

  leases(): LeaseInfo[] {
    return this.dhcp.leases();
  }

  counters(): Readonly<Record<string, number>> {
    return {
      ...this.net.device.counters(),
      ...this.net.counters(),
      ...this.tcp.counters(),
      ...this.dhcp.counters,
      ...this.foreignTcp.counters,
      ...this.foreignUdp.counters,
      ...this.relays.counters,
      ...this.tcpNat.counters,
      ...this.udpNat.counters,
      ...this.publisher.counters,
      ...this.advertiser?.counters,
      ...this.names.counters,
      ...this.names.forwarder.counters,
      ...this.names.forwarder.transport.counters(),
      relays: this.relays.size,
      foreignSynsHeld: this.foreignTcp.heldCount,
      udpFlows: this.foreignUdp.flowCount,
      udpMappings: this.udpNat.size,
    };
  }

  /** All of it as plain data, for inspection; counters are `counters()`. */
  snapshot(): GatewaySnapshot {
    const { address, prefixBits, hostAddress, allowsHost, domain } = this.network;
    return {
      address: `${formatIpv4Address(address)}/${prefixBits}`,
      host: hostAddress === null ? null : formatIpv4Address(hostAddress),
      allowsHost,
      domain,
      leases: this.leases(),
      published: this.published.map(({ protocol, hostAddress, hostPort, guest, guestPort }) => ({
        protocol,
        host: `${hostAddress ?? '*'}:${hostPort}`,
        guest: `${typeof guest === 'number' ? formatIpv4Address(guest) : guest}:${guestPort}`,
      })),
      connections: this.tcp.connections(),
    };
  }

  /** Asks these name servers from now on for what isn't the network's. */
  useNameServers(servers: readonly Endpoint[]): void {
    this.names.forwarder.configure(servers);
  }

  /** Ends everything that it holds of the host: listens no more, breaks connections off. */
  close(): void {
    this.publisher.close();
    this.dhcp.stop();
    this.names.close();
    this.advertiser?.configure(null);
    this.foreignTcp.close();
    this.foreignUdp.close();
    this.relays.abort();
  }

  checkInvariants(): void {
    this.net.checkInvariants();
    this.tcp.checkInvariants();
    this.dhcp.checkInvariants();
    this.relays.checkInvariants();
    this.udpNat.checkInvariants();
    this.publisher.checkInvariants();
    this.names.checkInvariants();
    this.advertiser?.checkInvariants();
  }

  /** Guests make addresses of a prefix that we advertise (RFC 4862), with us as their router. */
  private startIpv6({ device, timers, entropy, network }: GatewayOptions): RouterAdvertiser | null {
    if (network.ipv6 === null || device.mtuBytes < IPV6_MTU_BYTES_MIN) return null;
    const { prefix, address } = network.ipv6;
    const fixed = { address, prefixBits: 64, gateway: null };
    const isStarted = this.net.startIpv6({ secret: null, fixed });
    assert(isStarted && this.net.ipv6 !== null);
    const advertiser = new RouterAdvertiser(this.net.ipv6, device.mac, timers, entropy);
    advertiser.configure({
      lifetimeSeconds: routerLifetimeSeconds,
      hopLimit: 64,
      mtuBytes: null,
      prefixes: [
        {
          prefix,
          prefixBits: 64,
          isOnLink: true,
          isAutonomous: true,
          validSeconds: prefixLifetimeSeconds,
          preferredSeconds: prefixLifetimeSeconds,
        },
      ],
      dnsServers: [address],
      searchDomains: [network.domain],
      dnsSeconds: routerLifetimeSeconds,
    });
    return advertiser;
  }

  private startNames({ host, timers, entropy, network }: GatewayOptions): ForwarderServer {
    const { guests, net, tcp } = this;
    const forwarder = new Forwarder({
      transport: new StackTransport(host),
      timers,
      entropy,
      servers: network.nameServers,
      local: new NetworkNames(network, guests),
    });
    const server = new ForwarderServer(forwarder);
    const bound = net.udp.bind(DNS_PORT, server);
    const listening = tcp.listen(DNS_PORT, (flow) => server.accept(flow));
    assert(bound.ok && listening.ok, 'port 53 of a new stack is free');
    server.serve(bound.value, listening.value);
    return server;
  }

  private startDhcp({ timers, logger, network, leasesChanged }: GatewayOptions): Dhcpv4Server {
    const { address, prefixBits, hostAddress, pool, fixed, leaseSeconds, domain } = network;
    const server = new Dhcpv4Server({
      udp: this.net.udp,
      timers,
      logger,
      serve: {
        address,
        prefixBits,
        leaseSeconds,
        router: address,
        dnsServers: [address],
        domain,
        searchDomains: [domain],
        mtuBytes: this.net.device.mtuBytes,
      },
      pool,
      fixed,
      reserved: hostAddress === null ? [] : [hostAddress],
      reservedNames,
      ...(leasesChanged === undefined ? {} : { changed: leasesChanged }),
    });
    const isStarted = server.start();
    assert(isStarted, 'port 67 of a new stack is free');
    return server;
  }
}
