/** Rates under load: small files on kept connections, large files, and new connections. */

import { type Load, putUnderLoad } from '../load.ts';
import type { Running } from '../machines.ts';
import { progress } from '../process.ts';
import { addSample, type Line } from '../results.ts';
import { LARGE_BYTES, LARGE_PATH, SMALL_PATH } from '../site.ts';
import type { Suite } from '../suite.ts';

const CONNECTIONS = 16;
/** Native servers are many times as fast. */
const CONNECTIONS_NATIVE = 64;
const FIRST_SECONDS = 5;
const WARM_SECONDS = 5;
const WARM_SECONDS_FIRST = 15;

const connectionsOf = (suite: Suite): number =>
  suite.net === 'native' ? CONNECTIONS_NATIVE : CONNECTIONS;

/** In rounds, each of which measures every machine, so that a slow minute of the host hits all. */
async function rounds(
  suite: Suite,
  all: readonly Running[],
  line: Line,
  load: Load,
): Promise<Line> {
  const tail: Line = {
    ...line,
    id: `${line.id}-p99`,
    what: 'the same, 99th percentile of latency',
    unit: 'ms',
    better: 'less',
    samples: {},
  };
  const count = suite.quick ? 2 : 5;
  const scale = line.unit === 'MB/s' ? LARGE_BYTES / 1e6 : 1;
  const seconds = line.id === 'rps' ? WARM_SECONDS_FIRST : WARM_SECONDS;
  for (const running of all) await putUnderLoad(running, { ...load, seconds });
  for (let round = 0; round < count; round++) {
    progress(`${line.what} through ${suite.net}, round ${round + 1} of ${count}`);
    for (const running of all) {
      const result = await putUnderLoad(running, load);
      addSample(line, running.machine.name, result.requestsPerSecond * scale);
      addSample(tail, running.machine.name, result.p99Ms);
    }
  }
  return tail;
}

/**
 * Kept connections; the first seconds of a machine's life are a line of their own, and
 * the warm-up of the other: V8 under emulation compiles for 10 to 20 s before it is at its best.
 */
export async function measureRequests(suite: Suite, all: readonly Running[]): Promise<Line[]> {
  const connections = connectionsOf(suite);
  const what = `requests/s, 1 KiB, ${connections} keep-alive connections`;
  const line: Line = { id: 'rps', what, unit: '1/s', net: suite.net, better: 'more', samples: {} };
  const first: Line = {
    ...line,
    id: 'rps-first',
    what: `the same, first ${FIRST_SECONDS} s after boot`,
    samples: {},
  };
  const load = { path: SMALL_PATH, connections, closing: false };
  progress(`${first.what} through ${suite.net}`);
  for (const running of all) {
    const result = await putUnderLoad(running, { ...load, seconds: FIRST_SECONDS });
    addSample(first, running.machine.name, result.requestsPerSecond);
  }
  const tail = await rounds(suite, all, line, { ...load, seconds: suite.quick ? 2 : 5 });
  return [line, tail, first];
}

export async function measureThroughput(suite: Suite, all: readonly Running[]): Promise<Line[]> {
  const line: Line = {
    id: 'throughput',
    what: `1 MiB files, ${CONNECTIONS} keep-alive connections`,
    unit: 'MB/s',
    net: suite.net,
    better: 'more',
    samples: {},
  };
  const seconds = suite.quick ? 3 : 6;
  const tail = await rounds(suite, all, line, {
    path: LARGE_PATH,
    connections: CONNECTIONS,
    closing: false,
    seconds,
  });
  return [line, tail];
}

export async function measureConnections(suite: Suite, all: readonly Running[]): Promise<Line[]> {
  const what = 'new connections/s, one 1 KiB request each';
  const net = suite.net;
  const line: Line = { id: 'connections', what, unit: '1/s', net, better: 'more', samples: {} };
  const seconds = suite.quick ? 2 : 5;
  const load = { path: SMALL_PATH, connections: connectionsOf(suite), closing: true, seconds };
  return [line, await rounds(suite, all, line, load)];
}
