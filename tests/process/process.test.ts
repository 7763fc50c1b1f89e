/**
 * Images as Linux processes: what their links and disks do for real, over UNIX sockets, files and,
 * in a namespace, tap devices with the kernel's TCP at the other end.
 */

import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { hot } from '#core';
import { blockCases } from '#device/conformance';
import { listening } from '../helpers/listening.ts';
import { cannotTap, Namespace } from '../helpers/namespace.ts';
import { BASE_ELF, buildProcess, cannotRun, linkTestImage, Running } from './process.ts';

const skip = cannotRun;
const LARGE_BYTES = 8 * 1_048_576;

let work = '';
let site = '';
const images: Record<'net-conformance' | 'blocks' | 'client', string> = {
  'net-conformance': '',
  blocks: '',
  client: '',
};

before(async () => {
  if (skip !== false) return;
  work = mkdtempSync(path.join(tmpdir(), 'morgana-process-'));
  const files = path.join(work, 'site');
  mkdirSync(files);
  writeFileSync(path.join(files, 'small.txt'), 'x'.repeat(1024));
  writeFileSync(path.join(files, 'large.bin'), randomFillSync(Buffer.alloc(LARGE_BYTES)));
  site = await buildProcess(files);
  for (const name of Object.keys(images) as (keyof typeof images)[]) {
    images[name] = await linkTestImage(name);
  }
});

after(() => {
  for (const image of [site, ...Object.values(images)]) if (image !== '') rmSync(image);
  if (work !== '') rmSync(work, { recursive: true });
});

const run = (image: string, ...words: string[]) => new Running(image, words).ended;

describe('UNIX link', { skip }, () => {
  test('a process that is its own peer › the conformance suite passes', async () => {
    const socket = path.join(work, 'self');
    const links = [`--link=unix-listen:${socket}`, `--link=unix:${socket}`];
    const { code, console } = await run(images['net-conformance'], ...links);
    assert.equal(code, 0, console);
    assert.equal(console.match(/^ok /gm)?.length, 9);
    assert.ok(!existsSync(socket), 'nothing is left behind');
  });

  test('killed while it waits for its peer › the socket it left is no obstacle', async () => {
    const socket = path.join(work, 'stale');
    const words = [`--link=unix-listen:${socket}`];
    const first = new Running(images.blocks, words);
    await listening(socket);
    await first.stop();
    assert.ok(existsSync(socket));
    const second = new Running(images.blocks, [...words, `--link=unix:${socket}`]);
    assert.equal((await second.ended).code, 0);
  });

  test('a path where somebody else listens › refused', async () => {
    const socket = path.join(work, 'taken by somebody');
    const server = createServer().listen(socket);
    await once(server, 'listening');
    let peers = 0;
    server.on('connection', () => peers++);
    const { code, console } = await run(images.blocks, `--link=unix-listen:${socket}`);
    server.close();
    assert.match(console, /Address in use; name a path that is free/);
    assert.equal(code, 69);
    assert.equal(peers, 0);
  });

  test('two processes › one serves files to the other', async () => {
    const socket = path.join(work, 'two');
    const server = new Running(site, [
      ...['--mem=32', `--link=unix-listen:${socket}`, '--', '--ipv4=10.99.0.1/24'],
    ]);
    await listening(socket);
    const words = [`--link=unix:${socket}`, '--mem=64', '--', '/small.txt', '/large.bin'];
    const client = await run(images.client, ...words);
    assert.equal(client.code, 0, client.console);
    for (const name of ['small.txt', 'large.bin']) {
      const bytes = readFileSync(path.join(work, 'site', name));
      const sum = hot.checksum(bytes, 0, bytes.length, 0);
      assert.ok(client.console.includes(`/${name}: ${bytes.length} bytes, sum ${sum}\n`));
    }
    // Its only peer is gone.
    const { code, console } = await server.ended;
    assert.match(console, /error: the link unix-listen:\S+ was closed by its peer\n$/);
    assert.equal(code, 122);
  });
});

describe('hostile peer of a UNIX link', { skip }, () => {
  let server: Server;
  let socket = '';
  let play: (peer: Socket) => void = () => {};

  before(async () => {
    socket = path.join(work, 'hostile');
    server = createServer((peer) => {
      peer.on('error', () => peer.destroy());
      play(peer);
    });
    server.listen(socket);
    await once(server, 'listening');
  });
  after(() => server.close());

  const serve = () =>
    new Running(site, ['--mem=32', `--link=unix:${socket}`, '--', '--ipv4=10.99.0.1/24']);

  const words = (...lengths: number[]): Buffer => {
    const bytes = Buffer.alloc(4 * lengths.length);
    for (const [i, length] of lengths.entries()) bytes.writeUInt32BE(length, 4 * i);
    return bytes;
  };

  for (const [what, length] of [
    ['zero length', 0],
    ['shorter than an Ethernet header', 13],
    ['longer than any frame', 65_550],
    ['all ones', 0xffff_ffff],
  ] as const) {
    test(`${what} › one sentence, exit code 122`, async () => {
      play = (peer) => peer.write(words(length));
      const { code, console } = await serve().ended;
      const says = `error: the link unix:${socket} sent a frame of ${length} bytes, which no frame has`;
      assert.ok(console.includes(says), console);
      assert.equal(code, 122);
    });
  }

  test('half a frame, then closed › closed by its peer', async () => {
    play = (peer) => peer.end(Buffer.concat([words(100), Buffer.alloc(50)]));
    const { code, console } = await serve().ended;
    assert.match(console, /was closed by its peer\n$/);
    assert.equal(code, 122);
  });

  test('closed at once › closed by its peer', async () => {
    play = (peer) => peer.destroy();
    const { code, console } = await serve().ended;
    assert.match(console, /was closed by its peer\n$/);
    assert.equal(code, 122);
  });

  test('a frame, byte by byte › answered', async () => {
    const answered = new Promise<Buffer>((resolve) => {
      play = (peer) => {
        // Our announcement comes first; then we ask who has 10.99.0.1.
        let heard = Buffer.alloc(0);
        peer.on('data', (bytes: Buffer) => {
          heard = Buffer.concat([heard, bytes]);
          const at = heard.indexOf(Buffer.from('020000000099', 'hex'));
          if (at >= 0 && heard.length >= at + 42) resolve(heard.subarray(at));
        });
        const request = Buffer.from(
          `ffffffffffff02000000009908060001080006040001${'020000000099'}${'0a630063'}` +
            `${'000000000000'}${'0a630001'}`,
          'hex',
        );
        for (const byte of Buffer.concat([words(request.length), request])) {
          peer.write(Buffer.of(byte));
        }
      };
    });
    const running = serve();
    const reply = await answered;
    assert.equal(reply.readUInt16BE(20), 2, 'an ARP reply');
    assert.equal(reply.subarray(28, 32).join('.'), '10.99.0.1');
    await running.stop();
  });

  test('noise in frames of every length › goes on serving', async () => {
    const heard = new Promise<void>((resolve) => {
      play = (peer) => {
        let left = 300;
        const more = (): void => {
          for (; left > 0; left--) {
            const frame = randomFillSync(Buffer.alloc(14 + left * 5));
            frame.fill(0xff, 0, 6);
            frame.writeUInt16BE(left % 2 === 0 ? 0x0800 : 0x0806, 12);
            peer.write(Buffer.concat([words(frame.length), frame]));
          }
          peer.write('', () => resolve());
        };
        peer.once('data', more);
      };
    });
    const running = serve();
    await running.wrote(/listening on/);
    await heard;
    const { signal, console } = await running.stop('SIGTERM');
    assert.equal(signal, 'SIGTERM', console);
  });
});

describe('disks', { skip }, () => {
  const file = (name: string, bytes: number): string => {
    const place = path.join(work, name);
    writeFileSync(place, '');
    truncateSync(place, bytes);
    return place;
  };

  test('a file › the conformance suite passes, and what is written is in it', async () => {
    const place = file('data.img', 1_048_576);
    const { code, console } = await run(images.blocks, `--disk=data=${place}`);
    assert.equal(code, 0, console);
    assert.equal(console.match(/^ok data: /gm)?.length, blockCases.length);
    const bytes = readFileSync(place);
    assert.equal(bytes.length, 1_048_576);
    assert.equal(bytes.subarray(-512, -508).toString(), 'mark');
  });

  test('standard output closed › what would have been said goes nowhere, not to the disk', async () => {
    const place = file('quiet.img', 65_536);
    const script = `exec "$0" --disk=data="$1" >&- 2>&- <&-`;
    const { code, console } = await new Running('sh', ['-c', script, images.blocks, place]).ended;
    assert.equal(code, 0);
    assert.equal(console, '');
    const bytes = readFileSync(place);
    assert.equal(bytes.subarray(-512, -508).toString(), 'mark');
    assert.ok(!bytes.includes('ok data'));
  });

  test('several, one read only › each its own, in order', async () => {
    const [one, two] = [file('one.img', 65_536), file('two.img', 8_192)];
    writeFileSync(two, Buffer.alloc(8_192, 'abcd'));
    const disks = [`--disk=one=${one}`, `--disk=two=${two},readonly`];
    const { code, console } = await run(images.blocks, ...disks);
    assert.equal(code, 0, console);
    assert.match(console, /^ok one: [\s\S]*^ok two: read only[\s\S]*^read abcd$/m);
    assert.deepEqual(readFileSync(two), Buffer.alloc(8_192, 'abcd'));
  });

  const REFUSED: readonly [string, () => string[], number, RegExp][] = [
    ['no such file', () => [`--disk=a=${work}/none`], 69, /none: No such file or directory; /],
    ['a directory', () => [`--disk=a=${work},readonly`], 69, /neither a file nor a block device/],
    ['an odd size', () => [`--disk=a=${file('odd', 1000)}`], 69, /not a multiple of 512/],
    ['empty', () => [`--disk=a=${file('empty', 0)}`], 69, /not a multiple of 512/],
    ['no name', () => [`--disk==${file('x', 512)}`], 64, /give it NAME=FILE/],
    [
      'the same twice',
      () => [`--disk=a=${file('twice', 512)}`, `--disk=b=${work}/twice`],
      69,
      /another process uses this disk/,
    ],
    [
      'one name for two',
      () => [`--disk=a=${file('p', 512)}`, `--disk=a=${file('q', 512)}`],
      64,
      /two disks have this name/,
    ],
  ];
  for (const [what, words, expected, message] of REFUSED) {
    test(`${what} › one sentence, exit code ${expected}`, async () => {
      const { code, console } = await run(images.blocks, ...words());
      assert.match(console, message);
      assert.equal(console.split('\n').length, 2, 'one line');
      assert.equal(code, expected);
    });
  }
});

describe('command line', { skip }, () => {
  const nine = Array.from({ length: 9 }, (_, i) => `--link=unix:/nowhere/${i}`);
  const REFUSED: readonly [string[], number, RegExp][] = [
    [['--frob'], 64, /error: --frob: no such argument; see --help/],
    [['--mem=2'], 64, /give it 3 to 4095/],
    [['--mem=4096'], 64, /give it 3 to 4095/],
    [['--mem=8M'], 64, /not a number in its range/],
    [['--mem='], 64, /not a number in its range/],
    [['--link=eth0'], 64, /give it tap:NAME, unix:PATH or unix-listen:PATH/],
    [['--link=unix:'], 64, /not a link/],
    [['--link=unix:a,mac=01:00:00:00:00:01'], 64, /not the address of a station/],
    [['--link=unix:a,mac=02:00'], 64, /not the address of a station/],
    [[`--link=unix:${'a'.repeat(108)}`], 64, /the path is too long/],
    [['--link=unix:/nowhere'], 69, /start the peer that listens there first/],
    [['--link=unix-listen:/nowhere/a'], 69, /name a path that is free/],
    [['--link=tap:morgana-none'], 69, /No such device; make it: ip tuntap add/],
    [['--link=tap:lo'], 69, /error: tap:lo: /],
    [nine, 64, /give it 8 at most/],
    [['--control=unix:a', '--control=unix:b'], 64, /a second control channel; give it one/],
    [['--control=tap:tap0'], 64, /not a control channel; give it unix:PATH/],
    [['--control=unix:'], 64, /not a control channel/],
    [['--control=unix:/nowhere'], 69, /start the peer that listens there first/],
  ];
  for (const [words, expected, message] of REFUSED) {
    test(`${words.join(' ')} › one sentence, exit code ${expected}`, async () => {
      const { code, console } = await run(images.blocks, ...words);
      assert.match(console, message);
      assert.equal(code, expected);
    });
  }

  test('--help › the arguments, exit code 0', async () => {
    const { code, console } = await run(images.blocks, '--help');
    assert.match(console, /--link=tap:NAME/);
    assert.equal(code, 0);
  });

  test('less memory than the image needs › one sentence', async () => {
    const { code, console } = await run(site, '--mem=3');
    assert.match(console, /this image cannot start: it needs more memory/);
    assert.equal(code, 126);
  });

  test('an image that was cut short › a message, not a silent end', async () => {
    const cut = path.join(work, 'cut.elf');
    // Of the payload one page is left.
    const bytes = Math.ceil(statSync(BASE_ELF).size / 4096) * 4096 + 4096;
    writeFileSync(cut, readFileSync(site).subarray(0, bytes), { mode: 0o755 });
    const { code, console } = await run(cut, '--mem=32');
    assert.match(console, /bus error: was the image's file cut short/);
    assert.equal(code, 125);
  });
});

describe('tap', { skip: skip || cannotTap }, () => {
  let net: Namespace;
  let server: Running;

  before(async () => {
    net = await Namespace.open();
    await net.run('ip', 'link', 'set', 'lo', 'up');
    await addTap('tap0');
    await net.run('ip', 'address', 'add', '10.97.0.1/24', 'dev', 'tap0');
    const words = ['--mem=32', '--link=tap:tap0', '--', '--ipv4=10.97.0.2/24'];
    server = new Running(site, words, net.enter);
    await server.wrote(/listening on/);
  });
  after(async () => {
    await server?.stop();
    await net?.close();
  });

  async function addTap(name: string): Promise<void> {
    await net.run('ip', 'tuntap', 'add', 'dev', name, 'mode', 'tap');
    // No frames of the kernel's own accord.
    await net.run('ip', 'link', 'set', name, 'addrgenmode', 'none');
    await net.run('ip', 'link', 'set', name, 'up');
  }

  const download = async (file: string): Promise<void> => {
    const copy = path.join(work, 'copy');
    await net.run('curl', '-sS', '--max-time', '20', '-o', copy, `http://10.97.0.2/${file}`);
    assert.ok(readFileSync(copy).equals(readFileSync(path.join(work, 'site', file))), file);
  };

  test('a static site › served to the kernel, small and large', async () => {
    await download('small.txt');
    await download('large.bin');
  });

  test('a hundred connections › all answered', async () => {
    const url = 'http://10.97.0.2/small.txt?[1-100]';
    const options = ['-sS', '--max-time', '20', '-o', '/dev/null', '-H', 'Connection: close'];
    const counts = await net.run('curl', ...options, '-w', '%{http_code} %{num_connects}\n', url);
    assert.equal(counts, '200 1\n'.repeat(100));
  });

  test('privileges › none, and none to be had', () => {
    const status = readFileSync(`/proc/${server.pid}/status`, 'utf8');
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
      assert.match(status, new RegExp(`^${set}:\\s0{16}$`, 'm'));
    }
    assert.match(status, /^NoNewPrivs:\s1$/m);
    assert.match(status, /^Seccomp:\s2$/m);
  });

  test('memory › nothing is both writable and executable', () => {
    const maps = readFileSync(`/proc/${server.pid}/maps`, 'utf8');
    assert.doesNotMatch(maps, / .wx. /);
    assert.match(maps, / ---p .*\n/, 'the guard page');
  });

  test('a device in use › one sentence, exit code 69', async () => {
    const second = await new Running(site, ['--mem=32', '--link=tap:tap0'], net.enter).ended;
    assert.match(second.console, /error: tap:tap0: .*; end the process that uses it/);
    assert.equal(second.code, 69);
  });

  test('a user without the right to it › one sentence, exit code 69', async () => {
    const copy = path.join(tmpdir(), `morgana-nobody-${process.pid}.elf`);
    copyFileSync(images.blocks, copy);
    chmodSync(copy, 0o755);
    const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'];
    const enter = [...net.enter, ...nobody];
    const { code, console } = await new Running(copy, ['--link=tap:tap0'], enter).ended;
    rmSync(copy);
    assert.match(console, /error: tap:tap0: .*(permitted|denied|busy); /);
    assert.equal(code, 69);
  });

  test('two taps on a bridge › the conformance suite passes', async () => {
    await addTap('tap1');
    await addTap('tap2');
    await net.run('ip', 'link', 'add', 'bridge0', 'type', 'bridge', 'mcast_snooping', '0');
    for (const name of ['tap1', 'tap2']) {
      await net.run('ip', 'link', 'set', name, 'master', 'bridge0');
    }
    await net.run('ip', 'link', 'set', 'bridge0', 'addrgenmode', 'none', 'up');
    const links = ['--link=tap:tap1', '--link=tap:tap2'];
    const { code, console } = await new Running(images['net-conformance'], links, net.enter).ended;
    assert.equal(code, 0, console);
    assert.equal(console.match(/^ok /gm)?.length, 9);
  });

  test('the device goes down and up again › serves again', async () => {
    await net.run('ip', 'link', 'set', 'tap0', 'down');
    await net.run('ip', 'link', 'set', 'tap0', 'up');
    await download('small.txt');
  });

  test('the device is taken away › one sentence, exit code 122', async () => {
    await addTap('tap3');
    const words = ['--mem=32', '--link=tap:tap3', '--', '--ipv4=10.98.0.2/24'];
    const other = new Running(site, words, net.enter);
    await other.wrote(/listening on/);
    await net.run('ip', 'link', 'delete', 'tap3');
    const { code, console } = await other.ended;
    assert.match(console, /error: the link tap:tap3 was taken away\n$/);
    assert.equal(code, 122);
  });

  test('SIGTERM › ends it', async () => {
    assert.equal((await server.stop('SIGTERM')).signal, 'SIGTERM');
  });
});
