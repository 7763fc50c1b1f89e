/** `npm start`: sets the machine up, builds examples/static-site, boots it and prints its URL. */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endingWith, main, projectEnvironment } from './setup.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

await main(['--for=start'], () => {
  const args = [join(root, 'tools/cli/main.ts'), 'run', 'examples/static-site'];
  const given = process.argv.slice(2);
  const isSet = (flag) => given.some((word) => word.startsWith(`--${flag}=`));
  if (!isSet('target')) args.push('--target=pvh');
  if (!isSet('publish')) args.push('--publish=8080:80');
  if (!isSet('memory')) args.push('--memory=16');
  args.push(...given);
  const options = { cwd: root, stdio: 'inherit', env: projectEnvironment() };
  // A terminal sends Ctrl-C to it too; another sender may not.
  const child = endingWith(() => spawn('node', args, options));
  child.on('exit', (code) => {
    process.exitCode = code ?? 2;
  });
});
