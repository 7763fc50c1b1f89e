/** Runs in an image: crypto_fuzz.ts. */
import { primitives } from '#crypto/platform';
import { FUZZ_ROUNDS, FUZZ_SEED, fuzzAeads, misuse } from './crypto_fuzz.ts';

declare const __base: import('#targets/base/base').Base;

__base.consoleWrite(`${misuse(__base.crypto!)}${fuzzAeads(primitives, FUZZ_SEED, FUZZ_ROUNDS)}\n`);
