/** The browser's entropy; Node and workers have the same. */

import type { Entropy } from '#device';

/** What `getRandomValues` gives at a time. */
const QUOTA_BYTES = 65_536;

export const browserEntropy: Entropy = {
  fill(out) {
    for (let at = 0; at < out.length; at += QUOTA_BYTES) {
      const count = Math.min(QUOTA_BYTES, out.length - at);
      out.set(crypto.getRandomValues(new Uint8Array(count)), at);
    }
  },
};
