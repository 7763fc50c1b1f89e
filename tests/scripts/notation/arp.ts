/**
 * ARP (RFC 826): `arp who-has us tell peer`, `arp peer is-at 02:00:00:00:00:02`, and for what is
 * unusual `sha MAC`, `tha MAC`, `tpa ADDRESS`. Only in scripts that say `show arp`.
 */

import { ipv4AddressOf } from '#net';
import { ARP_BYTES, ARP_REPLY, ARP_REQUEST, emitArp, formatMac, parseArp } from '#net/wire';
import { ScriptSyntax, type Value } from '../words.ts';
import { macBytes } from './envelope.ts';
import type { Notation } from './notation.ts';

const ETHERTYPE_ARP = 0x0806;
const NO_MAC = '00:00:00:00:00:00';

export const arp: Notation = {
  name: 'arp',
  carrier: { etherType: ETHERTYPE_ARP },
  read(words, scene) {
    const fields: Record<string, Value> = {};
    if (words.take('who-has')) {
      fields.op = ARP_REQUEST;
      fields.tpa = scene.address(words.next());
      words.expect('tell');
      fields.spa = scene.address(words.next());
    } else {
      fields.op = ARP_REPLY;
      fields.spa = scene.address(words.next());
      words.expect('is-at');
      fields.sha = scene.mac(words.next());
    }
    while (!words.isEmpty) {
      const word = words.next();
      if (word === 'sha' || word === 'tha') fields[word] = scene.mac(words.next());
      else if (word === 'tpa') fields.tpa = scene.address(words.next());
      else throw new ScriptSyntax(`'${word}' is nothing that ARP has`);
    }
    return fields;
  },
  envelope(fields, direction, scene) {
    const isRequest = fields.op === ARP_REQUEST;
    if (direction === 'out') return isRequest ? { dmac: 'ff:ff:ff:ff:ff:ff' } : {};
    const smac = fields.sha ?? scene.macOf(Number(fields.spa));
    return isRequest ? { smac, dmac: 'ff:ff:ff:ff:ff:ff' } : { smac };
  },
  write(fields, _way, scene) {
    const out = new Uint8Array(ARP_BYTES);
    const isRequest = fields.op === ARP_REQUEST;
    const spa = ipv4AddressOf(Number(fields.spa));
    emitArp(out, 0, {
      operation: isRequest ? ARP_REQUEST : ARP_REPLY,
      senderMac: macBytes(fields.sha ?? scene.macOf(spa)),
      senderAddress: spa,
      targetMac: macBytes(fields.tha ?? (isRequest ? NO_MAC : scene.us.mac)),
      targetAddress: ipv4AddressOf(Number(fields.tpa ?? scene.us.address)),
    });
    return out;
  },
  recognise({ etherType, linkPayload }) {
    if (etherType !== ETHERTYPE_ARP) return null;
    const parsed = parseArp(linkPayload);
    if (!parsed.ok) return null;
    const { operation, senderMac, senderAddress, targetMac, targetAddress } = parsed.value;
    return {
      op: operation,
      spa: senderAddress,
      sha: formatMac(senderMac),
      tpa: targetAddress,
      tha: formatMac(targetMac),
    };
  },
  show(fields, scene) {
    const { op, spa, sha, tpa } = fields;
    return op === ARP_REQUEST
      ? `who-has ${scene.show(tpa!)} tell ${scene.show(spa!)}`
      : `${scene.show(spa!)} is-at ${scene.showMac(String(sha))} tpa ${scene.show(tpa!)}`;
  },
};
