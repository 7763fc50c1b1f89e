/**
 * Names that change with their content, as bundlers make them, so that their content never changes.
 * In `stem SEPARATOR fingerprint . rest`, with SEPARATOR '.' or '-', and never for HTML, the
 * fingerprint is:
 * - 8 to 64 lower-case hexadecimal digits, a letter and a digit among them (app.3f2a9c1b.js),
 *   anywhere;
 * - 8 characters of A-Z a-z 0-9 _ - with a capital or a digit among them (index-DiwrgTda.js), in a
 *   directory
 *   assets, _astro or immutable, where Vite, Astro and SvelteKit put them.
 * A date (report-20240101.pdf) or a word is none.
 */

const DIRECTORIES = ['assets', '_astro', 'immutable'];
const HEX = /^(?=.*[a-f])(?=.*\d)[0-9a-f]{8,64}$/;
const BASE64 = /^(?=.*[A-Z0-9])(?=.*[A-Za-z])[A-Za-z0-9_-]{8}$/;

/** O(path); called once a file. */
export function isFingerprinted(path: string): boolean {
  const segments = path.split('/');
  const name = segments.pop() ?? '';
  if (/\.html?$/i.test(name)) return false;
  const isBundled = segments.some((segment) => DIRECTORIES.includes(segment));
  const parts = name.split('.');
  for (let i = 0; i + 1 < parts.length; i++) {
    const part = parts[i]!;
    if (i > 0 && (HEX.test(part) || (isBundled && BASE64.test(part)))) return true;
    const dash = part.indexOf('-');
    if (dash < 1) continue;
    if (HEX.test(part.slice(part.lastIndexOf('-') + 1))) return true;
    // The separator of a base64url fingerprint can't be told from a '-' inside it: it is the ninth
    // from the end.
    if (
      isBundled &&
      part.length > 9 &&
      part[part.length - 9] === '-' &&
      BASE64.test(part.slice(-8))
    ) {
      return true;
    }
  }
  return false;
}
