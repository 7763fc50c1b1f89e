/** A pack on its way to a client: in side bands with progress, or as it is. */

import { assert } from '#core';
import { markBytes } from '../wire/pkt-line.ts';
import { BAND_ERROR, BAND_PROGRESS, BandPacker, bandPkt, bandText } from '../wire/side-band.ts';
import { encodeText } from '../wire/text.ts';
import { formatStop, reasonOf } from './stop.ts';

/** `bandBytesMax` of data in a pkt-line (side-band.ts); 0: no side bands. */
export interface AnswerForm {
  readonly bandBytesMax: number;
  readonly progress: boolean;
}

/**
 * The bytes for the client, with the flush behind side bands. Throws what `pack` throws when there
 * is no band to tell it: a pack that ends early is none.
 */
export async function* packAnswer(
  pack: AsyncIterable<Uint8Array>,
  form: AnswerForm,
  describe: () => string,
): AsyncGenerator<Uint8Array, void, void> {
  if (form.bandBytesMax === 0) {
    yield* pack;
    return;
  }
  assert(form.bandBytesMax > 0);
  const packer = new BandPacker(form.bandBytesMax);
  let isFirst = form.progress;
  try {
    for await (const bytes of pack) {
      if (isFirst) yield bandText(BAND_PROGRESS, describe());
      isFirst = false;
      yield* packer.push(bytes);
    }
    const last = packer.end();
    if (last !== null) yield last;
    yield markBytes('flush');
  } catch (error) {
    const text = encodeText(`${formatStop(reasonOf(error))}\n`);
    yield bandPkt(BAND_ERROR, text, 0, Math.min(text.length, form.bandBytesMax));
  }
}
