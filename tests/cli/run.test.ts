import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import path from 'node:path';
import { after, test } from 'node:test';
import { freePort, HELLO_SITE, processesWith, Workspace } from './cli.ts';

const CONFIG = `import { arg, defineUnikernel, net } from 'morgana/config';
export default defineUnikernel({
  name: 'ender',
  main: './main.ts',
  devices: {},
  args: { how: arg.string({ doc: 'how to end' }) },
});
`;
const MAIN = `import type { Start } from 'morgana';
import type config from './morgana.config.ts';
export const start: Start<typeof config> = async ({ args, log }) => {
  log.info('how: ' + args.how);
  if (args.how === 'throw') throw new RangeError('thrown');
  return Number(args.how);
};
`;

const TWO_CARDS = {
  'two/morgana.config.ts': `import { defineUnikernel, net } from 'morgana/config';
export default defineUnikernel({
  name: 'two',
  main: './main.ts',
  devices: { first: net.ethernet({ index: 0 }), second: net.ethernet({ index: 1 }) },
  args: {},
});
`,
  'two/main.ts': `import type { Start } from 'morgana';
import type config from './morgana.config.ts';
export const start: Start<typeof config> = async ({ first, second }) => {
  for (const [index, device] of [first, second].entries()) {
    device.attach({ receive() {}, transmitReady() {} });
    device.reserve()!.fill(index, 0, 60).set(device.mac, 6);
    device.commit(60, [], null);
  }
  return 0;
};
`,
};

const work = new Workspace({
  ...TWO_CARDS,
  ...HELLO_SITE,
  'app.ts': "let count = 0;\nexport default { fetch: () => new Response('visit ' + ++count) };\n",
  'spin.ts': "export default { fetch: () => { console.log('spinning'); for (;;); } };\n",
  'ender/morgana.config.ts': CONFIG.replace(', net', ''),
  'ender/main.ts': MAIN,
});
after(() => work.remove());

for (const machine of ['microvm', 'q35']) {
  test(`${machine} › a website answers, Ctrl-C leaves nothing running`, async () => {
    const port = await freePort();
    const publish = `--publish=${port}:80`;
    const tool = work.start(['run', 'htdocs', publish, `--machine=${machine}`, '--memory=16']);
    await tool.wrote(/answered \d+ ms after start/);
    const response = await fetch(`http://127.0.0.1:${port}/`);
    assert.equal(response.status, 200);
    assert.match(await response.text(), /hello/);
    const forward = `hostfwd=tcp:127.0.0.1:${port}-:80`;
    assert.ok(processesWith(forward).length > 0);
    tool.child.kill('SIGINT');
    const { code, stdout, stderr } = await tool.ended;
    assert.equal(code, 130);
    assert.match(stdout, /^\[ +\d+\.\d{3}\] info htdocs: listening on port 80$/m);
    assert.match(stderr, new RegExp(`^morgana: http://localhost:${port} answered`, 'm'));
    assert.deepEqual(processesWith(forward), []);
  });
}

test('the tool is killed › so is the machine', async () => {
  const port = await freePort();
  const tool = work.start(['run', 'htdocs', `--publish=${port}:80`]);
  await tool.wrote(/answered \d+ ms/);
  tool.child.kill('SIGKILL');
  await tool.ended;
  const forward = `hostfwd=tcp:127.0.0.1:${port}-:80`;
  const deadline = performance.now() + 60_000;
  while (processesWith(forward).length > 0) {
    assert.ok(performance.now() < deadline, 'QEMU outlives its parent');
    await new Promise((resolve) => setImmediate(resolve));
  }
});

test('the tool is killed › so is a Node process that never comes to its signals', async () => {
  const port = await freePort();
  const tool = work.start(['run', 'spin.ts', '--target=node', `--publish=${port}:80`]);
  await tool.wrote(/listening on port 80/);
  const mine = work.path('.cache');
  const asked = connect(port, '127.0.0.1');
  asked.on('error', () => asked.destroy());
  asked.write('GET /spin HTTP/1.1\r\nhost: a\r\n\r\n');
  await tool.wrote(/spinning/);
  assert.ok(processesWith(mine).length > 0);
  tool.child.kill('SIGKILL');
  await tool.ended;
  asked.destroy();
  const deadline = performance.now() + 60_000;
  while (processesWith(mine).length > 0) {
    assert.ok(performance.now() < deadline, 'it outlives its parent');
    await new Promise((resolve) => setImmediate(resolve));
  }
});

test("a handler's first visitor is the first", async () => {
  const port = await freePort();
  const tool = work.start(['run', 'app.ts', `--publish=${port}:80`]);
  await tool.wrote(/answered \d+ ms/);
  const response = await fetch(`http://127.0.0.1:${port}/`);
  assert.equal(await response.text(), 'visit 1');
  tool.child.kill('SIGTERM');
  assert.equal((await tool.ended).code, 143);
});

test('two of one name › numbered, told apart by their directories, which go with them', async () => {
  const tools = [];
  for (const name of ['app', 'app-2']) {
    const port = await freePort();
    const tool = work.start(['run', 'app.ts', '--target=node', `--publish=${port}:80`]);
    tools.push(tool);
    await tool.wrote(/answered \d+ ms/);
    const home = work.path(`.run/unikernels/${name}`);
    assert.deepEqual(readdirSync(home).sort(), ['channel.sock', 'control.sock', 'info.json']);
    const info = JSON.parse(readFileSync(path.join(home, 'info.json'), 'utf8'));
    assert.deepEqual([info.name, info.app, info.target], [name, 'app', 'node']);
    assert.deepEqual(info.ports, [`127.0.0.1:${port}:80/tcp`]);
  }
  const taken = await work.run(['run', 'app.ts', '--target=node', '--name=app-2']);
  assert.match(taken.stderr, /error: a unikernel 'app-2' is running, take another --name\n/);
  assert.equal(taken.code, 2);
  for (const tool of tools) tool.child.kill('SIGTERM');
  for (const tool of tools) assert.equal((await tool.ended).code, 143);
  const left = readdirSync(work.path('.run/unikernels'));
  assert.deepEqual(
    left.filter((name) => name.startsWith('app')),
    [],
  );
});

test('target node › the same handler, the same ports', async () => {
  const port = await freePort();
  const args = ['run', 'app.ts', '--target=node', `--publish=${port}:8000`, '--', '--port=8000'];
  const tool = work.start(args);
  await tool.wrote(/answered \d+ ms/);
  const response = await fetch(`http://127.0.0.1:${port}/`);
  assert.equal(await response.text(), 'visit 1');
  tool.child.kill('SIGINT');
  assert.equal((await tool.ended).code, 130);
});

const ENDS: readonly [string[], number, RegExp][] = [
  [['--how=0'], 0, /info ender: how: 0/],
  [['--how=7'], 7, /info ender: how: 7/],
  [['--how=throw'], 70, /error ender: RangeError: thrown/],
  [['--nope=1'], 64, /^error: there is no argument --nope; see --help$/m],
  [[], 64, /^error: --how is required: how to end$/m],
  [['--help'], 0, /^ {2}--how=TEXT +how to end \(required\)$/m],
];

test('exit codes › of an image, built once', async () => {
  const built = await work.run(['run', 'ender', '--keep-image=kept.img', '--', '--how=3']);
  assert.equal(built.code, 3, built.stderr);
  for (const [args, code, output] of ENDS) {
    const ended = await work.run(['run', 'kept.img', '--', ...args]);
    assert.match(ended.stdout, output);
    assert.equal(ended.code, code, ended.stderr);
  }
});

for (const [args, code, output] of ENDS.slice(1, 4)) {
  test(`exit codes › of a process, ${args.join(' ')}`, async () => {
    const ended = await work.run(['run', 'ender', '--target=node', '--', ...args]);
    assert.match(ended.stdout, output);
    assert.equal(ended.code, code, ended.stderr);
  });
}

test('boot-time arguments reach the image as they were typed', async () => {
  const how = 'a b "c" \\d';
  const ended = await work.run(['run', 'ender', '--', `--how=${how}`]);
  assert.ok(ended.stdout.includes(`how: ${how}`), ended.stdout);
});

test('links › the cards in their order, on both kinds of machine', async () => {
  const built = await work.run(['build', 'two', '--output=two.img']);
  assert.equal(built.code, 0, built.stderr);
  for (const machine of ['microvm', 'q35']) {
    const sent = ['a', 'b'].map((name) => {
      const server = createServer().listen(work.path(`${machine}-${name}`));
      return new Promise<Buffer>((resolve) => {
        server.once('connection', (socket) => {
          const chunks: Buffer[] = [];
          socket.on('data', (chunk: Buffer) => chunks.push(chunk));
          socket.once('close', () => resolve(Buffer.concat(chunks)));
          server.close();
        });
      });
    });
    const links = ['a', 'b'].map(
      (name, index) => `--link=unix:${machine}-${name},mac=52:54:00:00:00:0${index + 1}`,
    );
    const ended = await work.run(['run', 'two.img', `--machine=${machine}`, ...links]);
    assert.equal(ended.code, 0, ended.stderr + ended.stdout);
    for (const [index, bytes] of (await Promise.all(sent)).entries()) {
      assert.equal(bytes.length, 4 + 60);
      assert.deepEqual(
        [...bytes.subarray(9, 18)],
        [index, 0x52, 0x54, 0, 0, 0, index + 1, index, index],
      );
    }
  }
  const few = await work.run(['run', 'two.img', '--link=unix:a']);
  assert.equal(few.code, 2);
  assert.match(few.stderr, /^error: two needs 2 networks, and has 1, give it --network=NAME/m);
});

test('an image on target node › refused', async () => {
  work.write('bare.img', '\x7fELF');
  const node = await work.run(['run', 'bare.img', '--target=node']);
  assert.equal(node.code, 1);
  assert.match(node.stderr, /an image does not run on target node/);
});

test('a port in use › one sentence', async () => {
  const holder = createServer();
  const port = await freePort();
  await new Promise<void>((resolve) => holder.listen(port, '127.0.0.1', resolve));
  const ended = await work.run(['run', 'htdocs', `--publish=${port}:80`]);
  holder.close();
  assert.equal(ended.code, 2);
  assert.match(
    ended.stderr,
    new RegExp(`^error: port ${port} of this machine is in use, stop`, 'm'),
  );
});

test('no QEMU › the command that installs it', async () => {
  const ended = await work.run(['run', 'htdocs'], { PATH: work.path('nowhere') });
  assert.equal(ended.code, 2);
  assert.match(
    ended.stderr,
    /^error: qemu-system-x86_64 is not installed, run: sudo apt-get install/m,
  );
});
