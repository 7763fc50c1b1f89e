/** FormData, XHR §5, and multipart/form-data, RFC 7578, both ways. */

import { hot } from '#core';
import { Blob, concatBytes, File } from './blob.ts';
import { platform } from './platform.ts';

export type FormDataValue = string | File;

function entryOf(value: unknown, fileName: string | undefined): FormDataValue {
  if (!(value instanceof Blob)) return String(value).toWellFormed();
  if (value instanceof File && fileName === undefined) return value;
  return new File([value], fileName ?? 'blob', { type: value.type });
}

export class FormData {
  #list: [string, FormDataValue][] = [];

  constructor(form?: undefined) {
    if (form !== undefined) throw new TypeError('FormData: there are no HTML forms here');
  }

  append(name: string, value: string | Blob, fileName?: string): void {
    this.#list.push([String(name).toWellFormed(), entryOf(value, fileName)]);
  }

  set(name: string, value: string | Blob, fileName?: string): void {
    const wanted = String(name).toWellFormed();
    const found = this.#list.find(([n]) => n === wanted);
    if (found === undefined) {
      this.append(name, value, fileName);
      return;
    }
    found[1] = entryOf(value, fileName);
    this.#list = this.#list.filter((pair) => pair[0] !== wanted || pair === found);
  }

  delete(name: string): void {
    this.#list = this.#list.filter(([n]) => n !== String(name));
  }

  get(name: string): FormDataValue | null {
    return this.#list.find(([n]) => n === String(name))?.[1] ?? null;
  }

  getAll(name: string): FormDataValue[] {
    return this.#list.filter(([n]) => n === String(name)).map(([, v]) => v);
  }

  has(name: string): boolean {
    return this.#list.some(([n]) => n === String(name));
  }

  forEach(
    callback: (value: FormDataValue, name: string, form: FormData) => void,
    thisArg?: unknown,
  ): void {
    for (const [name, value] of this) callback.call(thisArg, value, name, this);
  }

  *entries(): IterableIterator<[string, FormDataValue]> {
    for (const pair of this.#list) yield [...pair];
  }

  *keys(): IterableIterator<string> {
    for (const [name] of this.#list) yield name;
  }

  *values(): IterableIterator<FormDataValue> {
    for (const [, value] of this.#list) yield value;
  }

  [Symbol.iterator](): IterableIterator<[string, FormDataValue]> {
    return this.entries();
  }

  get [Symbol.toStringTag](): string {
    return 'FormData';
  }
}

const escapeName = (name: string) => name.replace(/\r\n?|\n/g, '%0D%0A').replaceAll('"', '%22');

/** HTML §4.10.21.8: the body and its type, with a boundary of 128 random bits. */
export function encodeMultipart(form: FormData): { bytes: Uint8Array; type: string } {
  const random = new Uint8Array(16);
  platform().entropy.fill(random);
  const boundary = `morgana-${Array.from(random, (b) => b.toString(16).padStart(2, '0')).join('')}`;
  const parts: Uint8Array[] = [];
  for (const [name, value] of form) {
    let head = `--${boundary}\r\nContent-Disposition: form-data; name="${escapeName(name)}"`;
    if (typeof value === 'string') {
      const text = value.replace(/\r\n?|\n/g, '\r\n');
      parts.push(hot.utf8Encode(`${head}\r\n\r\n${text}\r\n`));
      continue;
    }
    head += `; filename="${escapeName(value.name)}"\r\n`;
    head += `Content-Type: ${value.type || 'application/octet-stream'}\r\n\r\n`;
    parts.push(hot.utf8Encode(head), value._bytes, hot.utf8Encode('\r\n'));
  }
  parts.push(hot.utf8Encode(`--${boundary}--\r\n`));
  return { bytes: concatBytes(parts), type: `multipart/form-data; boundary=${boundary}` };
}

/** Where `pattern` (not empty) begins in `bytes` at `from` or later, or -1. */
function find(bytes: Uint8Array, pattern: Uint8Array, from: number): number {
  const last = bytes.length - pattern.length;
  for (let at = from; at <= last; at++) {
    at = hot.indexOf(bytes, pattern[0]!, at, last + 1);
    if (at < 0) return -1;
    if (hot.equal(bytes, at, pattern, 0, pattern.length)) return at;
  }
  return -1;
}

const malformed = () => new TypeError('the body is not multipart/form-data');

/** `type` is the Content-Type field; throws a TypeError on anything that isn't a whole form. */
export function parseMultipart(body: Uint8Array, type: string): FormData {
  const match = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(type);
  const boundary = match?.[1] ?? match?.[2];
  if (boundary === undefined) throw malformed();
  const form = new FormData();
  // The first delimiter has no line end before it; as if it had one, all are alike.
  const bytes = concatBytes([hot.utf8Encode('\r\n'), body]);
  const delimiter = hot.utf8Encode(`\r\n--${boundary}`);
  const blank = hot.utf8Encode('\r\n\r\n');
  let at = find(bytes, delimiter, 0);
  for (;;) {
    if (at < 0) throw malformed();
    at += delimiter.length;
    if (bytes[at] === 0x2d && bytes[at + 1] === 0x2d) return form;
    const headEnd = find(bytes, blank, at);
    const end = headEnd < 0 ? -1 : find(bytes, delimiter, headEnd + 2);
    if (end < 0) throw malformed();
    const head = hot.utf8Decode(bytes, at, headEnd, false)!;
    appendPart(form, head, bytes.subarray(Math.min(headEnd + 4, end), end));
    at = end;
  }
}

function appendPart(form: FormData, head: string, bytes: Uint8Array): void {
  const disposition = /^content-disposition:\s*form-data;(.*)$/im.exec(head)?.[1];
  const name = parameter(disposition, 'name');
  if (name === null) throw malformed();
  const fileName = parameter(disposition, 'filename');
  if (fileName === null) {
    form.append(name, hot.utf8Decode(bytes, 0, bytes.length, false)!);
    return;
  }
  const type = /^content-type:[\t ]*(.*?)[\t ]*$/im.exec(head)?.[1] ?? 'text/plain';
  form.append(name, new File([bytes], fileName, { type }));
}

function parameter(disposition: string | undefined, name: string): string | null {
  const match = new RegExp(`(?:^|;)\\s*${name}="([^"]*)"`, 'i').exec(disposition ?? '');
  if (match === null) return null;
  return match[1]!.replaceAll('%22', '"').replaceAll('%0D%0A', '\r\n');
}
