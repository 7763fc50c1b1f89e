/** For tests: a DHCP client that has started, and a server played by the test. */

import assert from 'node:assert/strict';
import type { Ipv4Address } from '../ip.ts';
import { IPV4_ANY } from '../ip-address.ts';
import type { NetConfiguration } from '../net-stack.ts';
import { ip, OURS, PEER, TestLink } from '../test-link.ts';
import {
  DHCPV4_ACK,
  DHCPV4_NAK,
  DHCPV4_OFFER,
  type Dhcpv4Option,
  type Dhcpv4Repr,
  dhcpv4Bytes,
  dhcpv4MessageType,
  dhcpv4Option,
  dhcpv4U32,
  emitDhcpv4,
  emitUdp,
  MAC_BROADCAST,
  parseDhcpv4,
  parseUdp,
  pseudoHeaderSum,
} from '../wire/index.ts';

export const ALL = ip('255.255.255.255');

export interface Heard {
  readonly message: Dhcpv4Repr;
  readonly type: number | null;
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
}

/** A client that has started, and a server played by the test. */
export class Exchange {
  readonly link = new TestLink();
  readonly events: (NetConfiguration | null)[] = [];
  xid = 0;

  constructor(hostName?: string) {
    this.link.stack.onConfiguration((configuration) => this.events.push(configuration));
    this.link.stack.startDhcp(hostName);
    this.link.wait(1);
  }

  take(): Heard[] {
    return this.link.takeIpv4().map(({ source, destination, payload }) => {
      const udp = parseUdp(payload, pseudoHeaderSum(source, destination, 17, payload.length));
      assert(udp.ok);
      assert.deepEqual([udp.value.sourcePort, udp.value.destinationPort], [68, 67]);
      const parsed = parseDhcpv4(udp.value.payload);
      assert(parsed.ok);
      assert(udp.value.payload.length >= 300, 'BOOTP relays want 300 bytes');
      this.xid = parsed.value.xid;
      return { message: parsed.value, type: dhcpv4MessageType(parsed.value), source, destination };
    });
  }

  types(): (number | null)[] {
    return this.take().map((heard) => heard.type);
  }

  reply(
    type: number,
    change: Partial<Dhcpv4Repr> = {},
    options: readonly Dhcpv4Option[] = grant(3600),
    sourcePort = 67,
  ): void {
    const yourAddress = type === DHCPV4_NAK ? IPV4_ANY : OURS;
    const repr: Dhcpv4Repr = {
      operation: 2,
      xid: this.xid,
      seconds: 0,
      broadcast: false,
      clientAddress: IPV4_ANY,
      yourAddress,
      serverAddress: IPV4_ANY,
      relayAddress: IPV4_ANY,
      clientMac: this.link.stack.device.mac,
      options: [{ code: 53, value: Uint8Array.of(type) }, ...options],
      ...change,
    };
    const payload = new Uint8Array(dhcpv4Bytes(repr));
    emitDhcpv4(payload, repr);
    const bytes = new Uint8Array(8 + payload.length);
    const sum = pseudoHeaderSum(PEER, ALL, 17, bytes.length);
    emitUdp(bytes, 0, { sourcePort, destinationPort: 68, payload }, sum);
    this.link.sendIpv4({ destination: ALL, payload: bytes }, MAC_BROADCAST);
  }

  /** Through to BOUND; forgets what was heard. */
  bind(options: readonly Dhcpv4Option[] = grant(3600)): void {
    this.take();
    this.reply(DHCPV4_OFFER);
    this.take();
    this.reply(DHCPV4_ACK, {}, options);
    this.link.sendArp({});
    this.link.wait(3_000);
    this.link.heard.length = 0;
  }

  addresses(): string[] {
    return this.link.stack.addresses();
  }
}

export const grant = (seconds: number): Dhcpv4Option[] => [
  { code: dhcpv4Option.serverIdentifier, value: dhcpv4U32(PEER) },
  { code: dhcpv4Option.leaseSeconds, value: dhcpv4U32(seconds) },
  { code: dhcpv4Option.netmask, value: dhcpv4U32(ip('255.255.255.0')) },
  { code: dhcpv4Option.router, value: dhcpv4U32(PEER) },
];
