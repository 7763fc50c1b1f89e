/**
 * Web-standard handlers, an npm framework and a graph of devices: the same requests to a virtual
 * machine and to a process, the same answers.
 */

import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { connect } from 'node:net';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { freePort, type Tool, Workspace } from '../cli/cli.ts';
import { cannotBoot } from '../helpers/machine.ts';

const EXAMPLES = path.join(import.meta.dirname, '../../examples');
const ECHO_BYTES = 3_000_000;

interface Place {
  readonly name: string;
  /** Flags of `morgana run`. */
  readonly flags: readonly string[];
  readonly skip: string | false;
}

const MICROVM: Place = { name: 'microvm', flags: [], skip: cannotBoot };
const Q35: Place = { name: 'q35', flags: ['--machine=q35'], skip: cannotBoot };
const NODE: Place = { name: 'node', flags: ['--target=node'], skip: false };

/** Answers that no example gives: errors while answering, and streams that the peer may follow. */
const CLINIC = `
let calls = 0;
const steps = (count: number) => {
  let step = 0;
  return new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      controller.enqueue(new TextEncoder().encode('step ' + ++step + '\\n'));
      if (step === count) controller.close();
    },
  });
};
export default {
  async fetch(request: Request): Promise<Response> {
    calls++;
    switch (new URL(request.url).pathname) {
      case '/throw': throw new TypeError('patient');
      case '/reject': return Promise.reject(new Error('patient'));
      case '/nothing': return undefined as never;
      case '/steps': return new Response(steps(5));
      case '/broken': return new Response(new ReadableStream({
        start(controller) { controller.enqueue(new Uint8Array(10)); },
        pull() { throw new Error('torn'); },
      }));
      default: return new Response('call ' + calls);
    }
  },
};
`;

/** Ends by itself, with a listener still open. */
const LEAVER = {
  'leaver/morgana.config.ts': `import { defineUnikernel, net } from 'morgana/config';
export default defineUnikernel({
  name: 'leaver', main: './main.ts', devices: { stack: net.stack() }, args: {},
});
`,
  'leaver/main.ts': `import type { Start } from 'morgana';
import type config from './morgana.config.ts';
export const start: Start<typeof config> = async ({ stack, log }) => {
  const listening = await stack.listen(0, () => {});
  log.info('leaves, listening: ' + listening.ok);
  return 3;
};
`,
};

const work = new Workspace({ 'clinic.ts': CLINIC, ...LEAVER });
after(() => work.remove());

type Ask = (where: string, init?: RequestInit) => Promise<Response>;

/** Runs an application, gives `body` a way to ask it, and stops it with Ctrl-C. */
async function running(
  app: string,
  place: Place,
  body: (ask: Ask, tool: Tool, ports: readonly number[]) => Promise<void>,
  guestPorts: readonly number[] = [80],
): Promise<void> {
  const ports: number[] = [];
  for (const _ of guestPorts) ports.push(await freePort());
  const publish = guestPorts.map((guest, i) => `--publish=${ports[i]}:${guest}`);
  const tool = work.start(['run', app, '--memory=32', ...place.flags, ...publish]);
  try {
    await tool.wrote(/info \S+: listening on/);
    const ask: Ask = (where, init) =>
      fetch(`http://127.0.0.1:${ports[0]}${where}`, {
        signal: AbortSignal.timeout(60_000),
        ...init,
      });
    await body(ask, tool, ports);
  } finally {
    tool.child.kill('SIGINT');
  }
  assert.equal((await tool.ended).code, 130);
}

const textOf = async (answer: Promise<Response>): Promise<string> => (await answer).text();

for (const place of [MICROVM, NODE]) {
  describe(`handler on ${place.name}`, { skip: place.skip }, () => {
    test('example › routes, queries, bodies', () =>
      running(path.join(EXAMPLES, 'handler/app.ts'), place, async (ask) => {
        assert.equal(await textOf(ask('/')), 'Hello from a unikernel. Visit 1.\n');
        assert.equal(await textOf(ask('/')), 'Hello from a unikernel. Visit 2.\n');
        const greeting = await ask('/greet?name=J%C3%BCrgen');
        assert.match(greeting.headers.get('content-type') ?? '', /^application\/json/);
        assert.deepEqual(await greeting.json(), { hello: 'Jürgen' });
        assert.equal((await ask('/none')).status, 404);
        const body = randomFillSync(Buffer.alloc(ECHO_BYTES));
        const headers = { 'content-type': 'application/x-bits' };
        const echo = await ask('/echo', { method: 'POST', body, headers });
        assert.equal(echo.status, 200);
        assert.equal(echo.headers.get('content-type'), 'application/x-bits');
        assert.ok(body.equals(Buffer.from(await echo.arrayBuffer())));
      }));

    test('errors › 500, the server lives on; streams › as they are made', () =>
      running(work.path('clinic.ts'), place, async (ask, tool) => {
        for (const where of ['/throw', '/reject', '/nothing']) {
          const answer = await ask(where);
          assert.equal(answer.status, 500, where);
          assert.doesNotMatch(await answer.text(), /patient/);
        }
        await tool.wrote(/error \S+: .*TypeError: patient/);
        await assert.rejects(textOf(ask('/broken')));
        const steps = await ask('/steps');
        const parts: Uint8Array[] = [];
        for await (const part of steps.body!) parts.push(part);
        assert.ok(parts.length > 1, 'it came in one piece');
        assert.equal(Buffer.concat(parts).toString(), 'step 1\nstep 2\nstep 3\nstep 4\nstep 5\n');
        assert.equal(await textOf(ask('/')), 'call 6');
      }));
  });
}

for (const place of [MICROVM, Q35, NODE]) {
  test(`hono on ${place.name} › routes, JSON, streams`, { skip: place.skip }, () =>
    running(path.join(EXAMPLES, 'hono/app.ts'), place, async (ask) => {
      const post = (body: string): Promise<Response> => ask('/notes', { method: 'POST', body });
      const created = await post('{"text":"a <b> note"}');
      assert.equal(created.status, 201);
      const note: unknown = await created.json();
      const { id } = note as { id: string };
      assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
      assert.deepEqual(await (await ask(`/notes/${id}`)).json(), note);
      assert.match(await textOf(ask('/')), /<h1>1 notes<\/h1>[\s\S]*a &lt;b&gt; note/);
      assert.equal((await post('{"text":')).status, 400);
      assert.equal((await ask(`/notes/${id}`, { method: 'DELETE' })).status, 204);
      assert.equal((await ask(`/notes/${id}`)).status, 404);
      const numbers = Array.from({ length: 100 }, (_, i) => `${i + 1}\n`).join('');
      assert.equal(await textOf(ask('/count/100')), numbers);
    }),
  );
}

/** All that a TCP peer says before it closes. */
async function saidOn(port: number): Promise<string> {
  let text = '';
  const socket = connect(port, '127.0.0.1').setEncoding('utf8').setTimeout(60_000);
  socket.once('timeout', () => socket.destroy(new Error('silence')));
  for await (const part of socket) text += part;
  return text;
}

for (const place of [MICROVM, NODE]) {
  test(`devices on ${place.name} › HTTP and TCP over one stack`, { skip: place.skip }, () => {
    const app = path.join(EXAMPLES, 'devices');
    const body = async (ask: Ask, tool: Tool, ports: readonly number[]): Promise<void> => {
      await tool.wrote(/counting callers on port/);
      assert.match(await textOf(ask('/')), /<h1>Devices<\/h1>/);
      assert.equal(await saidOn(ports[1]!), 'visitor 1 of this boot\n');
      assert.equal(await saidOn(ports[1]!), 'visitor 2 of this boot\n');
    };
    return running(app, place, body, [80, 7]);
  });

  test(`exit code on ${place.name} › the program's is the tool's`, {
    skip: place.skip,
  }, async () => {
    const ended = await work.run(['run', 'leaver', ...place.flags]);
    assert.match(ended.stdout, /info leaver: leaves, listening: true$/m);
    assert.equal(ended.code, 3, ended.stderr);
  });

  test(`arguments on ${place.name} › --help, mistakes`, { skip: place.skip }, async () => {
    const run = (app: string, ...words: string[]): ReturnType<Workspace['run']> =>
      work.run(['run', path.join(EXAMPLES, app), ...place.flags, '--', ...words]);
    const help = await run('devices', '--help');
    assert.equal(help.code, 0, help.stderr);
    assert.match(help.stdout, /^ {2}--counterPort=PORT +TCP port of the counter \(default 7\)$/m);
    const unknown = await run('handler/app.ts', '--nope');
    assert.equal(unknown.code, 64, unknown.stderr);
    assert.match(unknown.stdout, /^error: there is no argument --nope; see --help$/m);
    const bad = await run('static-site', '--port=70000');
    assert.equal(bad.code, 64, bad.stderr);
    assert.match(bad.stdout, /^error: --port=70000: expected a port number/m);
  });
}
