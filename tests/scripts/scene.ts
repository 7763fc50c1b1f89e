/**
 * Who is who in a script: hosts with their addresses, variables, default ports, and the TCP
 * connections seen so far. Notations read and write packets with it.
 */

import { hot } from '#core';
import {
  formatIpv4Address,
  formatIpv6Address,
  type Ipv4Address,
  type Ipv4RouteEntry,
  type Ipv6Address,
  ipv4AddressOf,
  type NetConfiguration,
  parseIpAddress,
  parseIpv4Address,
  parseIpv6Address,
} from '#net';
import { Conversation } from './conversation.ts';
import type { Direction } from './notation/notation.ts';
import { type Fields, isVariable, ScriptSyntax, type Value, type Words } from './words.ts';

export interface Party {
  address: Ipv4Address;
  /** In canonical text; named by the host's name and a 6. */
  address6: string | null;
  mac: string;
}

const PEER_LINK_LOCAL = 'fe80::2';
const MAC = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/;
/** Near the sign bit, so that every script crosses it, and numbers wrap soon after. */
const ISS = 0x7fff_fff0;

export class Scene {
  readonly us: Party = {
    address: parseIpv4Address('10.0.0.1')!,
    address6: '2001:db8::1',
    mac: '52:54:00:00:00:01',
  };
  readonly peer: Party = {
    address: parseIpv4Address('10.0.0.2')!,
    address6: '2001:db8::2',
    mac: '02:00:00:00:00:02',
  };
  /** Of packets that don't say otherwise. */
  family: 4 | 6 = 4;
  prefixBits = 24;
  prefixBits6 = 64;
  gateway: Ipv4Address | null = null;
  gateway6: string | null = null;
  readonly hosts = new Map<string, Party>([
    ['us', this.us],
    ['peer', this.peer],
  ]);
  peerPort: Value = 4000;
  ourPort: Value = 80;
  peerIss = ISS;
  readonly variables = new Map<string, Value>();
  private connected = 0;
  private readonly conversations = new Map<string, Conversation>();

  get broadcast(): Ipv4Address {
    const host = this.prefixBits === 32 ? 0 : -1 >>> this.prefixBits;
    return ipv4AddressOf(this.us.address | host);
  }

  /**
   * A host's name, or an address: a number for IPv4, canonical text for IPv6 (`peer6`), or a
   * variable. `peer-ll` is a link-local address of the peer's.
   */
  address(word: string): Value {
    if (word.startsWith('$') || word === '*') return word;
    if (word === 'peer-ll') return PEER_LINK_LOCAL;
    const host = this.hosts.get(word)?.address ?? this.hosts.get(word.replace(/6$/, ''))?.address6;
    if (host !== undefined && host !== null) return host;
    const address = parseIpAddress(word);
    if (address === null) throw new ScriptSyntax(`'${word}' is no host and no address`);
    return typeof address === 'number' ? address : formatIpv6Address(address);
  }

  /** As `address`, of IPv4 only. */
  ipv4(word: string): Ipv4Address {
    const address = this.address(word);
    if (typeof address !== 'number') throw new ScriptSyntax(`'${word}' is no IPv4 address`);
    return ipv4AddressOf(address);
  }

  /** As `address`, of IPv6 only, as the stack has it. */
  ipv6(word: string): Ipv6Address {
    const address = parseIpv6Address(String(this.address(word)));
    if (address === null) throw new ScriptSyntax(`'${word}' is no IPv6 address`);
    return address;
  }

  /** Our address and the peer's, in a family. */
  ends(family: 4 | 6): { readonly us: Value; readonly peer: Value } {
    const { us, peer } = this;
    return family === 4
      ? { us: us.address, peer: peer.address }
      : { us: us.address6 ?? '::', peer: peer.address6 ?? '::' };
  }

  mac(word: string): string {
    const mac = this.hosts.get(word)?.mac ?? word;
    if (word === 'all') return 'ff:ff:ff:ff:ff:ff';
    if (!MAC.test(mac)) throw new ScriptSyntax(`'${word}' is no host and no link address`);
    return mac;
  }

  /** Whoever sends packets from `address` to the link: its host, or the gateway. */
  macOf(address: Value): string {
    const parties = [...this.hosts.values()];
    const found = parties.find((party) => has(party, address));
    const gateway = parties.find((party) => party.address === this.gateway);
    return (found ?? gateway ?? this.peer).mac;
  }

  /** The host other than us that answers for `address`, if any. */
  neighbor(address: Value): Party | null {
    if (address === PEER_LINK_LOCAL) return this.peer;
    const parties = [...this.hosts.values()];
    return parties.find((party) => party !== this.us && has(party, address)) ?? null;
  }

  show(address: Value): string {
    for (const [name, party] of this.hosts) {
      if (party.address === address) return name;
      if (party.address6 === address) return `${name}6`;
    }
    if (address === PEER_LINK_LOCAL) return 'peer-ll';
    if (typeof address === 'string') return address;
    return formatIpv4Address(ipv4AddressOf(Number(address)));
  }

  showMac(mac: string): string {
    for (const [name, party] of this.hosts) if (party.mac === mac) return name;
    return mac;
  }

  defaultPorts(direction: Direction): Fields {
    const { peerPort, ourPort } = this;
    return direction === 'in'
      ? { sport: peerPort, dport: ourPort }
      : { sport: ourPort, dport: peerPort };
  }

  isDefaultPorts(sport: Value, dport: Value): boolean {
    const ports = [this.peerPort, this.ourPort].map(
      (port) => this.variables.get(`${port}`) ?? port,
    );
    return ports.includes(sport) && ports.includes(dport);
  }

  /** Segments that name no ports belong to this connection of ours from here on in the script. */
  connects(port: number): void {
    this.connected += 1;
    this.peerPort = port;
    this.ourPort = `$port${this.connected}`;
  }

  /** A host's name, or an address, as text. */
  text(word: string): string {
    const address = this.address(word);
    return typeof address === 'number' ? formatIpv4Address(ipv4AddressOf(address)) : address;
  }

  /**
   * `10.0.0.7/24 [gateway 10.0.0.254] [mtu N] [also ADDRESS/BITS] [route PREFIX/BITS via
   * HOST|link]`.
   */
  configuration(words: Words): NetConfiguration {
    const addresses = [this.prefixed(words.next())];
    const routes: Ipv4RouteEntry[] = [];
    let gateway: Ipv4Address | null = null;
    let mtuBytes: number | null = null;
    while (!words.isEmpty) {
      if (words.take('gateway')) gateway = this.ipv4(words.next());
      else if (words.take('also')) addresses.push(this.prefixed(words.next()));
      else if (words.take('route')) {
        const { address: prefix, prefixBits } = this.prefixed(words.next());
        words.expect('via');
        const via = words.take('link') ? null : this.ipv4(words.next());
        routes.push({ prefix, prefixBits, gateway: via });
      } else {
        words.expect('mtu');
        mtuBytes = words.number();
      }
    }
    return { addresses, gateway, routes, dnsServers: [], domain: null, mtuBytes };
  }

  private prefixed(word: string): { address: Ipv4Address; prefixBits: number } {
    const [address = '', prefix] = word.split('/');
    return { address: this.ipv4(address), prefixBits: Number(prefix) };
  }

  conversation(remote: Value, remotePort: number, ourPort: number): Conversation {
    const key = `${remote} ${remotePort} ${ourPort}`;
    let known = this.conversations.get(key);
    if (known === undefined) {
      known = new Conversation(this.peerIss);
      this.conversations.set(key, known);
    }
    return known;
  }

  /** The peer's SYNs begin with this number from now on; connections that follow are new ones. */
  begin(peerIss: number): void {
    this.peerIss = peerIss;
    this.conversations.clear();
  }

  checksum(bytes: Uint8Array, pseudoSum: number): number {
    return 0xffff - hot.checksum(bytes, 0, bytes.length, pseudoSum);
  }

  /** `fields` with variables replaced by what they stand for. */
  resolve(fields: Fields): Fields {
    const resolved: Record<string, Value> = {};
    for (const [name, value] of Object.entries(fields)) {
      const known = isVariable(value) ? this.variables.get(value) : value;
      if (known === undefined) throw new ScriptSyntax(`${value} stands for nothing yet`);
      resolved[name] = known;
    }
    return resolved;
  }

  /** The names of fields that aren't as expected. Variables take their values from `got`. */
  compare(expected: Fields, got: Fields): string[] {
    const wrong = Object.entries(expected).filter(([name, value]) => {
      const found = got[name];
      if (found === undefined || value === '*') return found === undefined;
      const known = isVariable(value) ? this.variables.get(value) : value;
      if (known !== undefined) return known !== found;
      this.variables.set(String(value), found);
      return false;
    });
    const names = wrong.map(([name]) => name);
    return got.corrupt === undefined ? names : [...names, 'corrupt'];
  }
}

const has = (party: Party, address: Value): boolean =>
  party.address === address || party.address6 === address;
