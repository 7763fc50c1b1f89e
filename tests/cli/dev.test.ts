import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import { freePort, processesWith, Workspace } from './cli.ts';

const handler = (text: string): string =>
  `import { mark } from './mark.ts';
export default { fetch: () => new Response('${text}' + mark) };
`;

const read = async (port: number): Promise<string> =>
  (await fetch(`http://127.0.0.1:${port}/`)).text();

test('a change › built and served; an error › shown, the old version serves on', async () => {
  const work = new Workspace({ 'app.ts': handler('one'), 'mark.ts': "export const mark = '!';\n" });
  const port = await freePort();
  const tool = work.start(['dev', 'app.ts', `--port=${port}`]);
  const count = (pattern: RegExp): number => [...tool.stdout.matchAll(pattern)].length;
  try {
    await tool.wrote(/listening on/);
    assert.equal(await read(port), 'one!');

    work.write('app.ts', handler('two'));
    await tool.wrote(/(listening on[\s\S]*){2}/);
    assert.equal(await read(port), 'two!');

    work.write('mark.ts', 'export const mark: string = 1;\n');
    await tool.wrote(/mark\.ts\(1,14\): error TS2322[\s\S]*the version before still serves/);
    assert.equal(await read(port), 'two!');
    assert.equal(count(/listening on/g), 2);

    work.write('mark.ts', "export const mark = '?';\n");
    await tool.wrote(/(listening on[\s\S]*){3}/);
    assert.equal(await read(port), 'two?');
  } finally {
    tool.child.kill('SIGINT');
    assert.equal((await tool.ended).code, 0);
    work.remove();
  }
  await assert.rejects(read(port));
});

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
/** The longest wait for an answer, on a busy machine. */
const READ_MS_MAX = 60_000;

/** One kept connection of an HTTP client: a socket, and what came on it since the last look. */
class Kept {
  readonly socket: net.Socket;
  private text = '';
  private wake: () => void = () => {};

  constructor(port: number) {
    this.socket = net.connect(port, '127.0.0.1');
    this.socket.setEncoding('latin1').on('data', (text: string) => {
      this.text += text;
      this.wake();
    });
    this.socket.on('error', () => this.socket.destroy());
    this.socket.on('close', () => {
      this.text += '<closed>';
      this.wake();
    });
  }

  opened(): Promise<void> {
    return new Promise((resolve) => this.socket.once('connect', resolve));
  }

  send(path: string): void {
    this.socket.write(GET.replace('/', path));
  }

  /** What came up to and with `pattern`. */
  async read(pattern: RegExp): Promise<string> {
    const late = setTimeout(() => this.socket.destroy(), READ_MS_MAX);
    while (!pattern.test(this.text)) {
      if (this.text.includes('<closed>')) assert.fail(`closed, not ${pattern}: ${this.text}`);
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    clearTimeout(late);
    const text = this.text;
    this.text = '';
    return text;
  }
}

test('a website › a changed page › in place: the connection stays, its ETag changes', async () => {
  const files = { 'index.html': 'first', 'sub/page.html': 'a', 'old.html': 'old' };
  const work = new Workspace(
    Object.fromEntries(Object.entries(files).map(([name, text]) => [`htdocs/${name}`, text])),
  );
  const port = await freePort();
  const tool = work.start(['dev', 'htdocs', `--port=${port}`]);
  try {
    await tool.wrote(/listening on/);
    const kept = new Kept(port);
    const etagOf = async (path: string, body: RegExp): Promise<string | undefined> => {
      kept.send(path);
      return /etag: (\S+)/i.exec(await kept.read(body))?.[1];
    };
    const index = await etagOf('/', /first$/);
    const page = await etagOf('/sub/page.html', /\na$/);
    work.write('htdocs/sub/page.html', 'changed');
    await tool.wrote(/reloaded in \d+ ms/);
    assert.notEqual(await etagOf('/sub/page.html', /changed$/), page);
    assert.equal(await etagOf('/', /first$/), index);
    rmSync(work.path('htdocs/old.html'));
    work.write('htdocs/new/index.html', 'new');
    await tool.wrote(/(reloaded in[\s\S]*){2}/);
    await etagOf('/old.html', /404 Not Found\n$/);
    await etagOf('/new/', /new$/);
    kept.socket.destroy();
    assert.equal([...tool.stdout.matchAll(/listening on/g)].length, 1);
  } finally {
    tool.child.kill('SIGINT');
    await tool.ended;
    work.remove();
  }
});

test('a module with reload › its state and connections go on; broken ones change nothing', async () => {
  const app = (text: string, reload: string): string => `export let visits = 0;
export const streams: (() => void)[] = [];
export default {
  async fetch(request: Request): Promise<Response> {
    visits += 1;
    if (!request.url.endsWith('/stream')) return new Response('${text} ' + visits);
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('begun by ${text}, '));
        streams.push(() => {
          controller.enqueue(new TextEncoder().encode('ended by ${text}'));
          controller.close();
        });
      },
    });
    return new Response(body);
  },
};
${reload}`;
  const takeOver = `export const reload: Reload<HandlerConfig, Before> = (previous) => {
  visits = previous.visits;
  for (const end of previous.streams) setTimeout(end, 1);
};
import type { HandlerConfig, Reload } from 'morgana';
type Before = { visits: number; streams: (() => void)[] };
`;
  const work = new Workspace({ 'app.ts': app('one', '') });
  const port = await freePort();
  const tool = work.start(['dev', 'app.ts', `--port=${port}`]);
  try {
    await tool.wrote(/listening on/);
    const kept = new Kept(port);
    kept.send('/');
    await kept.read(/one 1$/);
    const streamed = new Kept(port);
    streamed.send('/stream');
    await streamed.read(/begun by one, /);

    work.write('app.ts', app('two', takeOver));
    await tool.wrote(/reloaded in \d+ ms: connections go on/);
    kept.send('/');
    await kept.read(/two 3$/);
    await streamed.read(/ended by one\r\n0\r\n\r\n$/);

    work.write('app.ts', app('three', takeOver.replace('visits =', 'throw new Error("oh");\n //')));
    await tool.wrote(/failed during its reload[\s\S]*the version before still serves/);
    const trace = /Error: oh\n.*reload \(app\.ts:20:9\)\nerror:/;
    assert.match(tool.stderr, trace, 'its place, and none of ours');
    work.write('app.ts', `${app('four', takeOver)}\nundefinedName();\n`);
    await tool.wrote(/app\.ts\(\d+,1\): error TS\d+: .*undefinedName/);
    work.write('app.ts', `${app('five', takeOver)}\nthrow new Error('at once');\n`);
    await tool.wrote(/Error: at once[\s\S]*failed during its evaluation/);
    kept.send('/');
    await kept.read(/two 4$/);

    work.write('app.ts', app('six', ''));
    await tool.wrote(/restarted, connections broke: the application exports no reload\(previous\)/);
    await tool.wrote(/(listening on[\s\S]*){2}/);
    await kept.read(/<closed>/);
    assert.equal(await read(port), 'six 1');

    const fetches = `${app('seven', takeOver)}export const ask = () => fetch('http://a/');\n`;
    work.write('app.ts', fetches);
    await tool.wrote(/restarted, connections broke: it uses fetch now/);
    await tool.wrote(/(listening on[\s\S]*){3}/);
    assert.equal(await read(port), 'seven 1');
  } finally {
    tool.child.kill('SIGINT');
    await tool.ended;
    work.remove();
  }
});

test('an application that starts with errors › served once they are mended', async () => {
  const work = new Workspace({ 'app.ts': 'export default { fetch: () => 1 };\n' });
  const port = await freePort();
  const tool = work.start(['dev', 'app.ts', `--port=${port}`]);
  try {
    await tool.wrote(/error TS\d+[\s\S]*error: 1 type error in app/);
    work.write('app.ts', "export default { fetch: () => new Response('up') };\n");
    await tool.wrote(/listening on/);
    assert.equal(await read(port), 'up');
  } finally {
    tool.child.kill('SIGINT');
    await tool.ended;
    work.remove();
  }
});

test('an application that is busy for ever › SIGTERM ends it all the same', async () => {
  const work = new Workspace({
    'app.ts': 'export default { fetch(): Response { for (;;) Math.random(); } };\n',
  });
  const port = await freePort();
  const tool = work.start(['dev', 'app.ts', `--port=${port}`]);
  try {
    await tool.wrote(/listening on/);
    const busy = new Kept(port);
    await busy.opened();
    await new Promise<void>((resolve) => busy.socket.write(GET, () => resolve()));
  } finally {
    tool.child.kill('SIGTERM');
    assert.equal((await tool.ended).code, 0);
    assert.deepEqual(processesWith(work.directory), []);
    work.remove();
  }
});

test('an image › refused', async () => {
  const work = new Workspace({ 'a.img': '\x7fELF' });
  const { code, stderr } = await work.run(['dev', 'a.img']);
  work.remove();
  assert.equal(code, 1);
  assert.match(stderr, /dev takes an application/);
});

test('a file beside the sources that is no part of them › no rebuild', async () => {
  const work = new Workspace({ 'app.ts': handler('one'), 'mark.ts': "export const mark = '!';\n" });
  const port = await freePort();
  const tool = work.start(['dev', 'app.ts', `--port=${port}`]);
  try {
    await tool.wrote(/listening on/);
    work.write('dev.log', 'what a shell redirects here');
    work.write('other.ts', 'export {};\n');
    work.write('app.ts', handler('two'));
    await tool.wrote(/(listening on[\s\S]*){2}/);
    assert.equal(await read(port), 'two!');
    work.write('mark.ts', "export const mark = '?';\n");
    await tool.wrote(/(listening on[\s\S]*){3}/);
    assert.equal(await read(port), 'two?');
    assert.equal([...tool.stdout.matchAll(/listening on/g)].length, 3);
  } finally {
    tool.child.kill('SIGINT');
    assert.equal((await tool.ended).code, 0);
    work.remove();
  }
});

test('the port is taken › the flag that chooses another', async () => {
  const work = new Workspace({ 'app.ts': handler('one'), 'mark.ts': "export const mark = '!';\n" });
  const port = await freePort();
  const first = work.start(['dev', 'app.ts', `--port=${port}`]);
  try {
    await first.wrote(/listening on/);
    const { code, stderr } = await work.run(['dev', 'app.ts', `--port=${port}`]);
    assert.equal(code, 2);
    assert.match(stderr, /is in use, .*choose another: --port=\d+\n$/);
  } finally {
    first.child.kill('SIGINT');
    await first.ended;
    work.remove();
  }
});
