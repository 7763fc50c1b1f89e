/**
 * What a network device and its driver agree on before the first frame, virtio 1.2 §5.1.3 and
 * §5.1.4.
 */

import { err, ok, type Result, readU16le } from '#core';
import type { VirtioFault } from './fault.ts';
import type { VirtioDevice } from './transport.ts';

/** Feature bits, §5.1.3. */
export const NET_FEATURE = {
  checksum: 1,
  guestChecksum: 1 << 1,
  mtu: 1 << 3,
  mac: 1 << 5,
  guestTso4: 1 << 7,
  guestTso6: 1 << 8,
  hostTso4: 1 << 11,
  hostTso6: 1 << 12,
  mergeableBuffers: 1 << 15,
  status: 1 << 16,
} as const;

const MTU_BYTES_DEFAULT = 1500;
/** RFC 791: every IPv4 host takes 576; below 68 there is no IPv4 at all. */
const MTU_BYTES_MIN = 68;
/** Fields of the configuration: MAC, status, queue pairs, MTU. */
const CONFIG_BYTES = 12;
const CONFIG_MTU_AT = 10;

export interface NetIdentity {
  readonly mac: Uint8Array;
  /** As the device says, at least MTU_BYTES_MIN. */
  readonly mtuBytes: number;
}

/** The device is stopped when its configuration makes no sense. */
export function readNetIdentity(device: VirtioDevice): Result<NetIdentity, VirtioFault> {
  const bytes = device.readConfigBytes(CONFIG_BYTES);
  if (!bytes.ok) return bytes;
  const mac = bytes.value.subarray(0, 6);
  if ((device.features & NET_FEATURE.mac) === 0 || !isStationAddress(mac)) {
    return err(device.stop({ kind: 'malformed', what: 'MAC address', value: mac[0]! }));
  }
  const hasMtu = (device.features & NET_FEATURE.mtu) !== 0;
  const mtuBytes = hasMtu ? readU16le(bytes.value, CONFIG_MTU_AT) : MTU_BYTES_DEFAULT;
  if (mtuBytes < MTU_BYTES_MIN) {
    return err(device.stop({ kind: 'malformed', what: 'MTU', value: mtuBytes }));
  }
  return ok({ mac, mtuBytes });
}

/** What we take of the offer; §5.1.3.1 says what needs what. */
export function chooseNetFeatures(offered: number): number {
  const known = NET_FEATURE;
  let chosen =
    known.checksum |
    known.guestChecksum |
    known.mtu |
    known.mac |
    known.mergeableBuffers |
    known.status;
  if ((offered & known.checksum) !== 0) chosen |= known.hostTso4 | known.hostTso6;
  // Large received frames need merging: no single buffer of ours holds one.
  const large = known.guestChecksum | known.mergeableBuffers;
  if ((offered & large) === large) chosen |= known.guestTso4 | known.guestTso6;
  return offered & chosen;
}

/** Six bytes that may name one station: not multicast, not all zero. */
const isStationAddress = (mac: Uint8Array): boolean =>
  (mac[0]! & 1) === 0 && mac.some((byte) => byte !== 0);
