/**
 * Text from elsewhere, fit for a terminal: names may come from the network, and a terminal obeys
 * control characters.
 */

/** Controls, format characters (they change the direction of text), line separators, surrogates. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** JSON on several lines, with such characters as JSON spells them: it says the same. */
export const printableJson = (value: unknown): string =>
  JSON.stringify(value, null, 2).replace(UNSAFE, (found) => {
    if (found === '\n') return found;
    let text = '';
    for (let i = 0; i < found.length; i++) {
      text += `\\u${found.charCodeAt(i).toString(16).padStart(4, '0')}`;
    }
    return text;
  });

export const printable = (text: string): string =>
  text.replace(UNSAFE, (found) => {
    const code = found.codePointAt(0)!;
    return code < 256
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`;
  });
