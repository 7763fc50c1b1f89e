import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { instantOfMicros, Log, TimerQueue } from '#core';
import { nodeCrypto } from '#targets/node/crypto';
import { Bench } from '../../http/test-flow.ts';
import { Answerer, statusOf } from '../../http/test-handlers.ts';
import {
  WEBHOOK_BODIES_MAX,
  WEBHOOK_BODY_BYTES_MAX,
  WEBHOOK_BODY_TIME_MAX,
  WEBHOOK_BODY_TIME_SAFE,
  Webhook,
} from './webhook.ts';

const SECRET = "It's a Secret to Everybody";
const log = new Log(() => {}, 'debug').source('test');

function rig() {
  let pushes = 0;
  const others = new Answerer(new Uint8Array([0x61]));
  const bench = new Bench(others);
  const { timers } = bench;
  const webhook = new Webhook({
    path: '/hook',
    secret: SECRET,
    crypto: nodeCrypto,
    timers,
    log,
    pushed: () => pushes++,
  });
  bench.server.replaceHandler(webhook.beside(others));
  const send = (request: string): string => {
    const flow = bench.connect();
    flow.send(request);
    return statusOf(flow.takeText());
  };
  return { webhook, others, bench, send, pushes: () => pushes };
}

const mac = (body: string): string => createHmac('sha256', SECRET).update(body).digest('hex');

function request(body: string, signature: string, more = '', line = 'POST /hook'): string {
  const signed = signature === '' ? '' : `X-Hub-Signature-256: ${signature}\r\n`;
  const length = `Content-Length: ${body.length}\r\n`;
  return `${line} HTTP/1.1\r\nHost: h\r\n${signed}${more}${length}\r\n${body}`;
}

test('GitHub’s own example › taken', () => {
  // docs.github.com, "Validating webhook deliveries", test values.
  const hex = '757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17';
  const { send, pushes } = rig();
  assert.equal(send(request('Hello, World!', `sha256=${hex}`)), '202');
  assert.equal(pushes(), 1);
});

test('other events › taken, and no reason to pull', () => {
  const { send, pushes } = rig();
  const more = 'X-GitHub-Event: ping\r\n';
  assert.equal(send(request('{}', `sha256=${mac('{}')}`, more)), '202');
  assert.equal(pushes(), 0);
  const push = 'X-GitHub-Event: push\r\n';
  assert.equal(send(request('{}', `sha256=${mac('{}')}`, push)), '202');
  assert.equal(pushes(), 1);
});

const good = `sha256=${mac('{}')}`;
for (const [what, signature] of [
  ['none', ''],
  ['of another body', `sha256=${mac('{ }')}`],
  ['one digit different', good.slice(0, -1) + (good.endsWith('0') ? '1' : '0')],
  ['cut', good.slice(0, -1)],
  ['longer', `${good}0`],
  ['of another hash', good.replace('sha256', 'sha1')],
  ['no digits', `sha256=${'z'.repeat(64)}`],
  ['upper case', good.toUpperCase()],
] as const) {
  test(`signature ${what} › 403, and nothing happens`, () => {
    const { send, pushes, webhook } = rig();
    assert.equal(send(request('{}', signature)), '403');
    assert.equal(pushes(), 0);
    assert.deepEqual(webhook.counts, { taken: 0, refused: 1, busy: 0, late: 0, replaced: 0 });
  });
}

test('other paths and methods › are the others’', () => {
  const { send, pushes } = rig();
  for (const line of ['POST /hook/', 'POST /', 'GET /hook', 'PUT /hook']) {
    assert.equal(send(request('', good, '', line)), '200', line);
  }
  assert.equal(pushes(), 0);
});

test('a body › at the bound taken, one byte more 413', () => {
  const { send, pushes } = rig();
  const body = 'x'.repeat(WEBHOOK_BODY_BYTES_MAX);
  assert.equal(send(request(body, `sha256=${mac(body)}`)), '202');
  assert.equal(send(request(`${body}x`, `sha256=${mac(`${body}x`)}`)), '413');
  assert.equal(pushes(), 1);
});

test('messages in progress › at the bound fine, one more 503; those that break off leave room', () => {
  const { bench, send, webhook } = rig();
  const whole = request('{}', good);
  const flows = Array.from({ length: WEBHOOK_BODIES_MAX }, () => bench.connect());
  for (const flow of flows) flow.send(whole.slice(0, -1));
  assert.equal(send(whole), '503');
  flows[0]!.close('reset');
  assert.equal(send(whole), '202');
  for (const flow of flows.slice(1)) flow.send('}');
  assert.deepEqual(
    flows.slice(1).map((flow) => statusOf(flow.takeText())),
    ['202', '202', '202'],
  );
  for (let i = 0; i < 3 * WEBHOOK_BODIES_MAX; i++) assert.equal(send(whole), '202');
  assert.equal(webhook.counts.busy, 1);
});

test('a body › at the bound of time taken, then too late: 408, and its place is free', () => {
  const { bench, send, webhook } = rig();
  const whole = request('{}', good);
  const limit = WEBHOOK_BODY_TIME_MAX / 1_000_000;
  const [inTime, late] = [bench.connect(), bench.connect()];
  inTime.send(whole.slice(0, -1));
  bench.pass(limit - 0.001);
  inTime.send('}');
  assert.equal(statusOf(inTime.takeText()), '202');
  const long = request('x'.repeat(100_000), good);
  late.send(long.slice(0, -90_000));
  // It goes on steadily, which is enough for the server.
  for (let passed = 0; passed < limit - 1; passed++) {
    bench.pass(1);
    late.send('x'.repeat(5_000));
  }
  bench.pass(1);
  assert.equal(statusOf(late.takeText()), '408');
  late.send('x'.repeat(5_000));
  assert.deepEqual(webhook.counts, { taken: 1, refused: 0, busy: 0, late: 1, replaced: 0 });
  webhook.checkInvariants();
  assert.equal(send(whole), '202');
});

test('all places taken by the slow › a newcomer gets the oldest one’s', () => {
  const { bench, send, webhook, pushes } = rig();
  const whole = request('{}', good);
  const safe = WEBHOOK_BODY_TIME_SAFE / 1_000_000;
  const flows = Array.from({ length: WEBHOOK_BODIES_MAX }, () => bench.connect());
  for (const flow of flows) flow.send(whole.slice(0, -1));
  bench.pass(safe - 0.001);
  assert.equal(send(whole), '503');
  bench.pass(0.001);
  assert.equal(send(whole), '202');
  assert.deepEqual(
    flows.map(({ isAborted }) => isAborted),
    [true, false, false, false],
  );
  flows[1]!.send('}');
  assert.equal(statusOf(flows[1]!.takeText()), '202');
  assert.equal(pushes(), 2);
  assert.deepEqual(webhook.counts, { taken: 2, refused: 0, busy: 1, late: 0, replaced: 1 });
  webhook.checkInvariants();
});

test('no secret › there is no webhook', () => {
  const timers = new TimerQueue(instantOfMicros(0));
  const options = { path: '/hook', secret: '', crypto: nodeCrypto, timers, log, pushed() {} };
  assert.throws(() => new Webhook(options), /needs a secret/);
});

test('a body of many pieces › one array, whatever the pieces; taken', () => {
  const { bench, pushes } = rig();
  const body = 'y'.repeat(10_000);
  const head = request(body, `sha256=${mac(body)}`).slice(0, -body.length);
  const chunked = head.replace(/Content-Length: \d+/, 'Transfer-Encoding: chunked');
  const flow = bench.connect();
  const made = globalThis.Uint8Array;
  let arrays = 0;
  globalThis.Uint8Array = new Proxy(made, {
    construct(target, args, self) {
      // Not what the connection makes of the bytes that the test sends.
      if (args[0] instanceof made && args[0].length === 1) arrays++;
      return Reflect.construct(target, args, self === globalThis.Uint8Array ? target : self);
    },
  });
  try {
    flow.send(`${chunked}${'1\r\ny\r\n'.repeat(body.length)}0\r\n\r\n`);
  } finally {
    globalThis.Uint8Array = made;
  }
  assert.equal(statusOf(flow.takeText()), '202');
  assert.equal(pushes(), 1);
  assert(arrays < 100, `${arrays} arrays of a byte`);
});
