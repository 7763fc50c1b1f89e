/** The HTTP server on this host's sockets: what the suite tests on a laptop. */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { Log, wallTimeOfMillis } from '#core';
import type { KvEntry, KvReadOnly } from '#device';
import { type HttpHandler, type HttpLimits, HttpServer, StaticSite } from '#http';
import { HostStack } from '#targets/node/host-stack';
import { NodeLoop } from '#targets/node/loop';

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

const clock = { wall: () => wallTimeOfMillis(Date.now()) };

/** Serves on a free port of this host. */
export async function serveOnHost(
  handler: HttpHandler,
  limits: Partial<HttpLimits> = {},
): Promise<RunningServer> {
  const loop = new NodeLoop();
  const stack = new HostStack(loop);
  const log = new Log((line) => console.error(line), 'warn').source('http');
  const server = new HttpServer({ handler, timers: loop.timers, clock, log, limits });
  const listening = await stack.listen(0, (flow) => server.accept(flow));
  if (!listening.ok) throw new Error(listening.error.kind);
  const listener = listening.value;
  return {
    url: `http://127.0.0.1:${listener.port}`,
    server,
    async stop() {
      listener.close();
      server.close();
    },
  };
}

export const serveSite = (
  content: KvReadOnly,
  limits: Partial<HttpLimits> = {},
): Promise<RunningServer> => serveOnHost(new StaticSite(content, clock), limits);
