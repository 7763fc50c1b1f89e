/** `morgana/router`: forwarding and address translation, for applications with two interfaces. */

import type { NetDevice } from '#device';
import { NetStack } from '#net';
import { stackOptions } from '#stack';
import type { Environment } from './index.ts';

export * from '#router';

/**
 * A stack on `device` for a router's side: with fixed `addresses` ("192.168.7.1/24", several with
 * commas) and `gateway` (empty: none), or by DHCP where there are no addresses. Throws one sentence
 * when a text is wrong. The stack owns the device from now on.
 */
export function openSide(
  device: NetDevice,
  addresses: string,
  gateway: string,
  { timers, entropy, log }: Pick<Environment, 'timers' | 'entropy' | 'log'>,
): NetStack {
  const options = stackOptions(addresses, gateway, '');
  if (!options.ok) throw new Error(options.error.message);
  const net = new NetStack({ device, timers, entropy, logger: log });
  if (options.value.addresses.length === 0) net.startDhcp();
  else {
    const { addresses: fixed, gateway: router, routes } = options.value;
    const none = { dnsServers: [], domain: null, mtuBytes: null };
    net.configure({ addresses: fixed, gateway: router, routes, ...none });
  }
  return net;
}
