/**
 * Hot reload of unikernels on our own TCP/IP, as a process and in QEMU: what curl and open
 * connections see of it, and what a hundred versions leave behind.
 */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, test } from 'node:test';
import { ControlClient } from '#inspect';
import { sendReload } from '../../tools/cli/reload-client.ts';
import { freePort, root, type Tool, Workspace } from './cli.ts';

const hasProcess = existsSync(path.join(root, 'build/base/process.elf'));
const skipProcess = hasProcess ? false : 'build/base/process.elf is missing: npm run setup';
const hasQemu = existsSync('/usr/bin/qemu-system-x86_64');
const skipQemu = hasQemu ? false : 'QEMU is not installed';

/** Holds a request until the next version takes over, and streams until then. */
const HANDLER = (text: string, more = ''): string => `import type { Reload } from 'morgana';
export const endings: (() => void)[] = [];
export const name = '${text} ';
const bytes = (text: string) => new TextEncoder().encode(text);
export default {
  async fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === '/hold') {
      console.log('a request is held');
      await new Promise<void>((resolve) => endings.push(resolve));
    }
    if (pathname !== '/stream') return new Response('${text}\\n');
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(bytes('begun by ${text}\\n'));
        endings.push(() => {
          controller.enqueue(bytes('ended by ${text}\\n'));
          controller.close();
        });
      },
    });
    return new Response(body);
  },
};
${more}`;
const TAKES_OVER = `export const reload: Reload = (previous) => {
  for (const end of previous.endings as typeof endings) end();
};
`;

const work = new Workspace({ 'app.ts': HANDLER('one') });
const runtime = work.path('rt');
mkdirSync(runtime, { mode: 0o700 });
const env = { MORGANA_RUNTIME_DIR: runtime };
after(() => work.remove());

/** A curl, and what it has written so far. */
class Curl {
  text = '';
  readonly ended: Promise<number | null>;
  private wake: () => void = () => {};

  constructor(...words: string[]) {
    const child = spawn('curl', ['-sS', '-m', '30', ...words], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.text += text;
      this.wake();
    });
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => {
        resolve(code);
        this.wake();
      });
    });
  }

  async wrote(pattern: RegExp): Promise<void> {
    let isOver = false;
    void this.ended.then(() => {
      isOver = true;
    });
    while (!pattern.test(this.text)) {
      assert.ok(!isOver, `curl ended without ${pattern}: ${this.text}`);
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }
}

async function stop(tool: Tool): Promise<void> {
  tool.child.kill('SIGTERM');
  assert.equal((await tool.ended).code, 0, tool.stderr);
}

/**
 * curl, over one reload of the application that `write` changes: one connection for all it asks,
 * and what is in progress meanwhile ends in the old code. Broken code before it changes nothing.
 */
async function reloadUnderCurl(
  tool: Tool,
  port: number,
  write: (text: string, more?: string) => void,
): Promise<void> {
  const at = (path: string): string => `http://127.0.0.1:${port}/${path}`;
  const kept = new Curl('-w', 'connects %{num_connects}\n', at('a'), at('hold'), at('c'));
  const streamed = new Curl('-N', at('stream'));
  await tool.wrote(/a request is held/);
  await streamed.wrote(/begun by one\n/);
  write('broken', `throw new Error('at once');\n`);
  await tool.wrote(
    /Error: at once\n.*app\.ts:\d+:\d+\)\n(.*\n)*error: .* failed during its evaluation/,
  );
  write('two');
  await tool.wrote(/reloaded in \d+ ms: connections go on/);
  assert.equal(await kept.ended, 0);
  assert.equal(kept.text, 'one\nconnects 1\none\nconnects 0\ntwo\nconnects 0\n');
  assert.equal(await streamed.ended, 0);
  assert.equal(streamed.text, 'begun by one\nended by one\n');
}

test('QEMU › curl keeps its connection; what is in progress ends in the old code', {
  skip: skipQemu,
}, async () => {
  const port = await freePort();
  const words = ['--target=pvh', '--accelerator=tcg', `--port=${port}`];
  const tool = work.start(['dev', 'app.ts', ...words], env);
  try {
    await tool.wrote(/listening on/);
    await reloadUnderCurl(tool, port, (text, more = '') =>
      work.write('app.ts', HANDLER(text, TAKES_OVER + more)),
    );
    assert.match(tool.stderr, /at once\n.*app\.ts:28:\d+\)\nerror:/, 'its place in the source');
  } finally {
    await stop(tool);
  }
});

/** The same handler, and an echo with the version's name in front: all outlives a version. */
const MAIN = `import type { Flow, Reload, Start } from 'morgana';
import { fetchHandler, type HttpServer, serveHttp } from 'morgana/http';
import handler, { endings, name } from './app.ts';
import type config from './morgana.config.ts';
interface State {
  readonly flows: Set<Flow>;
  accept(flow: Flow): void;
  server: HttpServer | null;
  endings: (() => void)[];
}
export let state: State = { flows: new Set(), accept, server: null, endings };
function accept(flow: Flow): void {
  state.flows.add(flow);
  flow.attach({
    data: (bytes) => flow.write(new TextEncoder().encode(name + new TextDecoder().decode(bytes))),
    drained() {},
    end: () => flow.shutdown(),
    closed: () => void state.flows.delete(flow),
  });
}
export const start: Start<typeof config> = async (context) => {
  const shared = state;
  const listening = await context.stack.listen(7, (flow) => shared.accept(flow));
  if (!listening.ok) throw new Error(listening.error.kind);
  shared.server = await serveHttp(context.stack, 80, fetchHandler(handler, context), context);
};
export const reload: Reload<typeof config, { state: State }> = (previous, context) => {
  state = previous.state;
  for (const end of state.endings) end();
  state.endings = endings;
  state.accept = accept;
  for (const flow of state.flows) accept(flow);
  state.server!.replaceHandler(fetchHandler(handler, context));
};
`;
const CONFIG = `import { arg, defineUnikernel, net } from 'morgana/config';
export default defineUnikernel({
  name: 'graph',
  main: './main.ts',
  devices: { stack: net.stack() },
  args: { port: arg.port({ default: 80, doc: 'not read' }) },
});
`;

/** Of these a machine has no room for five; they take over as MAIN does. */
const HEAVY = (index: number): string => `(function(require, module, exports) {
const heavy = new Uint8Array(4 << 20).fill(${index});
const { TextEncoder } = require('packages/web/encoding.ts');
const app = { get state() { return state; } };
let state;
const accept = (flow) => {
  state.flows.add(flow);
  flow.attach({
    data: () => flow.write(new TextEncoder().encode('v' + heavy[0])),
    drained() {}, end: () => flow.shutdown(), closed: () => state.flows.delete(flow),
  });
};
app.reload = (previous) => {
  state = previous.state;
  state.accept = accept;
  for (const flow of state.flows) accept(flow);
  const full = [new Uint8Array(8 << 20), {}]; // Now the engine looks for garbage.
};
exports.app = app;
})`;

function connect(port: number): net.Socket {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => socket.destroy());
  return socket;
}

/** On a raw connection: sends, and waits for the answer. */
async function ask(socket: net.Socket, text: string): Promise<string> {
  socket.write(text);
  return new Promise((resolve, reject) => {
    socket.once('data', (bytes) => resolve(bytes.toString()));
    socket.once('close', () => reject(new Error(`closed instead of an answer to ${text}`)));
  });
}

async function heapBytes(controlSocket: string): Promise<number> {
  const socket = net.connect(controlSocket);
  const client = new ControlClient((bytes) => void socket.write(bytes));
  socket.on('data', (bytes) => client.receive(bytes));
  const answer = await client.ask('snapshot', { heap: true });
  socket.destroy();
  assert.ok(answer.ok);
  return (answer.value as { heap: { usedBytes: number } }).heap.usedBytes;
}

test('process › curl and raw connections live through a hundred versions, in bounded memory', {
  skip: skipProcess,
}, async () => {
  work.write('graph/morgana.config.ts', CONFIG);
  work.write('graph/main.ts', MAIN);
  work.write('graph/app.ts', HANDLER('one'));
  const [port, echoPort] = [await freePort(), await freePort()];
  const ports = [`--port=${port}`, `--publish=${echoPort}:7`];
  const words = ['--target=process', '--network=reload', '--memory=24', ...ports];
  const tool = work.start(['dev', 'graph', ...words], env);
  try {
    await tool.wrote(/listening on/);
    const kept = connect(echoPort);
    assert.equal(await ask(kept, 'a'), 'one a');
    await reloadUnderCurl(tool, port, (text, more = '') =>
      work.write('graph/app.ts', HANDLER(text, more)),
    );
    assert.equal(await ask(kept, 'b'), 'two b');
    const later = connect(echoPort);
    assert.equal(await ask(later, 'c'), 'two c');
    const control = path.join(runtime, 'unikernels/graph/control.sock');
    const heaps: number[] = [];
    for (let i = 1; i <= 100; i++) {
      const bytes = new TextEncoder().encode(HEAVY(i));
      const request = { codeBytes: bytes.length, contents: [] };
      assert.deepEqual(await sendReload(control, { request, bytes }), { kind: 'reloaded' });
      if (i % 10 === 0) heaps.push(await heapBytes(control));
    }
    assert.equal(await ask(kept, 'd'), 'v100');
    assert.equal(await ask(later, 'e'), 'v100');
    // All scripts but the last are gone, and all clients that brought them.
    assert.ok(heaps.at(-1)! <= heaps[0]! + 4_096, `${heaps}`);

    work.write('graph/morgana.config.ts', CONFIG.replace("'not read'", "'still not read'"));
    await tool.wrote(/restarted, connections broke: its configuration changed/);
    await assert.rejects(ask(kept, 'f'));
    later.destroy();
  } finally {
    await stop(tool);
  }
});

test('a production image › has neither the command nor what it needs', {
  skip: skipProcess,
}, async () => {
  const words = ['--target=process', '--network=reload', '--name=production'];
  const image = work.path('production.elf');
  const run = ['run', 'app.ts', ...words, `--keep-image=${image}`];
  const tool = work.start(run, env);
  try {
    await tool.wrote(/listening on/);
    const control = path.join(runtime, 'unikernels/production/control.sock');
    const reload = { request: { codeBytes: 1, contents: [] }, bytes: new Uint8Array(1) };
    const result = await sendReload(control, reload);
    assert.match(result.kind === 'restart' ? result.why : '', /^no command 'reload' /);
  } finally {
    tool.child.kill('SIGTERM');
    await tool.ended;
  }
  // Names of functions are in the bytecode of both kinds of build.
  const own = ['evaluateScript', 'reloadCommand', 'LiveProgram', 'morgana:script'];
  const production = readFileSync(image);
  assert.ok(production.includes('fetchHandler'));
  assert.deepEqual(
    own.filter((name) => production.includes(name)),
    [],
  );
  const [development] = globSync(work.path('.cache/apps/*/dev.elf'));
  assert.deepEqual(
    own.filter((name) => readFileSync(development!).includes(name)),
    own,
  );
});
