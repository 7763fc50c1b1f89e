/** Classes of bytes, as 256-entry tables for `hot.span`: 1 for a member. */

function table(isMember: (byte: number) => boolean): Uint8Array {
  const members = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) members[byte] = isMember(byte) ? 1 : 0;
  return members;
}

const isAlphanumeric = (byte: number): boolean =>
  (byte >= 48 && byte <= 57) || (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122);

const oneOf = (byte: number, text: string): boolean => text.includes(String.fromCharCode(byte));

/** tchar, RFC 9110 §5.6.2: methods and field names. */
export const TOKEN = table((byte) => isAlphanumeric(byte) || oneOf(byte, "!#$%&'*+-.^_`|~"));
/** Field values with their white space, RFC 9110 §5.5: HTAB, SP, VCHAR and obs-text. */
export const FIELD_VALUE = table((byte) => byte === 9 || (byte >= 32 && byte !== 127));
/** VCHAR but for '#': what a request target may have; stricter readers come later. */
export const TARGET = table((byte) => byte > 32 && byte < 127 && byte !== 35);
/** TARGET but for '?'. */
export const TARGET_PATH = table((byte) => TARGET[byte] === 1 && byte !== 63);
/** What a Host field may have, RFC 3986 §3.2.2 and a port; no '@', so no user information. */
export const HOST = table((byte) => isAlphanumeric(byte) || oneOf(byte, "-._~!$&'()*+,;=%:[]"));
export const DIGIT = table((byte) => byte >= 48 && byte <= 57);

/** True when `text` has at least one char code and all are members of `members`. */
export function isAll(text: string, members: Uint8Array): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 255 || members[code] === 0) return false;
  }
  return text.length > 0;
}

export const isToken = (text: string): boolean => isAll(text, TOKEN);

/** Native where a loop over char codes is not: values are long. */
const NO_FIELD_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

/** True when `text` can be a field value; the empty one can. */
export const isFieldValue = (text: string): boolean => !NO_FIELD_VALUE.test(text);
