/**
 * Event, CustomEvent and EventTarget, DOM §2, without a tree: no capture, no bubbling beyond the
 * target.
 */

import { DOMException } from './dom-exception.ts';
import { platform } from './platform.ts';
import { reportException } from './report.ts';

export interface EventInit {
  bubbles?: boolean;
  cancelable?: boolean;
  composed?: boolean;
}

export class Event {
  static readonly NONE = 0;
  static readonly CAPTURING_PHASE = 1;
  static readonly AT_TARGET = 2;
  static readonly BUBBLING_PHASE = 3;
  readonly type: string;
  readonly bubbles: boolean;
  readonly cancelable: boolean;
  readonly composed: boolean;
  readonly isTrusted = false;
  readonly timeStamp: number;
  #target: EventTarget | null = null;
  #phase = Event.NONE;
  #prevented = false;
  #stopped = false;
  #passive = false;

  constructor(type: string, init: EventInit = {}) {
    if (type === undefined) throw new TypeError('Event needs a type');
    this.type = String(type);
    this.bubbles = init.bubbles === true;
    this.cancelable = init.cancelable === true;
    this.composed = init.composed === true;
    this.timeStamp = platform().timers.now / 1_000;
  }

  get target(): EventTarget | null {
    return this.#target;
  }

  get currentTarget(): EventTarget | null {
    return this.#phase === Event.NONE ? null : this.#target;
  }

  get eventPhase(): number {
    return this.#phase;
  }

  get defaultPrevented(): boolean {
    return this.#prevented;
  }

  composedPath(): EventTarget[] {
    return this.#phase === Event.NONE || this.#target === null ? [] : [this.#target];
  }

  preventDefault(): void {
    if (this.cancelable && !this.#passive) this.#prevented = true;
  }

  /** With a single target there is nothing to propagate to. */
  stopPropagation(): void {}

  stopImmediatePropagation(): void {
    this.#stopped = true;
  }

  get [Symbol.toStringTag](): string {
    return 'Event';
  }

  /** Runs `listeners` in order on `target`; for EventTarget alone. */
  static dispatch(event: Event, target: EventTarget, listeners: readonly Listener[]): void {
    if (event.#phase !== Event.NONE) {
      throw new DOMException('the event is being dispatched already', 'InvalidStateError');
    }
    event.#target = target;
    event.#phase = Event.AT_TARGET;
    event.#stopped = false;
    for (const listener of listeners) {
      if (event.#stopped) break;
      if (listener.removed) continue;
      if (listener.once) target.removeEventListener(event.type, listener.callback, listener);
      event.#passive = listener.passive;
      call(listener.callback, target, event);
      event.#passive = false;
    }
    event.#phase = Event.NONE;
  }
}

export class CustomEvent<T = unknown> extends Event {
  readonly detail: T | null;

  constructor(type: string, init: EventInit & { detail?: T } = {}) {
    super(type, init);
    this.detail = init.detail ?? null;
  }

  override get [Symbol.toStringTag](): string {
    return 'CustomEvent';
  }
}

export type EventCallback =
  | ((this: EventTarget, event: Event) => unknown)
  | { handleEvent(event: Event): unknown };

export interface ListenOptions {
  once?: boolean;
  passive?: boolean;
  capture?: boolean;
  signal?: ListenSignal;
}

/** What addEventListener asks of an AbortSignal; abort.ts builds on this file. */
interface ListenSignal {
  readonly aborted: boolean;
  addEventListener(type: 'abort', callback: () => void, options: { once: true }): void;
}

interface Listener {
  readonly callback: EventCallback;
  readonly capture: boolean;
  readonly once: boolean;
  readonly passive: boolean;
  removed: boolean;
}

/** A throwing listener is reported and doesn't stop the others, DOM §2.10. */
function call(callback: EventCallback, target: EventTarget, event: Event): void {
  try {
    if (typeof callback === 'function') callback.call(target, event);
    else callback.handleEvent(event);
  } catch (error) {
    reportException(error, `a listener of "${event.type}"`);
  }
}

export class EventTarget {
  #listeners: Map<string, Listener[]> | null = null;

  addEventListener(
    type: string,
    callback: EventCallback | null,
    options: ListenOptions | boolean = {},
  ): void {
    if (callback === null || callback === undefined) return;
    const wanted = typeof options === 'boolean' ? { capture: options } : (options ?? {});
    const { once = false, passive = false, capture = false, signal } = wanted;
    if (signal?.aborted === true) return;
    this.#listeners ??= new Map();
    const list = this.#listeners.get(type) ?? [];
    if (list.some((other) => other.callback === callback && other.capture === capture)) return;
    // A fresh array: a dispatch under way goes on with the list it began with.
    const listener = { callback, capture, once, passive, removed: false };
    this.#listeners.set(type, [...list, listener]);
    signal?.addEventListener('abort', () => this.removeEventListener(type, callback, wanted), {
      once: true,
    });
  }

  removeEventListener(
    type: string,
    callback: EventCallback | null,
    options: { capture?: boolean } | boolean = {},
  ): void {
    const list = this.#listeners?.get(type);
    if (list === undefined) return;
    const capture = typeof options === 'boolean' ? options : options?.capture === true;
    const index = list.findIndex(
      (other) => other.callback === callback && other.capture === capture,
    );
    if (index < 0) return;
    list[index]!.removed = true;
    this.#listeners!.set(type, list.toSpliced(index, 1));
  }

  /** False when a listener prevented the default. */
  dispatchEvent(event: Event): boolean {
    if (!(event instanceof Event)) throw new TypeError('dispatchEvent needs an Event');
    Event.dispatch(event, this, this.#listeners?.get(event.type) ?? []);
    return !event.defaultPrevented;
  }

  get [Symbol.toStringTag](): string {
    return 'EventTarget';
  }
}
