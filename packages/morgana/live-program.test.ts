import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInThisContext } from 'node:vm';
import { err, instantOfMicros, Log, ok, type Result, TimerQueue, wallTimeOfMillis } from '#core';
import type { Flow, KvReadOnly, Stack } from '#device';
import { Response } from '#web';
import { FakeFlow } from '../http/test-flow.ts';
import { type LiveOptions, LiveProgram, type UpdateResult } from './live-program.ts';
import type { AnyContext } from './run.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

function evaluate(code: Uint8Array): Result<unknown, string> {
  try {
    return ok(runInThisContext(new TextDecoder().decode(code)));
  } catch (error) {
    return err(String(error));
  }
}

let versions = 0;
/** A script as bundlers write it; `body` sets members of `app`. */
function script(body: string): Uint8Array {
  const text = `(function(require,module,exports){
const { Response } = require('packages/web/response.ts');
const app = {}; exports.app = app;
${body}
})
//# sourceURL=app-${versions}.js`;
  versions += 1;
  return new TextEncoder().encode(text);
}

/** A handler whose answer is `text`, with `more`. */
const saying = (text: string, more = ''): Uint8Array =>
  script(`app.default = { fetch: () => new Response('${text}') }; ${more}`);
const RELOADS = 'app.reload = () => {};';

function bench(kind: LiveOptions['kind'], first: Uint8Array | null, devices: object = {}) {
  let accept: ((flow: Flow) => void) | null = null;
  const stack = {
    listen(port: number, onFlow: (flow: Flow) => void) {
      assert.equal(accept, null, 'the port is listened on once');
      accept = onFlow;
      return Promise.resolve(ok({ port, close() {} }));
    },
  } as unknown as Stack;
  const lines: string[] = [];
  const context: AnyContext = {
    args: { port: 80 },
    log: new Log((line) => lines.push(line), 'warn').source('test'),
    clock: { wall: () => wallTimeOfMillis(0) },
    entropy: { fill: () => {} },
    timers: new TimerQueue(instantOfMicros(0)),
    memoryBytes: 1 << 24,
    inspect: { section() {}, stack() {} },
    stack,
    ...devices,
  };
  const modules = { 'packages/web/response.ts': { Response } };
  const live = new LiveProgram({ kind, modules, evaluate, script: first });
  const connect = (): FakeFlow => {
    const flow = new FakeFlow();
    accept!(flow);
    return flow;
  };
  const update = (next: Uint8Array): Promise<UpdateResult> =>
    live.update({ script: next, contents: new Map() });
  return { live, context, connect, update, lines };
}

/** The body of the answer to a GET on `flow`. */
async function ask(flow: FakeFlow): Promise<string> {
  flow.send(GET);
  await new Promise((resolve) => setImmediate(resolve));
  return flow.takeText().split('\r\n\r\n')[1] ?? '';
}

test('handler › reload › open and new connections get the new one', async () => {
  const { live, context, connect, update } = bench('handler', saying('one'));
  await live.start(context);
  const flow = connect();
  assert.equal(await ask(flow), 'one');
  assert.deepEqual(await update(saying('two', RELOADS)), { kind: 'reloaded' });
  assert.equal(await ask(flow), 'two');
  assert.equal(await ask(connect()), 'two');
});

test('handler › reload while a request is in progress › it ends in the old code', async () => {
  const slow = script(`
    app.default = { fetch: () => new Promise((resolve) => { app.finish = resolve; }) };
    globalThis.finishOld = () => app.finish(new Response('old'));`);
  const { live, context, connect, update } = bench('handler', slow);
  await live.start(context);
  const flow = connect();
  assert.equal(await ask(flow), '');
  assert.deepEqual(await update(saying('new', RELOADS)), { kind: 'reloaded' });
  (globalThis as unknown as { finishOld(): void }).finishOld();
  await new Promise((resolve) => setImmediate(resolve));
  assert.match(flow.takeText(), /\r\n\r\nold$/);
  assert.equal(await ask(flow), 'new');
});

test('reload › gets the exports before and the context; its promise is waited for', async () => {
  const first = saying('one', 'app.count = 41;');
  const { live, context, connect, update } = bench('handler', first);
  await live.start(context);
  const next = script(`
    app.default = { fetch: () => new Response('count ' + app.count) };
    app.reload = async (previous, context) => {
      await undefined;
      app.count = previous.count + context.args.port;
    };`);
  assert.deepEqual(await update(next), { kind: 'reloaded' });
  assert.equal(await ask(connect()), 'count 121');
});

const BROKEN: readonly [string, Uint8Array, UpdateResult['kind'], RegExp][] = [
  ['exports no reload', saying('x'), 'restart', /exports no reload/],
  ['throws when evaluated', script(`throw new RangeError('too far')`), 'failed', /too far/],
  ['throws no error', script('throw null'), 'failed', /null/],
  ['does not parse', script('('), 'failed', /SyntaxError/],
  ['asks for what is not there', script(`require('no')`), 'failed', /has no module no/],
  ['exports no handler', script(RELOADS), 'failed', /fetch\(request\)/],
  ['reload throws', saying('x', `app.reload = () => { throw new Error('no') }`), 'failed', /no/],
  ['reload rejects', saying('x', 'app.reload = () => Promise.reject(7)'), 'failed', /7/],
];
for (const [what, next, kind, words] of BROKEN) {
  test(`handler › the new version ${what} › ${kind}, the old one serves on`, async () => {
    const { live, context, connect, update } = bench('handler', saying('old'));
    await live.start(context);
    const flow = connect();
    const result = await update(next);
    assert.equal(result.kind, kind);
    assert.match(JSON.stringify(result), words);
    assert.equal(await ask(flow), 'old');
    assert.deepEqual(await update(saying('mended', RELOADS)), { kind: 'reloaded' });
    assert.equal(await ask(flow), 'mended');
  });
}

test('an error › its place in the script', async () => {
  const { live, context, update } = bench('handler', saying('old'));
  await live.start(context);
  const next = saying('x', `\napp.reload = () => { throw new Error('here') };`);
  const result = await update(next);
  assert.ok(result.kind === 'failed' && result.during === 'reload');
  assert.match(result.error, /here[\s\S]*app-\d+\.js:5:/);
});

test('devices › reload takes over what the version before exported; start runs once', async () => {
  const first = script(`
    app.flows = new Set();
    app.start = async ({ stack }) => {
      app.listener = await stack.listen(7, (flow) => app.accept(flow));
    };
    app.accept = (flow) => {
      app.flows.add(flow);
      flow.attach({ data: () => flow.write('1') });
    };`);
  const { live, context, connect, update } = bench('devices', first);
  assert.equal(await live.start(context), undefined);
  const flow = connect();
  flow.send('x');
  const next = script(`
    app.start = () => { throw new Error('started again') };
    app.accept = (flow) => {
      app.flows.add(flow);
      flow.attach({ data: () => flow.write('2') });
    };
    app.reload = (previous) => {
      app.flows = previous.flows;
      for (const flow of app.flows) app.accept(flow);
      previous.accept = app.accept;
    };`);
  assert.deepEqual(await update(next), { kind: 'reloaded' });
  flow.send('x');
  const later = connect();
  later.send('x');
  assert.deepEqual([flow.writes, later.writes], [['1', '2'], ['2']]);
});

test('devices › start still runs, or has ended with a code › both as before', async () => {
  const endless = script('app.start = () => new Promise(() => {});');
  const running = bench('devices', endless);
  void running.live.start(running.context);
  assert.deepEqual(await running.update(script(RELOADS)), { kind: 'reloaded' });
  const ended = bench('devices', script('app.start = async () => 7;'));
  assert.equal(await ended.live.start(ended.context), 7);
});

test('before the start, and while another reload runs › restart', async () => {
  const { live, context, connect, update } = bench('handler', saying('old'));
  const early = await update(saying('x', RELOADS));
  assert.deepEqual(early, { kind: 'restart', why: 'the application has not started' });
  await live.start(context);
  const endless = update(saying('x', 'app.reload = () => new Promise(() => {})'));
  const second = await update(saying('y', RELOADS));
  assert.deepEqual(second, { kind: 'restart', why: 'the reload before has not returned' });
  assert.equal(await ask(connect()), 'old');
  assert.equal(await Promise.race([endless, 'waits']), 'waits');
});

const kv = (files: Readonly<Record<string, string>>): KvReadOnly => ({
  get(path) {
    const text = files[path];
    if (text === undefined) return null;
    const bytes = new TextEncoder().encode(text);
    return { bytes, modifiedSeconds: 0, digest: text.padStart(32, '0'), variants: [] };
  },
  paths: () => Object.keys(files).sort(),
});

test('website › changed files › on open connections too; ETags of the others stay', async () => {
  const site = kv({ 'index.html': 'first', 'same.html': 'same', 'gone.html': 'gone' });
  const { live, context, connect } = bench('static', null, { site });
  await live.start(context);
  const flow = connect();
  const etag = (path: string): string | undefined => {
    flow.send(GET.replace('/', path));
    return /ETag: "(\S+)"/i.exec(flow.takeText())?.[1];
  };
  assert.equal(await ask(flow), 'first');
  assert.equal(await ask(flow), 'first', 'from the answer that is kept');
  const [first, same] = [etag('/'), etag('/same.html')];
  const change = { changed: kv({ 'index.html': 'second' }), removed: ['gone.html'] };
  const result = await live.update({ script: null, contents: new Map([['site', change]]) });
  assert.deepEqual(result, { kind: 'reloaded' });
  assert.equal(await ask(flow), 'second');
  assert.notEqual(etag('/'), first);
  assert.equal(etag('/same.html'), same);
  flow.send(GET.replace('/', '/gone.html'));
  assert.match(flow.takeText(), /^HTTP\/1.1 404 /);
});

test('devices › changed content › reload gets it in its context', async () => {
  const site = kv({ a: 'one' });
  const { live, context } = bench('devices', script('app.start = async () => {};'), { site });
  await live.start(context);
  const next = script(`app.reload = (_, { site, stack }) => {
    globalThis.seen = [site.get('a').digest.slice(-3), typeof stack.listen];
  };`);
  const contents = new Map([['site', { changed: kv({ a: 'two' }), removed: [] }]]);
  assert.deepEqual(await live.update({ script: next, contents }), { kind: 'reloaded' });
  assert.deepEqual((globalThis as unknown as { seen: unknown }).seen, ['two', 'function']);
});
