/** Enough of node:assert/strict for this package's tests in a bare engine. */

import { inspect } from '../inspect.ts';

type Check = (new (...args: never[]) => unknown) | RegExp | Readonly<Record<string, unknown>>;

function fail(what: string): never {
  throw new Error(what);
}

function sameParts(a: object, b: object): boolean {
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (a instanceof Date) return Object.is(a.getTime(), (b as Date).getTime());
  if (a instanceof Map || a instanceof Set) return same([...a], [...(b as Set<unknown>)]);
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every(
    (key) => Object.hasOwn(b, key) && same(Reflect.get(a, key), Reflect.get(b, key)),
  );
}

function same(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
    return Object.is(a, b);
  }
  return a === b || sameParts(a, b);
}

function checkError(error: unknown, check: Check | undefined): void {
  if (check === undefined) return;
  if (check instanceof RegExp) {
    if (!check.test(String(error))) fail(`${error} does not match ${check}`);
  } else if (typeof check === 'function') {
    if (!(error instanceof check)) fail(`${error} is not a ${check.name}`);
  } else {
    for (const [key, value] of Object.entries(check)) {
      if (!same(Reflect.get(error as object, key), value)) fail(`${error} has another ${key}`);
    }
  }
}

const assert = {
  ok(value: unknown): void {
    if (!value) fail(`${inspect(value)} is not truthy`);
  },
  equal(a: unknown, b: unknown): void {
    if (!Object.is(a, b)) fail(`${inspect(a)} is not ${inspect(b)}`);
  },
  notEqual(a: unknown, b: unknown): void {
    if (Object.is(a, b)) fail(`${inspect(a)} is both`);
  },
  deepEqual(a: unknown, b: unknown): void {
    if (!same(a, b)) fail(`${inspect(a)} is not ${inspect(b)}`);
  },
  match(text: string, pattern: RegExp): void {
    if (!pattern.test(text)) fail(`${inspect(text)} does not match ${pattern}`);
  },
  throws(body: () => unknown, check?: Check): void {
    try {
      body();
    } catch (error) {
      checkError(error, check);
      return;
    }
    fail('nothing was thrown');
  },
  async rejects(promise: Promise<unknown>, check?: Check): Promise<void> {
    try {
      await promise;
    } catch (error) {
      checkError(error, check);
      return;
    }
    fail('the promise was not rejected');
  },
};

export default assert;
