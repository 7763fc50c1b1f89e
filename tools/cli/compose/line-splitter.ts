/** Lines out of a stream of bytes in UTF-8; what is left when it ends is one, too. */

import { StringDecoder } from 'node:string_decoder';

export class LineSplitter {
  private readonly charactersMax: number;
  private readonly line: (text: string) => void;
  private readonly decoder = new StringDecoder('utf8');
  private begun = '';

  /** A line of more than `charactersMax` is given in pieces of so many. */
  constructor(charactersMax: number, line: (text: string) => void) {
    this.charactersMax = charactersMax;
    this.line = line;
  }

  push(chunk: Uint8Array): void {
    const parts = this.decoder.write(Buffer.from(chunk)).split('\n');
    const last = parts.pop()!;
    for (const part of parts) {
      this.add(part);
      this.finish();
    }
    this.add(last);
  }

  end(): void {
    this.add(this.decoder.end());
    if (this.begun !== '') this.finish();
  }

  private add(text: string): void {
    let rest = this.begun + text;
    while (rest.length > this.charactersMax) {
      this.line(rest.slice(0, this.charactersMax));
      rest = rest.slice(this.charactersMax);
    }
    this.begun = rest;
  }

  private finish(): void {
    // A serial console ends lines with both.
    const text = this.begun.endsWith('\r') ? this.begun.slice(0, -1) : this.begun;
    this.begun = '';
    this.line(text);
  }
}
