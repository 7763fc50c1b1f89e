import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePort, Workspace } from './cli.ts';

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

test('a website › a changed page is served', async () => {
  const work = new Workspace({ 'htdocs/index.html': 'first', 'htdocs/sub/page.html': 'a' });
  const port = await freePort();
  const tool = work.start(['dev', 'htdocs', `--port=${port}`]);
  try {
    await tool.wrote(/listening on/);
    assert.equal(await read(port), 'first');
    work.write('htdocs/sub/page.html', 'changed');
    await tool.wrote(/(listening on[\s\S]*){2}/);
    const page = await fetch(`http://127.0.0.1:${port}/sub/page.html`);
    assert.equal(await page.text(), 'changed');
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
