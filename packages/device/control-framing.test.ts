import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CONTROL_HEAD_BYTES,
  CONTROL_PAYLOAD_BYTES_MAX,
  ControlReader,
  controlFrame,
  controlMark,
  emitControlHead,
} from './control-framing.ts';

/** A reader, and each client's stream as it came; an end is "end". */
function rig() {
  const seen: [number, string][] = [];
  const reader = new ControlReader({
    piece: (client, bytes) => void seen.push([client, Buffer.from(bytes).toString()]),
    end: (client) => void seen.push([client, 'end']),
  });
  return { reader, seen };
}

const text = (words: string): Uint8Array => new TextEncoder().encode(words);
const stream = Buffer.concat([
  controlFrame(7, text('hello')),
  controlFrame(0xffff_ffff, text('x')),
  controlFrame(7, new Uint8Array(0)),
]);

test('frames › in one piece › every client gets its bytes and its end', () => {
  const { reader, seen } = rig();
  assert.equal(reader.push(stream), null);
  assert.deepEqual(seen, [
    [7, 'hello'],
    [0xffff_ffff, 'x'],
    [7, 'end'],
  ]);
});

test('frames › cut anywhere › the same bytes', () => {
  for (let cut = 0; cut <= stream.length; cut++) {
    const { reader, seen } = rig();
    assert.equal(reader.push(stream.subarray(0, cut)), null);
    assert.equal(reader.push(stream.subarray(cut)), null);
    const bytes = seen.filter(([client, what]) => client === 7 && what !== 'end');
    assert.equal(bytes.map(([, what]) => what).join(''), 'hello');
    assert.deepEqual(seen.at(-1), [7, 'end']);
  }
});

test('half a head, half a payload › nothing, then what there is', () => {
  const { reader, seen } = rig();
  reader.push(stream.subarray(0, CONTROL_HEAD_BYTES));
  assert.deepEqual(seen, []);
  reader.push(stream.subarray(CONTROL_HEAD_BYTES, CONTROL_HEAD_BYTES + 2));
  assert.deepEqual(seen, [[7, 'he']]);
});

test('a mark between frames › nothing; restart › what is left of the old stream is skipped', () => {
  for (let cut = 0; cut < stream.length; cut++) {
    const { reader, seen } = rig();
    assert.equal(reader.push(Buffer.concat([controlMark(), stream.subarray(0, cut)])), null);
    reader.restart();
    seen.length = 0;
    const left = stream.subarray(cut);
    for (const bytes of [left, controlMark().subarray(0, 5)])
      assert.equal(reader.push(bytes), null);
    assert.deepEqual(seen, []);
    assert.equal(reader.push(Buffer.concat([controlMark().subarray(5), stream])), null);
    assert.equal(seen.length, 3);
  }
});

test('restart › after a fault, or behind bytes that look like some of a mark › read again', () => {
  const { reader, seen } = rig();
  assert.notEqual(reader.push(Uint8Array.of(0x80, 0, 0, 0, 0, 0, 0, 0)), null);
  reader.restart();
  assert.equal(reader.push(new Uint8Array(7).fill(0xff)), null);
  assert.equal(reader.push(Uint8Array.of(0, 0xff)), null);
  assert.equal(reader.push(controlMark()), null);
  assert.equal(reader.push(stream), null);
  assert.equal(seen.length, 3);
});

test('payload › the largest › read; one byte more › a fault, and nothing is read any more', () => {
  const { reader, seen } = rig();
  assert.equal(reader.push(controlFrame(1, new Uint8Array(CONTROL_PAYLOAD_BYTES_MAX))), null);
  assert.equal(seen.length, 1);
  const head = new Uint8Array(CONTROL_HEAD_BYTES);
  emitControlHead(head, 0, 1, CONTROL_PAYLOAD_BYTES_MAX + 1);
  const fault = { kind: 'field', offset: 0, value: CONTROL_PAYLOAD_BYTES_MAX + 1 };
  assert.deepEqual(reader.push(Buffer.concat([head, stream])), fault);
  assert.deepEqual(reader.push(stream), fault);
  assert.equal(seen.length, 1);
});
