import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync, symlinkSync, utimesSync } from 'node:fs';
import { after, test } from 'node:test';
import { findDescription } from '../../tools/cli/description.ts';
import { HELLO_SITE, Workspace } from './cli.ts';

const CONFIG = `import { arg, defineUnikernel, kv, net } from 'morgana/config';
export default defineUnikernel({
  name: 'graph',
  main: './main.ts',
  devices: { stack: net.stack(), site: kv.directory('../htdocs') },
  args: { port: arg.port({ default: 80, doc: 'the port' }), title: arg.string({ doc: 'a title' }) },
});
`;
const MAIN = `import type { Start } from 'morgana';
import type config from './morgana.config.ts';
export const start: Start<typeof config> = async ({ stack, site, args, log }) => {
  const port: number = args.port;
  const title: string = args.title;
  log.info(\`\${title} \${port} \${stack.addresses()} \${site.paths().length}\`);
};
`;

const work = new Workspace({
  ...HELLO_SITE,
  'app.ts': 'export default { fetch: (request: Request) => new Response(request.url) };\n',
  'fetcher.ts': "export default { fetch: () => self.fetch('http://10.0.2.2/') };\n",
  'graph/morgana.config.ts': CONFIG,
  'graph/main.ts': MAIN,
});
after(() => work.remove());

const reports = new Map<string, Promise<Report>>();
interface Report {
  readonly target: string;
  readonly bytes: number;
  readonly parts: readonly { readonly name: string; readonly bytes: number }[];
}

/** What `build --json` says of an application, built once as APP.img. */
function reportOf(app: string): Promise<Report> {
  const build = async (): Promise<Report> => {
    const { code, stdout, stderr } = await work.run([
      'build',
      app,
      `--output=${app}.img`,
      '--json',
    ]);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout);
  };
  const report = reports.get(app) ?? build();
  reports.set(app, report);
  return report;
}

test('a website › bytes by part add up, same inputs give the same bytes', async () => {
  const report = await reportOf('htdocs');
  assert.equal(report.target, 'pvh');
  const sum = report.parts.reduce((total, part) => total + part.bytes, 0);
  assert.equal(sum, report.bytes);
  const sizes = new Map(report.parts.map(({ name, bytes }) => [name, bytes]));
  const sizeOf = (name: string): number => sizes.get(name) ?? 0;
  assert.ok(sizeOf('base') > 20_000 && sizeOf('engine') > 400_000);
  assert.ok(sizeOf('morgana/http') > 10_000);
  assert.ok(sizeOf('content') > 0 && sizeOf('content') < 4_096);
  // Images with private keys pass through: it is its owner's only.
  for (const name of readdirSync(work.path('.cache/apps'))) {
    assert.equal(statSync(work.path(`.cache/apps/${name}`)).mode & 0o777, 0o700);
  }
  const again = await work.run(['build', 'htdocs', '--output=b.img'], {
    MORGANA_CACHE: work.path('other-cache'),
  });
  assert.match(again.stdout, /^total +[\d,]+$/m);
  assert.deepEqual(readFileSync(work.path('htdocs.img')), readFileSync(work.path('b.img')));
});

test('the same graph in another place › the same bytes', async () => {
  const stat = statSync(work.path('htdocs/index.html'));
  const far = new Workspace({
    ...Object.fromEntries(Object.entries(HELLO_SITE).map(([name, text]) => [`a/b/${name}`, text])),
    'a/b/graph/morgana.config.ts': CONFIG,
    'a/b/graph/main.ts': MAIN,
  });
  utimesSync(far.path('a/b/htdocs/index.html'), stat.atime, stat.mtime);
  try {
    await reportOf('graph');
    const there = await far.run(['build', 'a/b/graph', '--output=there.img']);
    assert.equal(there.code, 0, there.stderr);
    assert.deepEqual(readFileSync(work.path('graph.img')), readFileSync(far.path('there.img')));
  } finally {
    far.remove();
  }
});

test('an image carries its description, which names no path of this machine', async () => {
  await reportOf('graph');
  const image = readFileSync(work.path('graph.img'));
  const description = findDescription(image);
  assert.equal(description?.name, 'graph');
  assert.deepEqual(Object.keys(description.args), [
    ...['port', 'title', 'log', 'ipv4', 'gateway', 'routes', 'ipv6', 'ipv6-gateway'],
    ...['ipv6-secret', 'net-memory', 'hostname', 'nameservers'],
  ]);
  assert.ok(!image.includes(work.directory));
});

test('names and fetch › linked where they are used', async () => {
  const partsOf = async (app: string): Promise<string[]> =>
    (await reportOf(app)).parts.map(({ name }) => name);
  const ofNames = (parts: string[]) =>
    parts.filter((part) => part === 'morgana/dns' || part === 'npm:fflate').sort();
  assert.deepEqual(ofNames(await partsOf('htdocs')), []);
  assert.deepEqual(ofNames(await partsOf('app.ts')), []);
  assert.deepEqual(ofNames(await partsOf('graph')), ['morgana/dns']);
  assert.deepEqual(ofNames(await partsOf('fetcher.ts')), ['morgana/dns', 'npm:fflate']);
  const described = await work.run(['describe', 'fetcher.ts', '--json']);
  assert.ok('nameservers' in JSON.parse(described.stdout).args);
  const website = await work.run(['describe', 'htdocs', '--json']);
  assert.ok(!('nameservers' in JSON.parse(website.stdout).args));
});

test('the node target › one module, named after the application', async () => {
  const built = await work.run(['build', 'app.ts', '--target=node']);
  assert.equal(built.code, 0, built.stderr);
  assert.match(readFileSync(work.path('app.mjs'), 'utf8'), /launch\(/);
});

const FAILS: readonly [string, Record<string, string>, readonly RegExp[]][] = [
  [
    "Node's module behind another › the chain of imports",
    {
      'bad/app.ts':
        "import { a } from './a.ts';\nexport default { fetch: () => new Response(a) };\n",
      'bad/a.ts': "import { b } from './b.js';\nexport const a: string = b;\n",
      'bad/b.js':
        "import { readFileSync } from 'node:fs';\nexport const b = String(readFileSync);\n",
    },
    [/^error: the module "node:fs" is Node's/m, /imported by app\.ts -> a\.ts -> b\.js -> node:fs/],
  ],
  [
    "Node's module in TypeScript › the chain, not the compiler's advice to install its types",
    {
      'bad/app.ts':
        "import os from 'node:os';\nexport default { fetch: () => new Response(os.EOL) };\n",
    },
    [/^error: the module "node:os" is Node's.*imported by app\.ts -> node:os/],
  ],
  [
    'a package that is not installed › the chain of imports',
    { 'bad/app.ts': "import x from 'no-such-thing';\nexport default { fetch: () => x };\n" },
    [/^error: the module "no-such-thing" can't be found, imported by app\.ts -> no-such-thing/m],
  ],
  [
    'a global that no image has › named with the chain of imports',
    {
      'bad/app.ts':
        "import { home } from './home.js';\nexport default { fetch: () => new Response(home) };\n",
      'bad/home.js': 'export const home = process.env.HOME;\n',
    },
    [/^error: the global 'process' does not exist in an image, used by app\.ts -> home\.js/m],
  ],
  [
    'a type error › as the compiler says it',
    { 'bad/app.ts': 'export default { fetch: () => new Response(1 + true) };\n' },
    [/app\.ts\(1,\d+\): error TS2365/, /^error: 1 type error in app, correct/m],
  ],
  [
    'a module without fetch › a type error',
    { 'bad/app.ts': 'export default { get: () => 1 };\n' },
    [/error TS2741: Property 'fetch' is missing/],
  ],
  [
    'a syntax error in JavaScript › shown',
    { 'bad/app.js': 'export default { fetch( };\n' },
    [/^app\.js:1:24: /m, /^error: the application cannot be linked/m],
  ],
];
for (const [name, files, messages] of FAILS) {
  test(name, async () => {
    const bad = new Workspace(files);
    try {
      const app = Object.keys(files)[0]!;
      const { code, stdout, stderr } = await bad.run(['build', app, '--output=x.img']);
      assert.equal(code, 2, stdout);
      for (const message of messages) assert.match(stderr, message);
    } finally {
      bad.remove();
    }
  });
}

test('a library that asks `typeof` first › accepted', async () => {
  const text = "export const home = typeof process === 'undefined' ? '' : process.env.HOME;\n";
  work.write('asks.js', text);
  work.write(
    'asking.ts',
    "import { home } from './asks.js';\nexport default { fetch: () => new Response(home) };\n",
  );
  const { code, stderr } = await work.run(['build', 'asking.ts']);
  assert.equal(code, 0, stderr);
});

/** The configuration's types reach `start`: none of these may compile, one a line. */
const ILL_TYPED: readonly (readonly [string, string])[] = [
  ['an argument that is not declared', 'async ({ args }) => { args.speed; }'],
  ['a device that is not declared', 'async ({ disk }) => { disk; }'],
  ['a port taken for text', 'async ({ args }) => { const port: string = args.port; port; }'],
  ['a directory taken for a stack', 'async ({ site }) => { site.listen(80, () => {}); }'],
  ['an exit code that is text', "async () => 'done'"],
];
test('a program that does not fit its configuration › refused by the type check', async () => {
  const lines = MAIN.slice(0, MAIN.indexOf('export')).split('\n').slice(0, 2);
  const types = 'type S = Start<typeof config>;';
  const wrong = ILL_TYPED.map(([, start], i) => `export const wrong${i}: S = ${start};`);
  work.write('ill/morgana.config.ts', CONFIG);
  work.write(
    'ill/main.ts',
    [...lines, types, ...wrong, MAIN.slice(MAIN.indexOf('export'))].join('\n'),
  );
  const { code, stderr } = await work.run(['build', 'ill']);
  assert.equal(code, 2);
  ILL_TYPED.forEach(([name], i) => {
    assert.match(stderr, new RegExp(`main\\.ts\\(${4 + i},\\d+\\): error TS`), name);
  });
  assert.doesNotMatch(stderr, new RegExp(`main\\.ts\\(${4 + ILL_TYPED.length},`));
});

test('a device that the target lacks › one sentence with device, target and line', async () => {
  const config = CONFIG.replace(
    'net.stack()',
    'net.stack(),\n    wire: net.ethernet({ index: 1 })',
  );
  work.write('raw/morgana.config.ts', config);
  work.write('raw/main.ts', MAIN);
  const { code, stderr } = await work.run(['build', 'raw', '--target=node']);
  assert.equal(code, 2);
  assert.match(
    stderr,
    /^error: device 'wire' \(net\.ethernet\) does not exist on target node, .*config\.ts:6, /m,
  );
  const image = await work.run(['build', 'raw', '--target=pvh']);
  assert.equal(image.code, 0, image.stderr);
});

const CONFIG_FAILS: readonly [string, string, RegExp][] = [
  ['throws', 'throw new Error("no");', /morgana\.config\.ts: no, correct/],
  ['does not parse', 'export default {', /can't be read/],
  ['exports nothing', 'export const a = 1;', /does not export a configuration/],
  ['names no main', CONFIG.replace('./main.ts', './gone.ts'), /there is no .*gone\.ts/],
  [
    'names no directory',
    CONFIG.replace('../htdocs', './gone'),
    /device 'site' needs the directory .*gone.*morgana\.config\.ts:5/,
  ],
];
for (const [name, config, message] of CONFIG_FAILS) {
  test(`a configuration that ${name} › one sentence`, async () => {
    work.write('broken/morgana.config.ts', config);
    work.write('broken/main.ts', MAIN);
    const { code, stderr } = await work.run(['build', 'broken']);
    assert.equal(code, 2);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /\n {4}at /);
  });
}

test('a directory that cannot be published › one sentence, nothing of it in an image', async () => {
  const site = new Workspace({ 'plain/index.html': 'x', 'secret.txt': 'not for the world' });
  const cases: [string, (folder: string) => void, RegExp][] = [
    [
      'out',
      (to) => symlinkSync(site.path('secret.txt'), to),
      /out\/link is a link out of the site/,
    ],
    ['none', (to) => symlinkSync('nowhere', to), /none\/link is a link that leads nowhere/],
    ['loop', (to) => symlinkSync('.', to), /loop\/link is a link to a directory that contains/],
    ['pipe', (to) => execFileSync('mkfifo', [to]), /pipe\/link is neither a file nor a directory/],
    ['up', (to) => symlinkSync('..', to), /up\/link is a link out of the site/],
  ];
  try {
    for (const [index, [name, make, expected]] of cases.entries()) {
      site.write(`${name}/index.html`, 'x');
      make(site.path(`${name}/link`));
      const target = index % 2 === 0 ? 'pvh' : 'node';
      const { code, stdout, stderr } = await site.run(['build', name, `--target=${target}`]);
      assert.equal(code, 2, stderr);
      assert.match(stderr, expected);
      assert.equal(stderr.trim().split('\n').length, 1);
      assert.equal(stdout, '');
    }
    symlinkSync('index.html', site.path('plain/inside.html'));
    assert.equal((await site.run(['build', 'plain'])).code, 0);
  } finally {
    site.remove();
  }
});

test('what the operating system refuses › one sentence, no trace', async () => {
  const { code, stderr } = await work.run(['build', 'htdocs', `--output=${work.directory}`]);
  assert.equal(code, 2);
  assert.match(stderr, /^error: \S+: illegal operation on a directory, name another path\n$/);
  const cacheless = await work.run(['build', 'htdocs'], {
    MORGANA_CACHE: work.path('app.ts/cache'),
  });
  assert.equal(cacheless.code, 2);
  assert.match(cacheless.stderr, /^error: can't make the cache .*, set MORGANA_CACHE to .*\n$/);
});

test('wrong exports › the application is named, not a file in the cache', async () => {
  const bad = new Workspace({ 'app.ts': 'export default { get() {} };\n' });
  const { code, stderr } = await bad.run(['build', 'app.ts']);
  bad.remove();
  assert.equal(code, 2);
  assert.match(stderr, /^app\.ts, what it exports \(\{ fetch\(request\) \}\): error TS2741/);
});
