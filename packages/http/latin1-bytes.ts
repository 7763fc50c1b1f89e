import { hot } from '#core';

/** The low byte of each char code of `text`, in a fresh array. */
export function latin1Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  hot.writeLatin1(bytes, 0, text);
  return bytes;
}
