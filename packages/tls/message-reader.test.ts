import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CERTIFICATE_BYTES_MAX, LONG_MESSAGES_BYTES_MAX, MESSAGE_BYTES_MAX } from './limits.ts';
import { MessageReader } from './message-reader.ts';
import { ServerStart } from './server-start.ts';
import { makeEnvironment, serverConfig, TestEnd } from './test-session.ts';
import { recordOf } from './test-tamper.ts';

const beginOf = (type: number, bytes: number): Uint8Array =>
  Uint8Array.of(type, bytes >> 16, (bytes >> 8) & 255, bytes & 255, 7);

test('long messages of many peers › as many as there is room for, until some are done', () => {
  const length = CERTIFICATE_BYTES_MAX;
  const readers = Array.from({ length: 40 }, () => new MessageReader());
  const count = Math.floor(LONG_MESSAGES_BYTES_MAX / (4 + length));
  for (const reader of readers) reader.take(beginOf(11, length), 0, 5);
  assert.equal(readers.filter(({ isCrowded }) => !isCrowded).length, count);
  const short = new MessageReader();
  short.take(beginOf(11, MESSAGE_BYTES_MAX - 4), 0, 5);
  assert.ok(!short.isCrowded);
  // A server says so.
  const end = new TestEnd(makeEnvironment());
  new ServerStart(end.engine, serverConfig());
  end.engine.receive(recordOf(22, beginOf(1, 100_000)));
  assert.equal(end.alert, 'sent internal_error');
  for (const reader of readers) reader.clear();
  const late = Array.from({ length: count }, () => new MessageReader());
  for (const reader of late) reader.take(beginOf(11, length), 0, 5);
  assert.ok(late.every(({ isCrowded }) => !isCrowded));
  for (const reader of [...late, short]) reader.clear();
});
