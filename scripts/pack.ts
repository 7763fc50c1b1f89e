/**
 * Makes `dist/` for the npm tarball (`npm pack` runs it as prepack): the CLI as one file that Node
 * 20 runs, the base, the bytecode compiler and tap-link as they were built here. The libraries'
 * sources go in as they are: an image is linked from them.
 */

import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { linkedParts } from '../tools/cli/base.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = path.join(root, 'dist');
const built = path.join(root, 'build/base');
const ELFS = ['base.elf', 'base-crypto.elf', 'process.elf', 'process-crypto.elf'];

/**
 * Modules find their neighbours by their own place: in the bundle they keep the one of their
 * source.
 */
const keepPlaces: Plugin = {
  name: 'keep-places',
  setup(esbuild) {
    esbuild.onLoad({ filter: /\.ts$/ }, ({ path: file }) => {
      const text = readFileSync(file, 'utf8');
      if (!text.includes('import.meta.url')) return null;
      const place = JSON.stringify(path.posix.join('..', path.relative(root, file)));
      const contents = text.replaceAll(
        'import.meta.url',
        `new URL(${place}, import.meta.url).href`,
      );
      return { contents, loader: 'ts' };
    });
  },
};

async function bundleCli(): Promise<void> {
  await build({
    entryPoints: [path.join(root, 'tools/cli/main.ts')],
    outfile: path.join(dist, 'cli.js'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['esbuild', 'typescript'],
    plugins: [keepPlaces],
    logLevel: 'warning',
  });
  chmodSync(path.join(dist, 'cli.js'), 0o755);
}

function copyBase(): void {
  const target = path.join(dist, 'base');
  mkdirSync(target, { recursive: true });
  for (const name of [...ELFS, 'bytecode', 'tap-link']) {
    const from = path.join(built, name);
    if (!existsSync(from)) throw new Error(`${from} is missing; run: npm run setup`);
    copyFileSync(from, path.join(target, name));
    chmodSync(path.join(target, name), 0o755);
  }
  const version = readFileSync(path.join(built, 'mbedtls.version'), 'utf8').trim();
  for (const elf of ELFS) {
    const parts = linkedParts(readFileSync(path.join(built, `${elf}.map`), 'utf8'), version);
    writeFileSync(path.join(target, `${elf}.parts.json`), `${JSON.stringify(parts)}\n`);
  }
}

rmSync(dist, { recursive: true, force: true });
await bundleCli();
copyBase();
process.stderr.write('pack: dist/ is made\n');
