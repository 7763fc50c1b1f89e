/**
 * What iperf3 says on its control connection: a cookie, one-byte states, and JSON behind four bytes
 * of length. There is no specification but iperf3's source (iperf_api.h).
 */

import type { Flow } from 'morgana';

/** States that one side tells the other. */
export const STATE = {
  testStart: 1,
  testRunning: 2,
  testEnd: 4,
  paramExchange: 9,
  createStreams: 10,
  clientTerminate: 12,
  exchangeResults: 13,
  displayResults: 14,
  done: 16,
  serverError: 0xfe,
  accessDenied: 0xff,
} as const;

/** 36 characters and a zero. */
export const COOKIE_BYTES = 37;
const LENGTH_BYTES = 4;
/** A client's parameters or results are some hundred bytes for each stream. */
const JSON_BYTES_MAX = 65_536;
export const PARALLEL_MAX = 128;
const LENGTH_MAX = 1_048_576;

/** Keeps bytes until there are as many as somebody waits for. */
export class Gatherer {
  private kept = new Uint8Array(0);

  add(bytes: Uint8Array): void {
    const both = new Uint8Array(this.kept.length + bytes.length);
    both.set(this.kept);
    both.set(bytes, this.kept.length);
    this.kept = both;
  }

  /** The next `count` bytes, or null while they haven't come. */
  take(count: number): Uint8Array | null {
    if (this.kept.length < count) return null;
    const taken = this.kept.subarray(0, count);
    this.kept = this.kept.subarray(count);
    return taken;
  }

  /** The next JSON text; null while it hasn't come; throws on one too long or none. */
  takeJson(): unknown {
    if (this.kept.length < LENGTH_BYTES) return null;
    const count = new DataView(this.kept.buffer, this.kept.byteOffset).getUint32(0);
    if (count > JSON_BYTES_MAX) throw new RangeError(`${count} bytes of JSON`);
    if (this.kept.length < LENGTH_BYTES + count) return null;
    this.take(LENGTH_BYTES);
    return JSON.parse(new TextDecoder().decode(this.take(count)!));
  }
}

/** Reads a connection's cookie; `then` attaches the next handler, and gets what came behind it. */
export function readCookie(
  flow: Flow,
  then: (cookie: string, rest: Uint8Array<ArrayBuffer>) => void,
): void {
  const gathered: number[] = [];
  flow.attach({
    data(bytes) {
      for (const byte of bytes) gathered.push(byte);
      if (gathered.length < COOKIE_BYTES) return;
      const cookie = String.fromCharCode(...gathered.slice(0, COOKIE_BYTES - 1));
      then(cookie, Uint8Array.from(gathered.slice(COOKIE_BYTES)));
    },
    drained() {},
    end: () => flow.shutdown(),
    closed() {},
  });
}

export interface Parameters {
  readonly udp: boolean;
  readonly parallel: number;
  /** The unikernel sends. */
  readonly reverse: boolean;
  /** Of one write or datagram. */
  readonly lengthBytes: number;
  /** 0: as fast as it goes. */
  readonly bitsPerSecond: number;
}

/** Reads what a client asks for; a string says what can't be done. */
export function readParameters(json: unknown): Parameters | string {
  const given = json as Record<string, unknown>;
  if (typeof json !== 'object' || json === null) return 'no parameters';
  if (given.bidirectional) return 'both directions at once';
  const number = (name: string, otherwise: number): number =>
    typeof given[name] === 'number' ? given[name] : otherwise;
  const parallel = number('parallel', 1);
  const lengthBytes = number('len', 131_072);
  if (!(parallel >= 1 && parallel <= PARALLEL_MAX)) return `${parallel} streams`;
  if (!(lengthBytes >= 16 && lengthBytes <= LENGTH_MAX)) return `blocks of ${lengthBytes} bytes`;
  const bitsPerSecond = number('bandwidth', 0);
  const [udp, reverse] = [Boolean(given.udp), Boolean(given.reverse)];
  return { udp, parallel, reverse, lengthBytes, bitsPerSecond };
}

export const jsonBytes = (value: unknown): Uint8Array => {
  const text = new TextEncoder().encode(JSON.stringify(value));
  const bytes = new Uint8Array(LENGTH_BYTES + text.length);
  new DataView(bytes.buffer).setUint32(0, text.length);
  bytes.set(text, LENGTH_BYTES);
  return bytes;
};
