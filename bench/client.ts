/** The bench's HTTP client: the wait for a machine's first byte, and the check of every file. */
import { Agent, get } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { ended, lastWords, type Machine, type Running, start } from './machines.ts';
import type { Link } from './network.ts';
import { BenchError, stop } from './process.ts';
import { type Site, type SiteFile, SMALL_PATH } from './site.ts';

/**
 * A new attempt this often, each given up after this long. Attempts overlap: user networking
 * accepts every connection at once and asks a guest that isn't up again only seconds later, so an
 * old attempt says nothing about now.
 */
const ATTEMPT_EVERY_MS = 5;
const ATTEMPT_EVERY_MS_NATIVE = 1;
const ATTEMPT_MS_MAX = 500;
const REQUEST_MS_MAX = 15_000;

/** Milliseconds from the spawn to the first byte of a 200 response. */
export function firstByte(running: Running, path = SMALL_PATH): Promise<number> {
  const { machine, link, spawnedAt } = running;
  const sockets = new Set<Socket>();
  return new Promise<number>((resolve, reject) => {
    const finish = () => {
      clearInterval(timer);
      for (const socket of sockets) socket.destroy();
    };
    const tick = () => {
      if (ended(running) || performance.now() - spawnedAt > machine.bootMsMax) {
        finish();
        const what = ended(running) ? 'ended' : 'gave no answer in time';
        lastWords(running).then((words) => {
          reject(new BenchError(`${machine.name} ${what}; its console ends with:\n${words}`));
        }, reject);
        return;
      }
      attempt(link, path, sockets, () => {
        finish();
        resolve(performance.now() - spawnedAt);
      });
    };
    const everyMs = link.kind === 'native' ? ATTEMPT_EVERY_MS_NATIVE : ATTEMPT_EVERY_MS;
    const timer = setInterval(tick, everyMs);
  });
}

export interface Booted {
  running: Running;
  firstByteMs: number;
}

/** Starts a machine and waits for its first byte; a machine that fails to boot is stopped. */
export async function boot(machine: Machine, link: Link): Promise<Booted> {
  const running = await start(machine, link);
  try {
    return { running, firstByteMs: await firstByte(running) };
  } catch (error) {
    await stop(running.child);
    throw error;
  }
}

function attempt(link: Link, path: string, sockets: Set<Socket>, answered: () => void): void {
  const socket = connect(link.port, link.host);
  sockets.add(socket);
  socket.setTimeout(ATTEMPT_MS_MAX, () => socket.destroy());
  socket.on('connect', () => {
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${link.host}\r\nConnection: close\r\n\r\n`);
  });
  socket.once('data', (chunk) => {
    if (chunk.subarray(0, 12).toString('latin1') === 'HTTP/1.1 200') answered();
  });
  // A refused or reset attempt is the normal case before the machine is up.
  socket.on('error', () => {});
  socket.on('close', () => sockets.delete(socket));
}

/** Gets every file of the site and compares its bytes; throws at the first that differs. */
export async function checkSite(running: Running, site: Site): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    for (const file of site.files) await checkFile(running, file, agent);
  } finally {
    agent.destroy();
  }
}

async function checkFile(running: Running, file: SiteFile, agent: Agent): Promise<void> {
  const { host, port } = running.link;
  const deadline = new AbortController();
  const body = new Promise<Buffer>((resolve, reject) => {
    const options = { host, port, path: encodeURI(file.path), agent, signal: deadline.signal };
    const request = get(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve(Buffer.concat(chunks)));
      response.on('error', reject);
    });
    request.on('error', reject);
  });
  const stopped = new AbortController();
  const late = delay(REQUEST_MS_MAX, null, { signal: stopped.signal }).then(
    () => deadline.abort(),
    () => {},
  );
  const bytes = await Promise.race([body, gone(running, stopped.signal)]).finally(() => {
    stopped.abort();
  });
  await late;
  if (!bytes.equals(file.bytes)) {
    throw new BenchError(`${running.machine.name} sent wrong bytes for ${file.path}`);
  }
}

/** Rejects when the machine ends, so that nobody waits for a machine that is gone. */
async function gone(running: Running, signal: AbortSignal): Promise<never> {
  while (!ended(running) && !signal.aborted) await delay(20);
  throw new BenchError(`${running.machine.name} ended while it served the site`);
}
