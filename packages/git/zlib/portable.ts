/**
 * Zlib for images and browsers: our own inflate, which says where a stream ends and stops at a
 * bound, and fflate's deflate. Why so: docs/decisions/.
 */

import { zlibSync } from 'fflate';
import { ZLIB_LEVEL, type Zlib } from '#device';
import { inflate } from './inflate.ts';

export const portableZlib: Zlib = {
  name: 'portable',
  deflate: (bytes, level = ZLIB_LEVEL) => zlibSync(bytes, { level }),
  inflate,
};
