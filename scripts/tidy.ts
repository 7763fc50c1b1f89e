/**
 * What no compiler checks: the import rules of docs/architecture.md, banned ambient calls, size
 * limits, numbers of decisions. Prints every violation as path:line and exits 1 when there is one.
 * A file that must break a size limit carries a line `// tidy: long` (a table) or `// tidy: int32`
 * (32-bit arithmetic on a hot path).
 */

import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

export const FILE_LINES_MAX = 500;
export const LINE_COLUMNS_MAX = 100;
export const BASE_LINES_MAX = 3_000;
/** base/crypto, which only images that use cryptography have: docs/decisions/. */
export const CRYPTO_LINES_MAX = 1_800;

/** The rooms that a room's files may import, beside itself. Anything not listed is forbidden. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  'packages/core': [],
  'packages/device': ['packages/core'],
  'packages/crypto': [
    'packages/core',
    'packages/device',
    'npm:@noble/ciphers',
    'npm:@noble/curves',
    'npm:@noble/hashes',
  ],
  'packages/web': [
    'packages/core',
    'packages/device',
    'packages/crypto',
    'npm:fflate',
    'npm:web-streams-polyfill',
  ],
  'packages/git': ['packages/core', 'packages/device', 'packages/crypto', 'npm:fflate'],
  'packages/net': ['packages/core', 'packages/device'],
  'packages/dns': ['packages/core', 'packages/device'],
  'packages/x509': ['packages/core', 'packages/device', 'packages/crypto'],
  'packages/tls': ['packages/core', 'packages/device', 'packages/crypto', 'packages/x509'],
  'packages/inspect': ['packages/core', 'packages/device'],
  'packages/http': ['packages/core', 'packages/device', 'packages/web'],
  'packages/acme': ['packages/core', 'packages/device', 'packages/http', 'packages/x509'],
  'packages/store': ['packages/core', 'packages/device', 'packages/crypto', 'packages/git'],
  'packages/switch': ['packages/core', 'packages/device'],
  'packages/versioned-arp': [
    'packages/core',
    'packages/device',
    'packages/git',
    'packages/net',
    'packages/store',
  ],
  'packages/router': ['packages/core', 'packages/device', 'packages/net'],
  'packages/stack': ['packages/core', 'packages/device', 'packages/dns', 'packages/net'],
  'packages/gateway': [
    'packages/core',
    'packages/device',
    'packages/dns',
    'packages/net',
    'packages/stack',
  ],
  'packages/morgana': [
    'packages/acme',
    'packages/core',
    'packages/device',
    'packages/crypto',
    'packages/tls',
    'packages/x509',
    'packages/dns',
    'packages/git',
    'packages/http',
    'packages/inspect',
    'packages/net',
    'packages/router',
    'packages/stack',
    'packages/store',
    'packages/versioned-arp',
    'packages/web',
  ],
  'targets/base': ['packages/core', 'packages/device'],
  'targets/pvh': ['packages/core', 'packages/device', 'targets/base'],
  'targets/process': ['packages/core', 'packages/device', 'targets/base'],
  'targets/node': ['packages/core', 'packages/device', 'packages/switch', 'node:'],
  'targets/browser': [
    'packages/core',
    'packages/device',
    'packages/crypto',
    'packages/git',
    'packages/store',
  ],
  'targets/sim': ['packages/core', 'packages/device', 'packages/switch'],
  'tools/cli': [
    'packages/core',
    'packages/device',
    'packages/gateway',
    'packages/git',
    'packages/http',
    'packages/inspect',
    'packages/morgana',
    'packages/net',
    'packages/store',
    'packages/switch',
    'packages/x509',
    'targets/node',
    'targets/base/build.ts',
    'node:',
    'npm:esbuild',
  ],
};

/** Rooms whose files may import any public entry point, Node and the test libraries. */
const FREE = ['tests', 'bench', 'scripts', 'base', 'examples', 'apps'];
const TEST_IMPORTS = [
  'node:',
  'npm:fast-check',
  'packages/device',
  'targets/sim',
  'targets/node/crypto.ts',
  'targets/node/file-system.ts',
  'targets/node/zlib.ts',
  'tests',
];

/** Ambient calls that packages and the simulator must not make: time and chance are passed in. */
const BANNED: readonly [RegExp, string][] = [
  [/\bDate\.now\(/, 'Date.now: take a Clock or TimerQueue.now'],
  [/\bnew Date\(\)/, 'new Date(): take a Clock'],
  [/\bMath\.random\(/, 'Math.random: take an Entropy'],
  [/\bperformance\.now\(/, 'performance.now: take TimerQueue.now'],
  [/(?<![.\w])set(Timeout|Interval|Immediate)\(/, 'an ambient timer: arm a Timer'],
  [/\bcrypto\.(getRandomValues|randomUUID)\(/, 'ambient crypto: take an Entropy'],
];

interface Violation {
  readonly path: string;
  readonly line: number;
  readonly what: string;
}

/** The room of a path relative to the root: two folders deep in packages, targets and tools. */
export function roomOf(path: string): string {
  const parts = path.split('/');
  const deep = parts[0] === 'packages' || parts[0] === 'targets' || parts[0] === 'tools';
  return parts.slice(0, deep ? 2 : 1).join('/');
}

/**
 * What an import specifier names, as `packages/x`, `npm:x` or `node:x`, or a path below the root.
 */
export function resolveImport(
  from: string,
  specifier: string,
  aliases: Map<string, string>,
): string {
  if (specifier.startsWith('node:')) return specifier;
  if (specifier.startsWith('.')) return normalize(join(dirname(from), specifier));
  if (specifier.startsWith('#targets/')) return `targets/${specifier.slice(9)}.ts`;
  if (specifier.startsWith('#')) return aliases.get(specifier) ?? `unknown alias ${specifier}`;
  if (specifier === 'morgana' || specifier.startsWith('morgana/'))
    return 'packages/morgana/index.ts';
  const parts = specifier.split('/');
  return `npm:${parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/')}`;
}

export function mayImport(from: string, target: string): boolean {
  const room = roomOf(from);
  const isTest = /\.test(-d)?\.ts$|\/test-[^/]*\.ts$/.test(from);
  if (FREE.includes(room.split('/')[0] ?? '')) return true;
  if (roomOf(target) === room) return true;
  if (/\/build(-[a-z]+)?\.ts$/.test(from)) return true;
  const listed = [...(MAY_IMPORT[room] ?? []), ...(isTest ? TEST_IMPORTS : [])];
  const conformance = from.startsWith('packages/device/conformance/');
  if (conformance && target.startsWith('node:')) return true;
  return listed.some((rule) =>
    rule.endsWith(':') || rule.endsWith('.ts')
      ? target.startsWith(rule)
      : target === rule || target.startsWith(`${rule}/`),
  );
}

/** Import rules of one file. */
export function checkImports(
  path: string,
  text: string,
  aliases: Map<string, string>,
): Violation[] {
  const found: Violation[] = [];
  const pattern = /(?:\bfrom\s*|\bimport\s*\(?\s*)(['"])([^'"\n]+)\1/g;
  for (const match of text.matchAll(pattern)) {
    const target = resolveImport(path, match[2] ?? '', aliases);
    if (mayImport(path, target)) continue;
    const line = text.slice(0, match.index).split('\n').length;
    found.push({ path, line, what: `${roomOf(path)} may not import ${match[2]} (${target})` });
  }
  return found;
}

function checkLines(path: string, text: string): Violation[] {
  const found: Violation[] = [];
  const lines = text.split('\n');
  const pure = /^(packages|targets\/sim)\//.test(path) && !path.endsWith('.test.ts');
  const int32 = path === 'packages/core/ints.ts' || lines.includes('// tidy: int32');
  if (lines.length > FILE_LINES_MAX + 1 && !lines.includes('// tidy: long')) {
    found.push({ path, line: lines.length, what: `more than ${FILE_LINES_MAX} lines` });
  }
  lines.forEach((line, index) => {
    const report = (what: string) => found.push({ path, line: index + 1, what });
    if (line.length > LINE_COLUMNS_MAX && !/https?:|'[^']{60,}'|`[^`]{60,}/.test(line)) {
      report(`more than ${LINE_COLUMNS_MAX} columns`);
    }
    if (/@ts-(ignore|nocheck)/.test(line)) report('a silenced type error');
    if (/\b(TODO|FIXME|XXX)\b(?!.*#\d)/.test(line) && path !== 'scripts/tidy.ts') {
      report('a TODO without an issue number');
    }
    if (!pure) return;
    const code = line.replace(/\/\/.*|^\s*\*.*|\/\*.*/, '');
    if (!int32 && /(>>> 0|\| 0)(?![\w.])/.test(code)) {
      report('32-bit arithmetic outside core/ints.ts');
    }
    if (path.startsWith('packages/web/')) return;
    for (const [banned, what] of BANNED) if (banned.test(code)) report(what);
  });
  return found;
}

/** The bounds are for what one image has in it; the host's tools and the tests are in none. */
function checkBase(): Violation[] {
  const platforms = globSync('base/plat/*', { cwd: root });
  return platforms
    .flatMap((platform) => {
      const rooms = ['base', 'base/include', 'base/core', 'base/engine', platform];
      // A process is started by Linux, not by a CPU.
      if (platform !== 'base/plat/process') rooms.push('base/cpu/*');
      return checkRooms(platform, rooms, BASE_LINES_MAX);
    })
    .concat(checkRooms('base/crypto', ['base/crypto'], CRYPTO_LINES_MAX));
}

function checkRooms(path: string, rooms: readonly string[], most: number): Violation[] {
  const files = rooms.flatMap((room) => globSync(`${room}/*.{c,h,S,s,ld,lds}`, { cwd: root }));
  const total = files
    .map((file) => readFileSync(join(root, file), 'utf8').split('\n').length - 1)
    .reduce((sum, lines) => sum + lines, 0);
  const what = `more than ${most} lines of C and assembly in an image`;
  return total <= most ? [] : [{ path, line: total, what }];
}

/** Those of `files` whose name begins with the number of another before it. */
export function checkNumbers(files: readonly string[]): Violation[] {
  const numbers = files.map((path) => /([^/]*?)-[^/]*$/.exec(path)?.[1]);
  const repeated = files.filter((_, index) => numbers.indexOf(numbers[index]) < index);
  return repeated.map((path) => ({ path, line: 1, what: 'another decision has this number' }));
}

export function readAliases(): Map<string, string> {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    imports: Record<string, string>;
  };
  return new Map(
    Object.entries(manifest.imports).map(([name, path]) => [name, path.replace('./', '')]),
  );
}

function main(): void {
  const aliases = readAliases();
  const pattern = '{packages,targets,tools,tests,bench,examples,apps,scripts,base}/**/*.ts';
  const decisions = globSync('docs/decisions/*.md', { cwd: root }).sort();
  const found = [...checkBase(), ...checkNumbers(decisions)];
  for (const path of globSync(pattern, { cwd: root, exclude: ['**/node_modules/**'] }).sort()) {
    const text = readFileSync(join(root, path), 'utf8');
    found.push(...checkImports(path, text, aliases), ...checkLines(path, text));
  }
  for (const { path, line, what } of found) process.stdout.write(`${path}:${line}: ${what}\n`);
  process.stdout.write(`tidy: ${found.length} violations\n`);
  process.exitCode = found.length === 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
