/** `git daemon` on a free port of this host, for repositories below one directory. */

import { spawn } from 'node:child_process';
import { freePort } from '../cli/cli.ts';
import type { StockGit } from './git.ts';
import { leashed } from './machine.ts';

export interface GitDaemon {
  readonly port: number;
  close(): Promise<void>;
}

export async function startGitDaemon(git: StockGit, root: string): Promise<GitDaemon> {
  const port = await freePort();
  const args = [
    'daemon',
    '--verbose',
    '--reuseaddr',
    '--export-all',
    '--enable=receive-pack',
    '--listen=127.0.0.1',
    `--port=${port}`,
    `--base-path=${root}`,
    root,
  ];
  // In a group of its own: the daemon's children end with it.
  const child = spawn(...leashed('git', args), { env: git.env(), detached: true });
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => reject(new Error(`git daemon ended: ${status}`)));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (text.includes('Ready to rumble')) resolve();
    });
  });
  return {
    port,
    async close() {
      process.kill(-child.pid!, 'SIGTERM');
      await closed;
    },
  };
}
