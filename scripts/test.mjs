/** `npm test`: sets the machine up, then tidies, type-checks and runs every test. Arguments go to the runner. */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { main, projectEnvironment } from './setup.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const env = projectEnvironment();

function run(command, args) {
  const { status, signal } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env });
  if (signal !== null) process.stderr.write(`error: ${command} ended with ${signal}\n`);
  if (status !== 0) process.exit(status ?? 1);
}

await main(['--for=test'], () => {
  run('tsc', ['-p', 'tsconfig.json']);
  run('biome', ['check', '--error-on-warnings', '.']);
  run('node', ['scripts/tidy.ts']);
  run('node', ['scripts/run-tests.ts', ...process.argv.slice(2)]);
});
