/**
 * structuredClone, HTML §2.7. Copies primitives and their wrappers, Date, RegExp, ArrayBuffer and
 * its views, Map, Set, errors, arrays, plain objects, Blob and File, with cycles. Deviates: a
 * transferred ArrayBuffer is detached only where the engine can do that
 * (ArrayBuffer.prototype.transfer); else it is copied.
 */

import { Blob } from './blob.ts';
import { DOMException } from './dom-exception.ts';

const uncloneable = (what: string): DOMException =>
  new DOMException(`${what} could not be cloned`, 'DataCloneError');

const ERRORS = new Map<string, ErrorConstructor>([
  ['EvalError', EvalError],
  ['RangeError', RangeError],
  ['ReferenceError', ReferenceError],
  ['SyntaxError', SyntaxError],
  ['TypeError', TypeError],
  ['URIError', URIError],
]);

/** A deep copy; throws a DataCloneError on functions, symbols, promises and the like. */
export function structuredClone<T>(
  value: T,
  options?: { transfer?: readonly unknown[] } | null,
): T {
  const transfer = options?.transfer ?? [];
  for (const one of transfer) {
    if (!(one instanceof ArrayBuffer)) throw uncloneable('an object to be transferred');
  }
  const copy = clone(value, new Map()) as T;
  for (const one of transfer as (ArrayBuffer & { transfer?: () => unknown })[]) one.transfer?.();
  return copy;
}

function clone(value: unknown, seen: Map<object, unknown>): unknown {
  if (typeof value === 'symbol') throw uncloneable(String(value));
  if (typeof value === 'function') throw uncloneable(`the function ${value.name || '(unnamed)'}`);
  if (typeof value !== 'object' || value === null) return value;
  const known = seen.get(value);
  if (known !== undefined) return known;
  const copy = cloneAtom(value, seen);
  if (copy !== null) {
    seen.set(value, copy);
    return copy;
  }
  return cloneContainer(value, seen);
}

/** The copy of an object that holds no others but a buffer, or null. */
function cloneAtom(value: object, seen: Map<object, unknown>): object | null {
  if (value instanceof Date) return new Date(value.getTime());
  if (value instanceof RegExp) return new RegExp(value.source, value.flags);
  if (value instanceof ArrayBuffer) return value.slice(0);
  if (value instanceof Boolean || value instanceof Number || value instanceof String) {
    return Object(value.valueOf());
  }
  if (value instanceof BigInt) return Object(value.valueOf());
  // Blobs never change, so the copy may be the same one.
  if (value instanceof Blob) return value;
  return ArrayBuffer.isView(value) ? cloneView(value, seen) : null;
}

function cloneView(view: ArrayBufferView, seen: Map<object, unknown>): object {
  const buffer = clone(view.buffer, seen) as ArrayBuffer;
  if (view instanceof DataView) return new DataView(buffer, view.byteOffset, view.byteLength);
  const typed = view as Uint8Array;
  const Typed = typed.constructor as Uint8ArrayConstructor;
  return new Typed(buffer, typed.byteOffset, typed.length);
}

function cloneContainer(value: object, seen: Map<object, unknown>): object {
  if (value instanceof Map) {
    const copy = new Map<unknown, unknown>();
    seen.set(value, copy);
    for (const [key, item] of [...value]) copy.set(clone(key, seen), clone(item, seen));
    return copy;
  }
  if (value instanceof Set) {
    const copy = new Set<unknown>();
    seen.set(value, copy);
    for (const item of [...value]) copy.add(clone(item, seen));
    return copy;
  }
  if (value instanceof Error) return cloneError(value, seen);
  const tag = Object.prototype.toString.call(value);
  if (!Array.isArray(value) && tag !== '[object Object]' && !isPlain(value)) {
    throw uncloneable(tag.slice(8, -1));
  }
  if (isHost(value)) throw uncloneable('an object with internal state');
  const copy: Record<string, unknown> | unknown[] = Array.isArray(value)
    ? new Array(value.length)
    : {};
  seen.set(value, copy);
  for (const key of Object.keys(value)) {
    const item = clone((value as Record<string, unknown>)[key], seen);
    Object.defineProperty(copy, key, {
      value: item,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
  return copy;
}

/** Objects whose state isn't in their properties. */
const isHost = (value: object): boolean =>
  value instanceof WeakMap ||
  value instanceof WeakSet ||
  value instanceof WeakRef ||
  value instanceof Promise;

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function cloneError(error: Error, seen: Map<object, unknown>): Error {
  if (error instanceof DOMException) return new DOMException(error.message, error.name);
  const copy = new (ERRORS.get(error.name) ?? Error)(error.message);
  seen.set(error, copy);
  Object.defineProperty(copy, 'stack', {
    value: error.stack,
    writable: true,
    configurable: true,
  });
  if ('cause' in error) {
    Object.defineProperty(copy, 'cause', {
      value: clone(error.cause, seen),
      writable: true,
      configurable: true,
    });
  }
  return copy;
}
