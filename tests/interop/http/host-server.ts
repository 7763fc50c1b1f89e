/**
 * The HTTP server on this host's sockets, with a timer queue run by setTimeout: what the suite
 * tests on a laptop.
 */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { instantOfMicros, Log, TimerQueue, wallTimeOfMillis } from '#core';
import type { KvEntry, KvReadOnly } from '#device';
import { type HttpHandler, type HttpLimits, HttpServer, StaticSite } from '#http';
import { NodeFlow } from './node-flow.ts';

/** The files under `directory`, with compressed variants where smaller. */
export function readSite(directory: string): KvReadOnly {
  const entries = new Map<string, KvEntry>();
  for (const path of readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()) {
    const file = join(directory, path);
    if (!statSync(file).isFile()) continue;
    entries.set(path, entryOf(readFileSync(file), Math.floor(statSync(file).mtimeMs / 1_000)));
  }
  return { get: (path) => entries.get(path) ?? null, paths: () => [...entries.keys()] };
}

export function entryOf(bytes: Uint8Array, modifiedSeconds: number): KvEntry {
  const variants = [
    { encoding: 'gzip' as const, bytes: new Uint8Array(gzipSync(bytes)) },
    { encoding: 'br' as const, bytes: new Uint8Array(brotliCompressSync(bytes)) },
  ].filter((variant) => variant.bytes.length < bytes.length);
  const digest = createHash('sha256').update(bytes).digest('hex').slice(0, 32);
  return { bytes: new Uint8Array(bytes), modifiedSeconds, digest, variants };
}

export interface RunningServer {
  readonly url: string;
  readonly server: HttpServer;
  stop(): Promise<void>;
}

const nowMicros = () => instantOfMicros(Math.floor(performance.now() * 1_000));
const clock = { wall: () => wallTimeOfMillis(Date.now()) };

/** Serves on a free port of 127.0.0.1, or on `port`. */
export async function serveOnHost(
  handler: HttpHandler,
  limits: Partial<HttpLimits> = {},
  port = 0,
): Promise<RunningServer> {
  const timers = new TimerQueue(nowMicros());
  const log = new Log((line) => console.error(line), 'warn').source('http');
  const server = new HttpServer({ handler, timers, clock, log, limits });
  const ticker = setInterval(() => timers.run(nowMicros()), 10);
  const listener = createServer({ allowHalfOpen: true }, (socket) => {
    timers.run(nowMicros());
    server.accept(new NodeFlow(socket));
  });
  await new Promise<void>((resolve) => listener.listen(port, '127.0.0.1', 1_024, resolve));
  const address = listener.address();
  const chosen = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${chosen}`,
    server,
    async stop() {
      const closed = new Promise((resolve) => listener.close(resolve));
      server.close();
      await closed;
      clearInterval(ticker);
    },
  };
}

export const serveSite = (
  content: KvReadOnly,
  limits: Partial<HttpLimits> = {},
): Promise<RunningServer> => serveOnHost(new StaticSite(content, clock), limits);
