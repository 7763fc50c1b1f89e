/** Tells ben, and nobody else, that 10.90.0.99 is at 02:00:00:00:00:66: an ARP reply, RFC 826. */

import type { Start } from 'morgana';
import type config from './morgana.config.ts';

const [BEN, EVIL] = [
  [2, 0, 0, 0, 0, 0x12],
  [2, 0, 0, 0, 0, 0x66],
];
const IS_AT = [8, 6, 0, 1, 8, 0, 6, 4, 0, 2];
const FORGED = [...BEN, ...EVIL, ...IS_AT, ...EVIL, 10, 90, 0, 99, ...BEN, 10, 90, 0, 12];

export const start: Start<typeof config> = async ({ ethernet, log }) => {
  ethernet.attach({ receive() {}, transmitReady() {} });
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    ethernet.reserve()?.set(FORGED);
    ethernet.commit(FORGED.length, [], null);
    log.info('forged');
  }
};
