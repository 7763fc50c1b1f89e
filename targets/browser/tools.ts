/** What a page gives to repositories and sync clients: `Repository.open({ ...tools, ... })`. */

import { Log, wallTimeOfMillis } from '#core';
import { nobleCrypto } from '#crypto/noble';
import { portableZlib } from '#git/zlib';
import { browserEntropy } from './entropy.ts';

/** @noble's primitives: WebCrypto's are asynchronous. */
export const tools = {
  crypto: nobleCrypto,
  zlib: portableZlib,
  clock: { wall: () => wallTimeOfMillis(Date.now()) },
  entropy: browserEntropy,
  random: Math.random,
  log: new Log((line) => console.log(line), 'info').source('store'),
  later: (millis: number, fire: () => void): (() => void) => {
    const timer = setTimeout(fire, millis);
    return () => clearTimeout(timer);
  },
} as const;
