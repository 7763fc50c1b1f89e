/** Contents of a store that knows nothing of them: bytes, at any path. */

import { bytes } from './content/stock.ts';
import { defineSchema } from './schema.ts';

/** Bytes at any path. */
export const rawSchema = defineSchema({ '**': bytes });
export type RawShape = typeof rawSchema.shape;
