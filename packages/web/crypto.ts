/** crypto.getRandomValues and randomUUID, Web Cryptography §10. crypto.subtle is in subtle.ts. */

import { DOMException } from './dom-exception.ts';
import { platform } from './platform.ts';

const QUOTA_BYTES = 65_536;

type IntegerArray =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

function isIntegerArray(view: unknown): view is IntegerArray {
  return (
    ArrayBuffer.isView(view) &&
    /^(?:Big)?(?:Ui|I)nt/.test(Object.prototype.toString.call(view).slice(8))
  );
}

const hex = (bytes: Uint8Array, at: number, end: number): string => {
  let text = '';
  for (let i = at; i < end; i++) text += (bytes[i]! + 0x100).toString(16).slice(1);
  return text;
};

/** subtle.ts puts itself here when it is linked: then every way to crypto.subtle finds it. */
export const linked: { subtle: object | null } = { subtle: null };

export const crypto = {
  get subtle(): object {
    if (linked.subtle !== null) return linked.subtle;
    throw new DOMException(
      'crypto.subtle is linked where a program writes "crypto.subtle"; this one never does',
      'NotSupportedError',
    );
  },

  /** Fills `view`, at most 65,536 bytes, and returns it. */
  getRandomValues<T extends IntegerArray>(view: T): T {
    if (!isIntegerArray(view)) {
      throw new DOMException('an array of integers is needed', 'TypeMismatchError');
    }
    if (view.byteLength > QUOTA_BYTES) {
      throw new DOMException(`more than ${QUOTA_BYTES} bytes at once`, 'QuotaExceededError');
    }
    platform().entropy.fill(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
    return view;
  },

  /** RFC 9562 §5.4: version 4. */
  randomUUID(): string {
    const b = new Uint8Array(16);
    platform().entropy.fill(b);
    b[6] = (b[6]! & 0x0f) | 0x40;
    b[8] = (b[8]! & 0x3f) | 0x80;
    return `${hex(b, 0, 4)}-${hex(b, 4, 6)}-${hex(b, 6, 8)}-${hex(b, 8, 10)}-${hex(b, 10, 16)}`;
  },
};
