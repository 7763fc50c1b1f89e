import aeads from './aeads.json' with { type: 'json' };
import agreements from './agreements.json' with { type: 'json' };
import hashes from './hashes.json' with { type: 'json' };
import keys from './keys.json' with { type: 'json' };
import signatures from './signatures.json' with { type: 'json' };
import type { Vector } from './vector.ts';

export { runVectors, type VectorsReport } from './run.ts';
export { runSubtleVectors, type SubtleLike } from './subtle.ts';
export { fromHex, toHex, type Vector } from './vector.ts';
export {
  WYCHEPROOF_FILES,
  type WycheproofFile,
  wycheproofVectors,
} from './wycheproof.ts';

/** This project's own, made by tests/crypto/make-vectors/main.ts. */
export const VECTORS: readonly Vector[] = [
  hashes,
  aeads,
  agreements,
  keys,
  signatures,
].flat() as unknown as Vector[];
