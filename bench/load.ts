/**
 * The load generator: wrk, with one thread. It takes a tenth of a core at these rates (QEMU's one
 * emulating thread is the bottleneck by far), speaks plain HTTP/1.1, counts what fails, and needs
 * no code of ours that could favour our machine.
 */
import type { Running } from './machines.ts';
import { BenchError, run } from './process.ts';

export interface Load {
  path: string;
  connections: number;
  /** A new connection for every request. */
  closing: boolean;
  seconds: number;
}

export interface LoadResult {
  requestsPerSecond: number;
  /** 99 of 100 requests took no longer. */
  p99Ms: number;
}

/** What a machine did under this load; throws when any request failed. */
export async function putUnderLoad(running: Running, load: Load): Promise<LoadResult> {
  const { host, port } = running.link;
  const args = [
    '-t1',
    `-c${load.connections}`,
    `-d${load.seconds}s`,
    '--timeout',
    '10s',
    '--latency',
  ];
  if (load.closing) args.push('-H', 'Connection: close');
  args.push(`http://${host}:${port}${load.path}`);
  const out = await run('wrk', args, { timeoutMs: (load.seconds + 15) * 1000 });
  const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(out)?.[1]);
  const failed = /Non-2xx[^\n]*|Socket errors[^\n]*/.exec(out)?.[0];
  if (failed !== undefined && !onlyReads(failed)) {
    throw new BenchError(`${running.machine.name} failed requests of ${load.path}: ${failed}`);
  }
  if (!(rate > 0)) throw new BenchError(`${running.machine.name} answered nothing: ${out.trim()}`);
  const p99 = /99%\s+([\d.]+)(us|ms|s)/.exec(out);
  const scale = p99?.[2] === 'us' ? 1e-3 : p99?.[2] === 's' ? 1e3 : 1;
  return { requestsPerSecond: rate, p99Ms: Number(p99?.[1]) * scale };
}

/** Read errors are what wrk counts when a server closes a connection as it was asked to. */
function onlyReads(line: string): boolean {
  return /connect 0, read \d+, write 0, timeout 0/.test(line);
}
