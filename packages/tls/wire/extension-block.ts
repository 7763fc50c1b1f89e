/**
 * A block of extensions (RFC 8446 §4.2): those that its message may have are values by name, those
 * that nobody here knows are bytes. Which may be where: extensions.ts.
 */

import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { extensionNameOf } from './code-points.ts';
import type { Codec } from './extension-values.ts';

// The value's type is what `Extensions` takes out of it again.
// biome-ignore lint/suspicious/noExplicitAny: a table has codecs of many types
type AnyCodec = Codec<any>;
type Table = Readonly<Record<string, readonly [code: number, codec: AnyCodec]>>;

type Values<T extends Table> = {
  readonly [K in keyof T]: T[K][1] extends Codec<infer V> ? V | null : never;
};

export interface OtherExtension {
  readonly code: number;
  readonly data: Uint8Array;
}

/** Each named one is null when it is absent. */
export type Extensions<T extends Table> = Values<T> & {
  /** Codes of all, in the order sent. */
  readonly codes: readonly number[];
  /** Those that aren't in the table. */
  readonly others: readonly OtherExtension[];
};

/** What one kind of message may have. */
export class ExtensionTable<T extends Table> {
  private readonly table: T;
  private readonly fields: readonly (keyof T & string)[];
  private readonly names: Map<number, keyof T & string>;

  constructor(table: T) {
    this.table = table;
    this.fields = Object.keys(table);
    this.names = new Map(this.fields.map((name) => [table[name]![0], name]));
  }

  /** A block of `given` in the order of the table, then `others`. */
  of(
    given: { readonly [K in keyof T]?: Values<T>[K] },
    others: readonly OtherExtension[] = [],
  ): Extensions<T> {
    const values: Record<string, unknown> = {};
    const codes: number[] = [];
    for (const name of this.fields) {
      const value = given[name] ?? null;
      values[name] = value;
      if (value !== null) codes.push(this.table[name]![0]);
    }
    for (const { code } of others) codes.push(code);
    values.codes = codes;
    values.others = others;
    return values as unknown as Extensions<T>;
  }

  /**
   * A block with its length, of at least `bytesMin`. Faults: illegal_parameter for one that is
   * there twice (as it may not be) or that is known and not for this message (RFC 8446 §4.2). O(n).
   */
  read(from: ByteReader, bytesMin = 0): Extensions<T> {
    const values: Record<string, unknown> = {};
    for (const name of this.fields) values[name] = null;
    const others: OtherExtension[] = [];
    const seen = new Set<number>();
    const codes = from.list(2, bytesMin, () => {
      const codeAt = from.at;
      const code = from.u16();
      const name = this.names.get(code);
      if (seen.has(code) || (name === undefined && extensionNameOf(code) !== null)) {
        from.fail(codeAt, 'illegal_parameter');
      }
      seen.add(code);
      if (name === undefined) others.push({ code, data: from.vector(2) });
      else values[name] = from.within(2, 0, () => this.table[name]![1].read(from));
      return code;
    });
    values.codes = codes;
    values.others = others;
    return values as unknown as Extensions<T>;
  }

  /** The block with its length. */
  write(to: ByteWriter, extensions: Extensions<T>): void {
    to.list(2, extensions.codes, (code) => {
      to.u16(code);
      const name = this.names.get(code);
      to.within(2, () => {
        if (name !== undefined) this.table[name]![1].write(to, extensions[name]);
        else to.put(extensions.others.find((other) => other.code === code)!.data);
      });
    });
  }
}
