/**
 * Neighbour discovery (RFC 4861): `ndp ns us6`, `ndp na peer6 RSO tll peer` (router, solicited,
 * override; `-` for none), `ndp rs`, `ndp ra life 1800 prefix 2001:db8:1::/64 valid 600 preferred
 * 300`, `ndp redirect TARGET for DESTINATION`. Options: `sll MAC`, `tll MAC`, `nonce HEX|*`, `mtu
 * N`; in a `ra` also `hop N`, `managed`, `other`, `high`, `low`, `reachable MS`, `retrans MS`,
 * `rdnss ADDRESS life N`, `search NAME life N`, `route PREFIX/BITS life N [high|low]`, and for a
 * prefix `no-link`, `no-auto`. Only in scripts that say `show ndp`, but for a `ra`. Hop limit 255,
 * groups and link-local sources go without saying.
 */

import { formatIpv6Address, parseIpv6Address, prefixOf, solicitedNodeOf } from '#net';
import {
  emitNdp,
  formatMac,
  NDP_NEIGHBOR_ADVERTISEMENT,
  NDP_NEIGHBOR_SOLICITATION,
  NDP_REDIRECT,
  NDP_ROUTER_ADVERTISEMENT,
  NDP_ROUTER_SOLICITATION,
  NDP_SOURCE_LINK_ADDRESS,
  NDP_TARGET_LINK_ADDRESS,
  type NdpOption,
  type NdpRepr,
  PROTOCOL_ICMPV6,
  parseNdp,
  type RouterPreference,
  sumIcmpv6,
} from '#net/wire';
import type { Scene } from '../scene.ts';
import { bytesOfHex, type Fields, hexOf, ScriptSyntax, type Value, Words } from '../words.ts';
import { macBytes } from './envelope.ts';
import type { Notation } from './notation.ts';

const TYPES: Readonly<Record<string, NdpRepr['type']>> = {
  rs: NDP_ROUTER_SOLICITATION,
  ra: NDP_ROUTER_ADVERTISEMENT,
  ns: NDP_NEIGHBOR_SOLICITATION,
  na: NDP_NEIGHBOR_ADVERTISEMENT,
  redirect: NDP_REDIRECT,
};
const ALL_NODES = 'ff02::1';
const ALL_ROUTERS = 'ff02::2';

const nameOf = (type: Value | undefined): string =>
  Object.keys(TYPES).find((name) => TYPES[name] === type) ?? String(type);

/** The rest of the line, to be read again when the packet is made: addresses are known then. */
function restOf(words: Words): string {
  const rest: string[] = [];
  while (!words.isEmpty) rest.push(words.next());
  return rest.join(' ');
}

function readPreference(words: Words): RouterPreference {
  if (words.take('high')) return 1;
  return words.take('low') ? -1 : 0;
}

function readPrefix(
  words: Words,
  scene: Scene,
): { prefix: ReturnType<typeof prefixOf>; prefixBits: number } {
  const [text = '', bits] = words.next().split('/');
  const prefixBits = Number(bits);
  return { prefix: prefixOf(scene.ipv6(text), prefixBits), prefixBits };
}

/** An option of a router advertisement, when `word` begins one. */
function readOption(word: string, words: Words, scene: Scene): NdpOption | null {
  const lifetime = (): number => {
    words.expect('life');
    return words.number();
  };
  switch (word) {
    case 'prefix': {
      const prefix = readPrefix(words, scene);
      words.expect('valid');
      const validSeconds = words.number();
      words.expect('preferred');
      const preferredSeconds = words.number();
      const isOnLink = !words.take('no-link');
      const isAutonomous = !words.take('no-auto');
      return { kind: 'prefix', ...prefix, isOnLink, isAutonomous, validSeconds, preferredSeconds };
    }
    case 'mtu':
      return { kind: 'mtu', mtuBytes: words.number() };
    case 'sll':
      return {
        kind: 'link address',
        type: NDP_SOURCE_LINK_ADDRESS,
        mac: macBytes(scene.mac(words.next())),
      };
    case 'rdnss': {
      const servers = [scene.ipv6(words.next())];
      while (words.take(',')) servers.push(scene.ipv6(words.next()));
      return { kind: 'dns servers', servers, lifetimeSeconds: lifetime() };
    }
    case 'search': {
      const names = [words.next()];
      return { kind: 'search list', names, lifetimeSeconds: lifetime() };
    }
    case 'route': {
      const prefix = readPrefix(words, scene);
      const lifetimeSeconds = lifetime();
      return { kind: 'route', ...prefix, lifetimeSeconds, preference: readPreference(words) };
    }
    default:
      return null;
  }
}

function advertisement(line: string, scene: Scene): NdpRepr {
  const words = new Words(line);
  const options: NdpOption[] = [];
  const fields = { hop: 64, life: 0, reachable: 0, retrans: 0 };
  let [isManaged, isOther] = [false, false];
  let preference: RouterPreference = 0;
  while (!words.isEmpty) {
    if (words.peek() === 'high' || words.peek() === 'low') preference = readPreference(words);
    else if (words.take('managed')) isManaged = true;
    else if (words.take('other')) isOther = true;
    else {
      const word = words.next();
      const option = readOption(word, words, scene);
      if (option !== null) options.push(option);
      else if (word in fields) fields[word as keyof typeof fields] = words.number();
      else throw new ScriptSyntax(`'${word}' is nothing that a router advertisement has`);
    }
  }
  return {
    type: NDP_ROUTER_ADVERTISEMENT,
    hopLimit: fields.hop,
    isManaged,
    isOther,
    preference,
    lifetimeSeconds: fields.life,
    reachableMillis: fields.reachable,
    retransmitMillis: fields.retrans,
    options,
  };
}

function optionsOf(fields: Fields): NdpOption[] {
  const options: NdpOption[] = [];
  const add = (type: typeof NDP_SOURCE_LINK_ADDRESS | typeof NDP_TARGET_LINK_ADDRESS, mac: Value) =>
    options.push({ kind: 'link address', type, mac: macBytes(mac) });
  if (fields.sll !== undefined) add(NDP_SOURCE_LINK_ADDRESS, fields.sll);
  if (fields.tll !== undefined) add(NDP_TARGET_LINK_ADDRESS, fields.tll);
  if (fields.nonce !== undefined) {
    options.push({ kind: 'nonce', nonce: bytesOfHex(String(fields.nonce)) });
  }
  return options;
}

function message(fields: Fields, scene: Scene): NdpRepr {
  const options = optionsOf(fields);
  const target = parseIpv6Address(String(fields.target ?? '::'))!;
  const flags = String(fields.flags ?? '-');
  switch (fields.type) {
    case NDP_ROUTER_SOLICITATION:
      return { type: NDP_ROUTER_SOLICITATION, options };
    case NDP_ROUTER_ADVERTISEMENT:
      return advertisement(String(fields.line), scene);
    case NDP_NEIGHBOR_SOLICITATION:
      return { type: NDP_NEIGHBOR_SOLICITATION, target, options };
    case NDP_REDIRECT: {
      const destination = parseIpv6Address(String(fields.for))!;
      return { type: NDP_REDIRECT, target, destination, options };
    }
    default:
      return {
        type: NDP_NEIGHBOR_ADVERTISEMENT,
        isRouter: flags.includes('R'),
        isSolicited: flags.includes('S'),
        isOverride: flags.includes('O'),
        target,
        options,
      };
  }
}

/** Groups and sources that the kind of a message brings with it. */
function impliedEnds(fields: Fields, isIn: boolean, scene: Scene): Fields {
  const ends = scene.ends(6);
  switch (fields.type) {
    case NDP_ROUTER_SOLICITATION:
      return isIn ? { dst: ALL_ROUTERS } : { src: '*', dst: ALL_ROUTERS };
    case NDP_ROUTER_ADVERTISEMENT:
    case NDP_REDIRECT:
      return { src: 'fe80::2', dst: fields.type === NDP_REDIRECT ? ends.us : ALL_NODES };
    case NDP_NEIGHBOR_SOLICITATION: {
      const target = parseIpv6Address(String(fields.target));
      const dst = target === null ? '*' : formatIpv6Address(solicitedNodeOf(target));
      return isIn ? { dst } : { src: '*', dst };
    }
    default:
      return isIn ? {} : { src: '*' };
  }
}

export const ndp: Notation = {
  name: 'ndp',
  family: 6,
  carrier: { protocol: PROTOCOL_ICMPV6 },
  checksumAt: 2,
  read(words, scene) {
    const name = words.next();
    const type = TYPES[name];
    if (type === undefined) throw new ScriptSyntax(`'${name}' is no message of NDP`);
    const fields: Record<string, Value> = { type };
    if (type === NDP_ROUTER_ADVERTISEMENT) {
      fields.line = restOf(words);
      advertisement(fields.line, scene);
      return fields;
    }
    if (type !== NDP_ROUTER_SOLICITATION) fields.target = scene.address(words.next());
    if (type === NDP_NEIGHBOR_ADVERTISEMENT) fields.flags = words.next();
    while (!words.isEmpty) {
      const word = words.next();
      if (word === 'sll' || word === 'tll') fields[word] = scene.mac(words.next());
      else if (word === 'nonce') fields.nonce = words.take('*') ? '*' : words.hex();
      else if (word === 'for') fields.for = scene.address(words.next());
      else throw new ScriptSyntax(`'${word}' is nothing that this message has`);
    }
    return fields;
  },
  envelope: (fields, direction, scene) => ({
    ttl: 255,
    ...impliedEnds(fields, direction === 'in', scene),
  }),
  write(fields, way, scene) {
    const out = new Uint8Array(1_500);
    const bytes = emitNdp(out, 0, message(fields, scene));
    sumIcmpv6(out, 0, bytes, way.pseudoSum(PROTOCOL_ICMPV6, bytes));
    return out.subarray(0, bytes);
  },
  recognise({ ip }) {
    if (ip === null || ip.protocol !== PROTOCOL_ICMPV6 || ip.isFragment) return null;
    const parsed = parseNdp(ip.payload);
    if (!parsed.ok) return null;
    const repr = parsed.value;
    const fields: Record<string, Value> = { type: repr.type };
    if ('target' in repr) fields.target = formatIpv6Address(repr.target);
    if (repr.type === NDP_NEIGHBOR_ADVERTISEMENT) {
      const { isRouter, isSolicited, isOverride } = repr;
      const flags = `${isRouter ? 'R' : ''}${isSolicited ? 'S' : ''}${isOverride ? 'O' : ''}`;
      fields.flags = flags === '' ? '-' : flags;
    }
    for (const option of repr.options) {
      if (option.kind === 'nonce') fields.nonce = hexOf(option.nonce);
      if (option.kind !== 'link address') continue;
      fields[option.type === NDP_SOURCE_LINK_ADDRESS ? 'sll' : 'tll'] = formatMac(option.mac);
    }
    return fields;
  },
  show(fields, scene) {
    const { type, target, flags, sll, tll, nonce } = fields;
    const parts = [nameOf(type)];
    if (target !== undefined) parts.push(scene.show(target));
    if (flags !== undefined) parts.push(String(flags));
    if (sll !== undefined) parts.push(`sll ${scene.showMac(String(sll))}`);
    if (tll !== undefined) parts.push(`tll ${scene.showMac(String(tll))}`);
    if (nonce !== undefined) parts.push(`nonce ${nonce}`);
    return parts.join(' ');
  },
};
