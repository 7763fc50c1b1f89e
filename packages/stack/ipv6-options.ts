/** Reads what is said about IPv6 at boot: how it gets its addresses, or that there is none. */

import { err, ok, type Result } from '#core';
import {
  hasPrefix,
  type Ipv6Settings,
  isIpv6HostAddress,
  isIpv6LinkLocal,
  parseIpv6Address,
  secretOfText,
} from '#net';
import type { StackOptionsFault } from './direct-stack.ts';

/** Short ones could be guessed from an address (RFC 7217 §5). */
const SECRET_LENGTH_MIN = 16;

/**
 * `addressText`: empty for router advertisements, 'off', or "2001:db8::15/64"; `gatewayText` only
 * with an address: on its link, or link-local. `secretText`: what stable addresses are made from,
 * empty for another one at each boot. Null: no IPv6.
 */
export function ipv6Options(
  addressText: string,
  gatewayText: string,
  secretText: string,
): Result<Ipv6Settings | null, StackOptionsFault> {
  if (secretText !== '' && secretText.length < SECRET_LENGTH_MIN) {
    return fault('ipv6-secret', `fewer than ${SECRET_LENGTH_MIN} characters are no secret`);
  }
  const secret = secretText === '' ? null : secretOfText(secretText);
  if (addressText === '' || addressText === 'off') {
    if (gatewayText !== '') return fault('ipv6-gateway', 'a gateway needs a fixed address too');
    return ok(addressText === 'off' ? null : { secret, fixed: null });
  }
  const [text = '', prefix = ''] = addressText.split('/');
  const address = parseIpv6Address(text);
  const prefixBits = /^\d{1,3}$/.test(prefix) ? Number(prefix) : 0;
  const isFit = address !== null && isIpv6HostAddress(address) && !isIpv6LinkLocal(address);
  if (!isFit || prefixBits < 1 || prefixBits > 128) {
    return fault('ipv6', `'${addressText}' is neither 'off' nor ADDRESS/PREFIX of a host`);
  }
  if (gatewayText === '') return ok({ secret, fixed: { address, prefixBits, gateway: null } });
  const gateway = parseIpv6Address(gatewayText);
  const isNear =
    gateway !== null &&
    isIpv6HostAddress(gateway) &&
    !gateway.equals(address) &&
    (isIpv6LinkLocal(gateway) || hasPrefix(gateway, address, prefixBits));
  if (!isNear)
    return fault('ipv6-gateway', `'${gatewayText}' is not on the link of ${addressText}`);
  return ok({ secret, fixed: { address, prefixBits, gateway } });
}

const fault = (
  kind: StackOptionsFault['kind'],
  message: string,
): Result<never, StackOptionsFault> => err({ kind, message });
