/**
 * One TCP connection at full speed, both ways, by iperf3's client: against examples/iperf on target
 * process over a tap, the kernel's own TCP (iperf3) and node:net (examples/iperf on target node),
 * the rivals in a network namespace behind a veth pair. Only inside the bench's namespaces.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CACHE } from '../linux-vm.ts';
import type { MachineName } from '../machines.ts';
import type { Link } from '../network.ts';
import { BenchError, keep, progress, run, stop } from '../process.ts';
import { addSample, type Line } from '../results.ts';

const ROOT = join(import.meta.dirname, '../..');
/** Its name is a file of the host's, whatever namespace the bench is in: one for each run. */
const RIVALS = `morgana-bench-${Date.now()}`;
const RIVAL_HOST = '10.98.9.2';
const KERNEL_PORT = 5201;
const NODE_PORT = 5202;
const OUR_PORT = 5201;
const START_MS_MAX = 10_000;

interface Server {
  readonly name: MachineName;
  readonly host: string;
  readonly port: number;
  readonly command: readonly [string, ...string[]];
}

/** `link` is a tap that nobody uses. */
export async function measureBulk(link: Link, quick: boolean): Promise<Line[]> {
  const servers = await buildServers(link);
  const down: Line = {
    id: 'bulk-send',
    what: 'one TCP connection, we send (iperf3 -R)',
    unit: 'Mbit/s',
    net: 'native',
    better: 'more',
    samples: {},
  };
  const up: Line = { ...down, id: 'bulk-receive', what: 'the same, we receive', samples: {} };
  const children = servers.map(({ command: [program, ...args] }) =>
    keep(program, args, { stdio: 'ignore' }),
  );
  try {
    for (const server of servers) await ready(server);
    const rounds = quick ? 2 : 5;
    const seconds = quick ? 2 : 5;
    for (let round = 0; round < rounds; round++) {
      progress(`one TCP connection, round ${round + 1} of ${rounds}`);
      for (const server of servers) {
        addSample(down, server.name, await megabits(server, seconds, ['-R']));
        addSample(up, server.name, await megabits(server, seconds, []));
      }
    }
  } finally {
    for (const child of children) await stop(child);
    await run('ip', ['netns', 'delete', RIVALS]);
  }
  return [down, up];
}

async function buildServers(link: Link): Promise<Server[]> {
  const cli = join(ROOT, 'tools/cli/main.ts');
  const image = join(CACHE, 'iperf.process');
  const module = join(CACHE, 'iperf.mjs');
  const app = join(ROOT, 'examples/iperf');
  const build = [cli, 'build', app];
  await run(process.execPath, [...build, '--target=process', `--output=${image}`], { cwd: ROOT });
  await run(process.execPath, [...build, '--target=node', `--output=${module}`], { cwd: ROOT });
  await run('ip', ['netns', 'add', RIVALS]);
  const pair = ['link', 'add', 'rival0', 'type', 'veth', 'peer', 'name', 'rival1'];
  await run('ip', [...pair, 'netns', RIVALS]);
  await run('ip', ['address', 'add', '10.98.9.1/24', 'dev', 'rival0']);
  await run('ip', ['link', 'set', 'rival0', 'up']);
  await run('ip', ['-n', RIVALS, 'address', 'add', `${RIVAL_HOST}/24`, 'dev', 'rival1']);
  await run('ip', ['-n', RIVALS, 'link', 'set', 'rival1', 'up']);
  await run('ip', ['-n', RIVALS, 'link', 'set', 'lo', 'up']);
  const inside = ['ip', 'netns', 'exec', RIVALS] as const;
  const ours = ['--mem=64', `--link=tap:${link.device}`, '--', `--ipv4=${link.host}/24`];
  return [
    { name: 'morgana', host: link.host, port: OUR_PORT, command: [image, ...ours] },
    {
      name: 'kernel',
      host: RIVAL_HOST,
      port: KERNEL_PORT,
      command: [...inside, 'iperf3', '-s', '-p', `${KERNEL_PORT}`],
    },
    {
      name: 'node',
      host: RIVAL_HOST,
      port: NODE_PORT,
      command: [...inside, process.execPath, module, `--port=${NODE_PORT}`],
    },
  ];
}

/** Waits until the server does a test. */
async function ready(server: Server): Promise<void> {
  const until = performance.now() + START_MS_MAX;
  for (;;) {
    try {
      await megabits(server, 1, []);
      return;
    } catch (error) {
      if (performance.now() > until) throw error;
    }
    await delay(50);
  }
}

async function megabits(server: Server, seconds: number, more: readonly string[]): Promise<number> {
  const file = join(CACHE, 'iperf.json');
  const options = ['-t', `${seconds}`, '-J', '--logfile', file, '--connect-timeout', '1000'];
  await run('rm', ['-f', file]);
  await run('iperf3', ['-c', server.host, '-p', `${server.port}`, ...options, ...more], {
    timeoutMs: (seconds + 15) * 1000,
  });
  const report = JSON.parse(await readFile(file, 'utf8')) as {
    end?: { sum_received?: { bits_per_second: number } };
  };
  const bits = report.end?.sum_received?.bits_per_second;
  if (bits === undefined) throw new BenchError(`iperf3 got no result from ${server.name}`);
  return bits / 1e6;
}
