/** Event, EventTarget, AbortController, AbortSignal, DOMException. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AbortController, AbortSignal } from './abort.ts';
import { DOMException } from './dom-exception.ts';
import { CustomEvent, Event, EventTarget } from './event-target.ts';
import { installTestPlatform } from './testing/platform.ts';

test('EventTarget › listeners › in order, once, removed', () => {
  installTestPlatform();
  const target = new EventTarget();
  const seen: string[] = [];
  const second = () => seen.push('second');
  target.addEventListener('x', () => seen.push('first'), { once: true });
  target.addEventListener('x', second);
  target.addEventListener('x', second);
  target.addEventListener('x', { handleEvent: (event) => seen.push(event.type) });
  target.dispatchEvent(new Event('x'));
  target.removeEventListener('x', second);
  target.removeEventListener('x', () => {});
  target.removeEventListener('y', second);
  target.dispatchEvent(new Event('x'));
  assert.deepEqual(seen, ['first', 'second', 'x', 'x']);
});

test('EventTarget › a listener that throws › reported, the others run', () => {
  const { lines } = installTestPlatform();
  const target = new EventTarget();
  let ran = false;
  target.addEventListener('x', () => {
    throw new Error('boom');
  });
  target.addEventListener('x', () => {
    ran = true;
  });
  assert.equal(target.dispatchEvent(new Event('x')), true);
  assert.equal(ran, true);
  assert.match(lines[0]!, /boom/);
});

test('EventTarget › listeners changed during dispatch', () => {
  installTestPlatform();
  const target = new EventTarget();
  const seen: string[] = [];
  const removed = () => seen.push('removed');
  target.addEventListener('x', () => {
    target.removeEventListener('x', removed);
    target.addEventListener('x', () => seen.push('added'));
  });
  target.addEventListener('x', removed);
  target.dispatchEvent(new Event('x'));
  assert.deepEqual(seen, []);
});

test('Event › preventDefault, stopImmediatePropagation, state', () => {
  installTestPlatform();
  const target = new EventTarget();
  const event = new CustomEvent('x', { cancelable: true, detail: 7 });
  target.addEventListener('x', (one) => {
    assert.equal(one.eventPhase, Event.AT_TARGET);
    assert.equal(one.currentTarget, target);
    assert.deepEqual(one.composedPath(), [target]);
    assert.throws(() => target.dispatchEvent(one), { name: 'InvalidStateError' });
    one.preventDefault();
    one.stopImmediatePropagation();
  });
  target.addEventListener('x', () => assert.ok(false));
  assert.equal(target.dispatchEvent(event), false);
  assert.equal(event.detail, 7);
  assert.equal(event.target, target);
  assert.equal(event.currentTarget, null);
  const fixed = new Event('y');
  fixed.preventDefault();
  assert.equal(fixed.defaultPrevented, false);
});

test('Event › passive listeners › cannot prevent', () => {
  installTestPlatform();
  const target = new EventTarget();
  target.addEventListener('x', (event) => event.preventDefault(), { passive: true });
  assert.equal(target.dispatchEvent(new Event('x', { cancelable: true })), true);
});

test('Event › misuse › TypeError', () => {
  installTestPlatform();
  assert.throws(() => new (Event as unknown as new () => Event)(), TypeError);
  assert.throws(() => new EventTarget().dispatchEvent({ type: 'x' } as never), TypeError);
});

test('AbortController › abort › state, event, reason; the second one does nothing', () => {
  installTestPlatform();
  const controller = new AbortController();
  const { signal } = controller;
  let events = 0;
  signal.addEventListener('abort', () => events++);
  signal.onabort = () => events++;
  signal.throwIfAborted();
  assert.equal(signal.aborted, false);
  controller.abort('why');
  controller.abort('again');
  assert.equal(signal.aborted, true);
  assert.equal(signal.reason, 'why');
  assert.equal(events, 2);
  assert.throws(() => new (AbortSignal as new () => AbortSignal)(), TypeError);
});

test('AbortSignal › abort, throwIfAborted', () => {
  installTestPlatform();
  const signal = AbortSignal.abort();
  assert.throws(() => signal.throwIfAborted(), { name: 'AbortError', code: 20 });
  assert.equal(AbortSignal.abort(3).reason, 3);
});

test('AbortSignal › timeout', () => {
  const { pass } = installTestPlatform();
  const signal = AbortSignal.timeout(50);
  pass(49);
  assert.equal(signal.aborted, false);
  pass(2);
  assert.equal((signal.reason as DOMException).name, 'TimeoutError');
  for (const wrong of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => AbortSignal.timeout(wrong), TypeError);
  }
});

test('AbortSignal › any › first reason, also through another any', () => {
  installTestPlatform();
  const a = new AbortController();
  const b = new AbortController();
  const inner = AbortSignal.any([a.signal, b.signal]);
  const outer = AbortSignal.any([inner]);
  let seen = 0;
  outer.addEventListener('abort', () => {
    // All are aborted before any event.
    assert.equal(inner.aborted, true);
    seen++;
  });
  b.abort('b');
  a.abort('a');
  assert.equal(outer.reason, 'b');
  assert.equal(inner.reason, 'b');
  assert.equal(seen, 1);
  assert.equal(AbortSignal.any([a.signal]).reason, 'a');
  assert.equal(AbortSignal.any([]).aborted, false);
});

test('EventTarget › signal option › removes the listener', () => {
  installTestPlatform();
  const target = new EventTarget();
  const controller = new AbortController();
  let count = 0;
  target.addEventListener('x', () => count++, { signal: controller.signal });
  target.dispatchEvent(new Event('x'));
  controller.abort();
  target.dispatchEvent(new Event('x'));
  target.addEventListener('x', () => count++, { signal: controller.signal });
  target.dispatchEvent(new Event('x'));
  assert.equal(count, 1);
});

test('DOMException › name, code, cause', () => {
  const error = new DOMException('m', 'DataCloneError');
  assert.ok(error instanceof Error);
  assert.equal(error.code, 25);
  assert.equal(error.message, 'm');
  assert.equal(new DOMException().name, 'Error');
  assert.equal(new DOMException('m', 'toString').code, 0);
  assert.equal(new DOMException('m', { name: 'AbortError', cause: 1 }).cause, 1);
});

test('EventTarget › null for no options', () => {
  installTestPlatform();
  const target = new EventTarget();
  let count = 0;
  const listener = () => count++;
  target.addEventListener('x', listener, null as never);
  target.dispatchEvent(new Event('x'));
  target.removeEventListener('x', listener, null as never);
  target.dispatchEvent(new Event('x'));
  assert.equal(count, 1);
});
