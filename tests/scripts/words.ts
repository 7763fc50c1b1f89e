/** A script's line in words: what notations and actions read their parts with. */

/** A line that can't be read: what is wrong with it. */
export class ScriptSyntax extends Error {
  override readonly name = 'ScriptSyntax';
}

/**
 * A number, a word, `$name` (stands for what it first matched), or `*` (anything, but it must be
 * there).
 */
export type Value = number | string;
export type Fields = Readonly<Record<string, Value>>;

const TOKEN = /"(?:[^"\\]|\\.)*"|[<>[\],]|[^\s<>[\],"]+/g;

export const isVariable = (value: Value): value is string =>
  typeof value === 'string' && value.startsWith('$');

/** Decimal or 0x hexadecimal; null for other words. */
export function numberOf(word: string): number | null {
  return /^(-?\d+(\.\d+)?|0x[0-9a-fA-F]+)$/.test(word) ? Number(word) : null;
}

export class Words {
  private readonly tokens: readonly string[];
  private at = 0;

  constructor(line: string) {
    this.tokens = line.match(TOKEN) ?? [];
    if (line.replace(TOKEN, '').includes('"')) throw new ScriptSyntax('a quote is missing');
  }

  get isEmpty(): boolean {
    return this.at >= this.tokens.length;
  }

  /** The word after so many others, '' past the end. */
  peek(ahead = 0): string {
    return this.tokens[this.at + ahead] ?? '';
  }

  next(): string {
    const word = this.tokens[this.at];
    if (word === undefined) throw new ScriptSyntax('the line ends too early');
    this.at += 1;
    return word;
  }

  /** Consumes `word` when it is next. */
  take(word: string): boolean {
    if (this.peek() !== word) return false;
    this.at += 1;
    return true;
  }

  expect(word: string): void {
    const found = this.next();
    if (found !== word) throw new ScriptSyntax(`'${word}' should be where '${found}' is`);
  }

  number(): number {
    const word = this.next();
    const value = numberOf(word);
    if (value === null) throw new ScriptSyntax(`'${word}' should be a number`);
    return value;
  }

  /** A number, `$name` or `*`. */
  value(): Value {
    const word = this.next();
    if (word === '*' || isVariable(word)) return word;
    const value = numberOf(word);
    if (value === null) throw new ScriptSyntax(`'${word}' should be a number, $name or *`);
    return value;
  }

  get isText(): boolean {
    return this.peek().startsWith('"');
  }

  /** A text in quotes, as JSON has them. */
  text(): string {
    const word = this.next();
    if (!word.startsWith('"')) throw new ScriptSyntax(`'${word}' should be a text in quotes`);
    return JSON.parse(word) as string;
  }

  /** Bytes in hexadecimal, in one word or several, up to the next other word. */
  hex(): string {
    let digits = '';
    while (/^([0-9a-fA-F]{2})+$/.test(this.peek())) digits += this.next().toLowerCase();
    if (digits === '') throw new ScriptSyntax('bytes in hexadecimal should follow');
    return digits;
  }

  end(): void {
    if (!this.isEmpty) throw new ScriptSyntax(`'${this.peek()}' is too much`);
  }
}

export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
export const bytesOfHex = (digits: string): Uint8Array =>
  Uint8Array.from(Buffer.from(digits, 'hex'));
export const latin1Of = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
export const bytesOfLatin1 = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text, 'latin1'));

/** Cuts a comment off: from a `#` outside of quotes. */
export function withoutComment(line: string): string {
  const found = /^(?:[^"#]|"(?:[^"\\]|\\.)*"|")*/.exec(line);
  return (found?.[0] ?? '').trim();
}
