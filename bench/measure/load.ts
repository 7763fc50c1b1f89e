/** Rates under load: small files on kept connections, large files, and new connections. */

import { type Load, requestsPerSecond } from '../load.ts';
import type { Running } from '../machines.ts';
import { progress } from '../process.ts';
import { addSample, type Line } from '../results.ts';
import { LARGE_BYTES, LARGE_PATH, SMALL_PATH } from '../site.ts';
import type { Suite } from '../suite.ts';

const CONNECTIONS = 16;
const FIRST_SECONDS = 5;
const WARM_SECONDS = 5;

/** In rounds, each of which measures every machine, so that a slow minute of the host hits all. */
async function rounds(suite: Suite, all: readonly Running[], line: Line, load: Load) {
  const count = suite.quick ? 2 : 5;
  const scale = line.unit === 'MB/s' ? LARGE_BYTES / 1e6 : 1;
  for (const running of all) await requestsPerSecond(running, { ...load, seconds: WARM_SECONDS });
  for (let round = 0; round < count; round++) {
    progress(`${line.what} through ${suite.net}, round ${round + 1} of ${count}`);
    for (const running of all) {
      const rate = await requestsPerSecond(running, load);
      addSample(line, running.machine.name, rate * scale);
    }
  }
}

/**
 * Kept connections; the first seconds of a machine's life are a line of their own, and
 * the warm-up of the other: V8 under emulation compiles for ten seconds before it is at its best.
 */
export async function measureRequests(suite: Suite, all: readonly Running[]): Promise<Line[]> {
  const what = `requests/s, 1 KiB, ${CONNECTIONS} keep-alive connections`;
  const line: Line = { id: 'rps', what, unit: '1/s', net: suite.net, better: 'more', samples: {} };
  const first: Line = {
    ...line,
    id: 'rps-first',
    what: `the same, first ${FIRST_SECONDS} s after boot`,
    samples: {},
  };
  const load = { path: SMALL_PATH, connections: CONNECTIONS, closing: false };
  progress(`${first.what} through ${suite.net}`);
  for (const running of all) {
    const rate = await requestsPerSecond(running, { ...load, seconds: FIRST_SECONDS });
    addSample(first, running.machine.name, rate);
  }
  await rounds(suite, all, line, { ...load, seconds: suite.quick ? 2 : 5 });
  return [line, first];
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
  await rounds(suite, all, line, {
    path: LARGE_PATH,
    connections: CONNECTIONS,
    closing: false,
    seconds,
  });
  return [line];
}

export async function measureConnections(suite: Suite, all: readonly Running[]): Promise<Line[]> {
  const what = 'new connections/s, one 1 KiB request each';
  const net = suite.net;
  const line: Line = { id: 'connections', what, unit: '1/s', net, better: 'more', samples: {} };
  const seconds = suite.quick ? 2 : 5;
  const load = { path: SMALL_PATH, connections: CONNECTIONS, closing: true, seconds };
  await rounds(suite, all, line, load);
  return [line];
}
