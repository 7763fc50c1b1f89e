/** Programs of others as peers: bounded in time, ended by their own id, all their words kept. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const PROGRAM_MS = 60_000;
/** How long a server may live: as long as the tests of a file may take. */
export const SERVER_MS = 200_000;
const LISTEN_POLL_MS = 3;
/** How long anybody may take to say what it knows of a connection that is over. */
export const SAY_MS = 30_000;

export interface Program {
  readonly child: ChildProcess;
  /** What it wrote so far. */
  output(): Buffer;
  /** What it wrote to standard error so far. */
  errors(): string;
  /** Resolves when somebody listens on the port; with false when the program ends before. */
  listens(port: number): Promise<boolean>;
  /** Resolves when it wrote `count` bytes to standard output, or ended. */
  wrote(count: number): Promise<void>;
  /** Resolves when `look` is true of what it wrote, when it ended, or after `SAY_MS`. */
  until(look: () => boolean): Promise<void>;
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

/** Starts a program; after `lifeMs` it is killed. */
export function start(command: string, args: readonly string[], lifeMs = PROGRAM_MS): Program {
  const child = spawn(command, args, { stdio: 'pipe' });
  const output: Buffer[] = [];
  let outputBytes = 0;
  let errors = '';
  const watchers = new Set<() => void>();
  const tell = (): void => {
    for (const watcher of [...watchers]) watcher();
  };
  child.stdout.on('data', (bytes: Buffer) => {
    output.push(bytes);
    outputBytes += bytes.length;
    tell();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
    tell();
  });
  // Whoever ends without reading all breaks the pipe.
  child.stdin.on('error', () => {});
  let isOver = false;
  const life = setTimeout(() => child.kill('SIGKILL'), lifeMs);
  const ended = once(child, 'close').then(() => {
    clearTimeout(life);
    isOver = true;
    tell();
  });
  const until = (look: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const watcher = (): void => {
        if (!isOver && !look()) return;
        watchers.delete(watcher);
        resolve();
      };
      watchers.add(watcher);
      watcher();
    });
  return {
    child,
    output: () => Buffer.concat(output),
    errors: () => errors,
    async listens(port) {
      while (!isOver && !isListening(port)) await delay(LISTEN_POLL_MS);
      return !isOver;
    },
    wrote: (count) => until(() => outputBytes >= count),
    until: (look) => Promise.race([until(look), delay(SAY_MS, undefined, { ref: false })]),
    ended,
    async stop() {
      if (!isOver) child.kill('SIGKILL');
      await ended;
    },
  };
}

/** The kernel's own word: a connection to find out would be one that the program counts. */
const isListening = (port: number): boolean => {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const listening = new RegExp(`^ *\\d+: \\w+:${hex} \\w+:0000 0A `, 'm');
  return ['/proc/net/tcp', '/proc/net/tcp6'].some((path) =>
    listening.test(readFileSync(path, 'utf8')),
  );
};

/** A port of loopback that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
