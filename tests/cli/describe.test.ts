import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { net } from '../../packages/morgana/config.ts';
import { deviceOrder } from '../../packages/morgana/devices.ts';
import type { App } from '../../tools/cli/app.ts';
import { linkedParts } from '../../tools/cli/base.ts';
import { describeApp } from '../../tools/cli/describe-app.ts';
import { formatDot } from '../../tools/cli/describe-dot.ts';
import { formatHtml, scaleDrawing } from '../../tools/cli/describe-html.ts';
import { diffDescriptions, formatDiff, formatText } from '../../tools/cli/describe-text.ts';
import {
  appendDescription,
  type Description,
  findDescription,
  parseDescription,
} from '../../tools/cli/description.ts';
import { HELLO_SITE, Workspace } from './cli.ts';

const SITE: Description = {
  format: 1,
  name: 'site',
  kind: 'devices',
  target: 'pvh',
  devices: [
    {
      name: 'net.ethernet',
      kind: 'net.ethernet',
      named: false,
      implementation: 'virtio-net',
      needs: [],
    },
    {
      name: 'stack',
      kind: 'net.stack',
      named: true,
      implementation: 'our own TCP/IP',
      needs: ['net.ethernet'],
    },
    { name: 'files', kind: 'kv.directory', named: true, implementation: 'linked <in>', needs: [] },
  ],
  packages: [
    { name: 'npm:hono', bytes: 48_691, lines: 1_200, files: 3, because: ['main.ts'] },
    { name: 'app', bytes: 600, lines: 20, files: 1, because: [] },
  ],
  args: {
    port: { kind: 'port', default: 80, doc: 'the port' },
    key: { kind: 'string', doc: 'a "key" & more' },
  },
  capabilities: {
    ports: [{ arg: 'port', default: 80 }],
    network: ['Ethernet interface 0'],
    disks: [{ name: 'data', bytesMin: 1_048_576, readOnly: true }],
    content: [{ device: 'files', files: 2, bytes: 1_500 }],
  },
  image: {
    bytes: 1_000_000,
    parts: [
      { name: 'base', bytes: 50_000 },
      { name: 'engine', bytes: 900_000 },
      { name: 'npm:hono', bytes: 50_000 },
    ],
  },
};

const SLIM: Description = {
  ...SITE,
  devices: SITE.devices.slice(0, 2),
  packages: [{ ...SITE.packages[1]!, bytes: 700 }],
  args: { port: { kind: 'port', default: 8080, doc: 'the port' } },
  image: { bytes: 950_000, parts: SITE.image.parts.slice(0, 2) },
};

test('text › snapshot', (t) => t.assert.snapshot(formatText(SITE)));
test('dot › snapshot', (t) => t.assert.snapshot(formatDot(SITE)));
test('diff › snapshot', (t) => t.assert.snapshot(formatDiff(diffDescriptions(SITE, SLIM))));

test('static ARP entries of a configuration › told, with the argument for more', () => {
  const fixed = { '10.0.0.3': '52:54:00:00:00:03' };
  const neighbors = net.versionedArp({ static: fixed, peers: ['10.0.0.4', '10.0.0.5:8080'] });
  const devices = deviceOrder({ stack: net.stack(net.ethernet(), { arp: neighbors }) });
  const app = { name: 'a', kind: 'devices', args: {}, ca: null, devices } as unknown as App;
  const output = { bytes: 0, inputs: {}, imports: [], exports: [] };
  const metafile = { inputs: {}, outputs: { out: output } };
  const { args, capabilities } = describeApp(app, 'pvh', metafile, '/', {
    bytes: 0,
    parts: [],
    contents: [],
  });
  assert.deepEqual(capabilities.network, [
    'Ethernet interface 0',
    'static ARP entry: 10.0.0.3 is at 52:54:00:00:00:03',
    'believes ARP tables of 10.0.0.4, 10.0.0.5:8080',
  ]);
  assert.equal(args.arp?.kind, 'neighbors');
});

test('diff › nothing differs', () => {
  assert.deepEqual(diffDescriptions(SITE, SITE), []);
  assert.equal(formatDiff([]), 'no difference');
});

test('diff › changes both ways', () => {
  const there = diffDescriptions(SITE, SLIM);
  const back = diffDescriptions(SLIM, SITE).map((c) => ({
    ...c,
    before: c.after,
    after: c.before,
  }));
  const key = (c: { what: string; name: string }): string => `${c.what} ${c.name}`;
  const sorted = (list: typeof there) => list.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
  assert.deepEqual(sorted(there), sorted(back));
  assert.deepEqual(there[0], { what: 'image', name: 'bytes', before: 1_000_000, after: 950_000 });
});

test('html › self-contained, escaped, with graph and drawing', () => {
  const page = formatHtml(SITE);
  assert.doesNotMatch(page, /<script|src=|href=|url\(|@import/);
  assert.match(page, /linked &lt;in&gt;/);
  assert.match(page, /a &quot;key&quot; &amp; more/);
  assert.equal(page.match(/<rect /g)?.length, 4);
  assert.equal(page.match(/<line /g)?.length, 3);
  assert.match(page, /linux-image-6\.1\.0/);
});

test('drawing › areas in the proportion of the bytes', () => {
  const radii = (bytes: number): number[] =>
    [...scaleDrawing('x', bytes).matchAll(/ r="([\d.]+)"/g)].map((found) => Number(found[1]));
  const [ours, , rival] = radii(1_000_000);
  const share = (ours! / rival!) ** 2;
  const bytes = 1_000_000 / 162_290_628;
  assert.ok(Math.abs(share / bytes - 1) < 0.01, `${share} ${bytes}`);
  assert.equal(radii(1e12)[0], 150);
});

test('a description survives the image', () => {
  const image = new Uint8Array([1, 2, 3]);
  const whole = appendDescription(image, SITE);
  assert.deepEqual(whole.subarray(0, 3), image);
  assert.deepEqual(findDescription(whole), SITE);
});

test('not a description › null', () => {
  const whole = appendDescription(new Uint8Array(8), SITE);
  for (let bytes = 0; bytes < whole.length; bytes++) {
    assert.equal(findDescription(whole.subarray(0, bytes)), null);
  }
  const lying = whole.slice();
  new DataView(lying.buffer).setUint32(lying.length - 12, 0xffff_ffff, true);
  assert.equal(findDescription(lying), null);
  for (const text of ['', 'null', '[]', '{"format":2}', '{'])
    assert.equal(parseDescription(text), null);
});

test("the linker's map › bytes of the engine and of Mbed TLS that are in the file", () => {
  const map = `
 .text.discarded 0x0000000000000000 0x999 /o/engine/quickjs_unit.o
Linker script and memory map
.text           0x0000000000100000    0x9acd3
 .text          0x0000000000100000      0x100 /o/plat/pvh/boot.o
 .text.JS_Eval
                0x0000000000100100       0x20 /o/engine/quickjs_unit.o
 .text          0x0000000000100120       0x10 /usr/lib/musl/libc.a(memcpy.lo)
.rodata         0x000000000019b020    0x1f090
 .rodata.str1.1
                0x000000000019b020        0x8 /build/base/o/q/libunicode.o
 .rodata.K      0x000000000019b028        0x4 /build/base/o/m/sha256.o
.bss            0x00000000001bc000    0x61000
 .bss.heap      0x00000000001bc000     0x8000 /o/engine/quickjs_unit.o
`;
  const found = { engine: 0x20 + 0x10 + 0x8, mbedtls: 4, version: '3.6.0' };
  assert.deepEqual(linkedParts(map, '3.6.0'), found);
  assert.deepEqual(linkedParts('', ''), { engine: 0, mbedtls: 0, version: '' });
});

test('the verb › text, JSON, HTML, an image, and the difference of two', async () => {
  const work = new Workspace({ ...HELLO_SITE, 'big/index.html': 'x'.repeat(9_000) });
  after(() => work.remove());
  const json = await work.run(['describe', 'htdocs', '--json']);
  assert.equal(json.code, 0, json.stderr);
  const description: Description = JSON.parse(json.stdout);
  assert.deepEqual(
    description.devices.map((device) => device.name),
    ['net.ethernet', 'stack', 'site'],
  );
  assert.equal(description.capabilities.content[0]?.files, 1);
  work.write('small.json', json.stdout);
  assert.equal((await work.run(['build', 'big', '--output=big.img'])).code, 0);
  const diff = await work.run(['describe', '--diff', 'small.json', 'big.img']);
  assert.match(diff.stdout, /^part +content +[\d,]+ +-> +[\d,]+ +\+[\d,]+$/m);
  const html = await work.run(['describe', 'big.img', '--html=d.html']);
  assert.equal(html.stdout, 'd.html\n');
  assert.match(readFileSync(work.path('d.html'), 'utf8'), /^<!doctype html>/);
});

const REFUSED: readonly [string[], number, RegExp][] = [
  [['--json', '--dot'], 1, /only one of/],
  [['a', 'b'], 1, /compared with --diff/],
  [['--diff', 'a'], 1, /--diff takes two/],
  [['--diff', 'a', 'b', '--dot'], 1, /--diff takes two/],
  [['bad.json'], 2, /no description that this version reads/],
  [['bare.img'], 2, /no description that this version reads/],
];
test('the verb › refusals', async () => {
  const work = new Workspace({ 'bad.json': '{"format":99}', 'bare.img': '\x7fELF' });
  try {
    for (const [args, code, message] of REFUSED) {
      const ended = await work.run(['describe', ...args]);
      assert.equal(ended.code, code, args.join(' '));
      assert.match(ended.stderr, message);
    }
  } finally {
    work.remove();
  }
});
