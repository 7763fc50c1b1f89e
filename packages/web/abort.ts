/** AbortController and AbortSignal, DOM §3. */

import { DOMException } from './dom-exception.ts';
import { Event, EventTarget } from './event-target.ts';
import { setTimeout } from './timers.ts';

let mayConstruct = false;

export class AbortSignal extends EventTarget {
  #aborted = false;
  #reason: unknown = undefined;
  #onabort: ((this: AbortSignal, event: Event) => unknown) | null = null;
  #hears = false;
  /** Signals made by `any` from this one; they end with it. */
  #dependents: Set<AbortSignal> | null = null;
  /** For a signal made by `any`: the plain signals it follows. */
  #sources: AbortSignal[] | null = null;

  constructor() {
    if (!mayConstruct) throw new TypeError('Illegal constructor: use AbortController');
    super();
  }

  get aborted(): boolean {
    return this.#aborted;
  }

  get reason(): unknown {
    return this.#reason;
  }

  get onabort(): ((this: AbortSignal, event: Event) => unknown) | null {
    return this.#onabort;
  }

  set onabort(callback: ((this: AbortSignal, event: Event) => unknown) | null) {
    this.#onabort = typeof callback === 'function' ? callback : null;
    if (this.#hears || this.#onabort === null) return;
    this.#hears = true;
    this.addEventListener('abort', (event) => this.#onabort?.(event));
  }

  throwIfAborted(): void {
    if (this.#aborted) throw this.#reason;
  }

  override get [Symbol.toStringTag](): string {
    return 'AbortSignal';
  }

  static abort(reason: unknown = abortError()): AbortSignal {
    const signal = newSignal();
    signal.#aborted = true;
    signal.#reason = reason;
    return signal;
  }

  /** Aborts with a TimeoutError after `millis`. */
  static timeout(millis: number): AbortSignal {
    if (!(millis >= 0 && millis <= Number.MAX_SAFE_INTEGER)) {
      throw new TypeError(`AbortSignal.timeout: ${millis} is not a time in milliseconds`);
    }
    const signal = newSignal();
    const error = () => new DOMException('The operation timed out', 'TimeoutError');
    setTimeout(() => AbortSignal.signalAbort(signal, error()), millis);
    return signal;
  }

  /** Aborts with the first of `signals` that does. */
  static any(signals: Iterable<AbortSignal>): AbortSignal {
    const result = newSignal();
    const sources = [...signals];
    const aborted = sources.find((source) => source.#aborted);
    if (aborted !== undefined) {
      result.#aborted = true;
      result.#reason = aborted.#reason;
      return result;
    }
    result.#sources = sources.flatMap((source) => source.#sources ?? [source]);
    for (const source of result.#sources) {
      source.#dependents ??= new Set();
      source.#dependents.add(result);
    }
    return result;
  }

  /** DOM §3.2 "signal abort": state of all first, then their events. For this package. */
  static signalAbort(signal: AbortSignal, reason: unknown): void {
    if (signal.#aborted) return;
    const all = [signal, ...(signal.#dependents ?? [])].filter((one) => !one.#aborted);
    signal.#dependents = null;
    for (const one of all) {
      one.#aborted = true;
      one.#reason = reason;
      for (const source of one.#sources ?? []) source.#dependents?.delete(one);
    }
    for (const one of all) one.dispatchEvent(new Event('abort'));
  }
}

function newSignal(): AbortSignal {
  mayConstruct = true;
  try {
    return new AbortSignal();
  } finally {
    mayConstruct = false;
  }
}

const abortError = () => new DOMException('This operation was aborted', 'AbortError');

export class AbortController {
  readonly signal: AbortSignal = newSignal();

  abort(reason: unknown = abortError()): void {
    AbortSignal.signalAbort(this.signal, reason);
  }

  get [Symbol.toStringTag](): string {
    return 'AbortController';
  }
}
