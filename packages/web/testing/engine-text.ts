/**
 * TextEncoder and TextDecoder for a bare engine, as core/hot-bytes.ts wants them; an image has the
 * base's instead.
 */

function encode(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text.toWellFormed()) {
    const code = character.codePointAt(0)!;
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63));
    else if (code < 0x10000)
      bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    else {
      bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63));
      bytes.push(0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    }
  }
  return new Uint8Array(bytes);
}

/** Encoding §8.1.1: the bounds of the second byte depend on the first. */
function decode(bytes: Uint8Array, fatal: boolean): string {
  let text = '';
  let code = 0;
  let needed = 0;
  let lower = 0x80;
  let upper = 0xbf;
  for (let i = 0; i <= bytes.length; i++) {
    const byte = bytes[i];
    if (needed > 0) {
      if (byte !== undefined && byte >= lower && byte <= upper) {
        lower = 0x80;
        upper = 0xbf;
        code = (code << 6) | (byte & 63);
        needed--;
        if (needed === 0) text += String.fromCodePoint(code);
        continue;
      }
      if (fatal) throw new TypeError('malformed UTF-8');
      text += '\ufffd';
      needed = 0;
      lower = 0x80;
      upper = 0xbf;
    }
    if (byte === undefined) break;
    if (byte < 0x80) text += String.fromCharCode(byte);
    else if (byte >= 0xc2 && byte <= 0xf4) {
      needed = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
      code = byte & (0x3f >> needed);
      if (byte === 0xe0) lower = 0xa0;
      if (byte === 0xed) upper = 0x9f;
      if (byte === 0xf0) lower = 0x90;
      if (byte === 0xf4) upper = 0x8f;
    } else if (fatal) throw new TypeError('malformed UTF-8');
    else text += '\ufffd';
  }
  return text;
}

class EngineTextEncoder {
  encode = encode;
}

class EngineTextDecoder {
  private readonly fatal: boolean;

  constructor(_label: string, options: { fatal: boolean }) {
    this.fatal = options.fatal;
  }

  decode(bytes: Uint8Array): string {
    return decode(bytes, this.fatal);
  }
}

const host: typeof globalThis = globalThis;
Object.assign(host, { TextEncoder: EngineTextEncoder, TextDecoder: EngineTextDecoder });
