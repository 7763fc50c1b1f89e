/**
 * DHCP (RFC 2131): `dhcp discover xid $x`, `dhcp offer xid $x yiaddr us server peer lease 3600`.
 * Words: `xid`, `ciaddr`, `yiaddr`, and of the options `request` (50), `lease`, `server` (54),
 * `t1`, `t2`, `mask BITS`, `router`, `mtu`, `option CODE hex ...` (into the stack only). Ports and
 * addresses go without saying: from nobody to all, and from the peer to all.
 */

import { type Ipv4Address, ipv4AddressOf, netmaskOf } from '#net';
import {
  type Dhcpv4Option,
  type Dhcpv4Repr,
  dhcpv4Bytes,
  dhcpv4MessageType,
  dhcpv4Option,
  dhcpv4OptionI32,
  emitDhcpv4,
  emitUdp,
  parseDhcpv4,
  parseUdp,
} from '#net/wire';
import { bytesOfHex, type Fields, ScriptSyntax, type Value } from '../words.ts';
import { macBytes } from './envelope.ts';
import type { Notation } from './notation.ts';
import { UDP_PROTOCOL } from './udp.ts';

const CLIENT_PORT = 68;
const SERVER_PORT = 67;
const NOBODY = 0;
const ALL = -1;
/** By the values of option 53. */
const TYPES = ['', 'discover', 'offer', 'request', 'decline', 'ack', 'nak', 'release'];
const ADDRESSES = ['ciaddr', 'yiaddr', 'request', 'server', 'router'];
const NUMBERS = ['xid', 'lease', 't1', 't2', 'mask', 'mtu'];
const WORDS_OF_FOUR: readonly [string, number][] = [
  ['request', dhcpv4Option.requestedAddress],
  ['lease', dhcpv4Option.leaseSeconds],
  ['server', dhcpv4Option.serverIdentifier],
  ['t1', dhcpv4Option.renewSeconds],
  ['t2', dhcpv4Option.rebindSeconds],
  ['router', dhcpv4Option.router],
];

export const dhcp: Notation = {
  name: 'dhcp',
  carrier: { protocol: UDP_PROTOCOL },
  checksumAt: 6,
  read(words, scene) {
    const type = TYPES.indexOf(words.next());
    if (type < 1) throw new ScriptSyntax(`a DHCP message is one of ${TYPES.slice(1).join(', ')}`);
    const fields: Record<string, Value> = { type };
    while (!words.isEmpty) {
      const word = words.next();
      if (ADDRESSES.includes(word)) {
        fields[word] = words.take('none') ? 'none' : scene.address(words.next());
      } else if (NUMBERS.includes(word)) fields[word] = words.value();
      else if (word === 'option') {
        const code = words.number();
        words.expect('hex');
        fields[`option ${code}`] = words.hex();
      } else throw new ScriptSyntax(`'${word}' is nothing that a DHCP message has`);
    }
    return fields;
  },
  envelope: (_fields, direction) => (direction === 'in' ? { dst: ALL } : { src: NOBODY, dst: ALL }),
  write(fields, way, scene) {
    const address = (word: string): Ipv4Address => ipv4AddressOf(Number(fields[word] ?? 0));
    const message: Dhcpv4Repr = {
      operation: 2,
      xid: ipv4AddressOf(Number(fields.xid)),
      seconds: 0,
      broadcast: false,
      clientAddress: address('ciaddr'),
      yourAddress: address('yiaddr'),
      serverAddress: ipv4AddressOf(0),
      relayAddress: ipv4AddressOf(0),
      clientMac: macBytes(scene.us.mac),
      options: optionsOf(fields),
    };
    const payload = new Uint8Array(dhcpv4Bytes(message));
    emitDhcpv4(payload, message);
    const out = new Uint8Array(8 + payload.length);
    const ports = { sourcePort: SERVER_PORT, destinationPort: CLIENT_PORT };
    emitUdp(out, 0, { ...ports, payload }, way.pseudoSum(UDP_PROTOCOL, out.length));
    return out;
  },
  recognise({ ip }) {
    if (ip === null || ip.protocol !== UDP_PROTOCOL || ip.isFragment) return null;
    const udp = parseUdp(ip.payload, ip.way.pseudoSum(UDP_PROTOCOL, ip.payload.length));
    if (!udp.ok || udp.value.sourcePort !== CLIENT_PORT) return null;
    const parsed = parseDhcpv4(udp.value.payload);
    if (!parsed.ok) return null;
    const message = parsed.value;
    const fields: Record<string, Value> = {
      type: dhcpv4MessageType(message) ?? 0,
      xid: message.xid,
      ciaddr: message.clientAddress,
    };
    for (const [word, code] of WORDS_OF_FOUR)
      fields[word] = dhcpv4OptionI32(message, code) ?? 'none';
    return fields;
  },
  show(fields, scene) {
    const words = [TYPES[Number(fields.type)] ?? `type ${fields.type}`];
    for (const word of ['ciaddr', 'request', 'server']) {
      const value = fields[word];
      if (value !== undefined && value !== 'none' && value !== 0) {
        words.push(`${word} ${scene.show(value)}`);
      }
    }
    return words.join(' ');
  },
};

function optionsOf(fields: Fields): Dhcpv4Option[] {
  const options: Dhcpv4Option[] = [
    { code: dhcpv4Option.messageType, value: Uint8Array.of(Number(fields.type)) },
  ];
  for (const [word, code] of WORDS_OF_FOUR) {
    const value = fields[word];
    if (value !== undefined && value !== 'none') options.push({ code, value: four(Number(value)) });
  }
  if (fields.mask !== undefined) {
    options.push({ code: dhcpv4Option.netmask, value: four(netmaskOf(Number(fields.mask))) });
  }
  if (fields.mtu !== undefined) {
    options.push({ code: dhcpv4Option.mtu, value: four(Number(fields.mtu)).slice(2) });
  }
  for (const [word, value] of Object.entries(fields)) {
    const code = /^option (\d+)$/.exec(word)?.[1];
    if (code !== undefined) options.push({ code: Number(code), value: bytesOfHex(String(value)) });
  }
  return options;
}

const four = (value: number): Uint8Array =>
  Uint8Array.of(value >> 24, value >> 16, value >> 8, value);
