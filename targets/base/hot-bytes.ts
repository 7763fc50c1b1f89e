/**
 * packages/core/hot-bytes.ts for the image: the base's native loops. build.ts puts it in that
 * file's place.
 */

import type { Base } from './base.ts';

export type { HotBytes } from '../../packages/core/hot-bytes.ts';

export const hot = (globalThis as unknown as { readonly __base: Base }).__base.hot;
