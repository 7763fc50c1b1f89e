/**
 * What one seed means in one of two scenarios. `lan`, this file: three hosts on a bad network get addresses and exchange data (safety phase), then the
 * network is healed and everything must finish (liveness). Checkers only observe. `network`: whole
 * networks of them (network-scenario.ts).
 */

import { after, type Instant, instantOfMicros, millis, seconds, Timer } from '#core';
import { parseIpv4Address } from '#net';
import { SimTimeout, SimWorld } from '#targets/sim/index';
import { TestDhcpServer } from './dhcp-server.ts';
import { Echo, serveEcho } from './echo.ts';
import { drawNetwork, formatNetwork } from './network-options.ts';
import { runNetwork } from './network-scenario.ts';
import { drawOptions, formatOptions, type SimOptions } from './options.ts';
import { Violation } from './pattern.ts';
import { LivenessFailure } from './retried.ts';
import { StackHost } from './stack-host.ts';
import { type Habits, livenessLimit, serveTransfers, Transfer } from './transfer.ts';

export type Verdict = 'passed' | 'crash' | 'liveness' | 'correctness';

export type Scenario = 'lan' | 'network';

export interface Report {
  /** In one line: what the seed drew. */
  readonly options: string;
  /** What replays it. */
  readonly replay: string;
  readonly verdict: Verdict;
  readonly error: unknown;
  readonly virtualSeconds: number;
  readonly lines: readonly string[];
}

/**
 * Runs the scenario of `seed`; never throws. `prepare` may put a recorder on the world, or plant a
 * fault that must be found.
 */
export function runSeed(
  seed: number,
  prepare: (world: SimWorld) => void = () => {},
  scenario: Scenario = 'lan',
): Report {
  const world = new SimWorld(seed);
  prepare(world);
  let error: unknown = null;
  let verdict: Verdict = 'passed';
  let options: string;
  let run: () => void;
  if (scenario === 'lan') {
    const drawn = drawOptions(seed);
    options = formatOptions(drawn);
    run = () => runScenario(world, drawn);
  } else {
    const drawn = drawNetwork(seed);
    options = formatNetwork(drawn);
    run = () => runNetwork(world, drawn);
  }
  try {
    run();
  } catch (caught) {
    error = caught;
    verdict = verdictOf(caught);
  }
  const replay = `node tests/sim/main.ts --seed=${seed} --scenario=${scenario}`;
  const virtualSeconds = world.timers.now / 1e6;
  return { options, replay, verdict, error, virtualSeconds, lines: world.lines };
}

function verdictOf(error: unknown): Verdict {
  if (error instanceof Violation) return 'correctness';
  if (error instanceof SimTimeout || error instanceof LivenessFailure) return 'liveness';
  return 'crash';
}

function runScenario(world: SimWorld, options: SimOptions): void {
  const random = world.random.fork();
  const habits: Habits = { random: world.random.fork(), pauseShare: options.pauseShare };
  const [router, server, client] = ['router', 'server', 'client'].map(
    (name) => new StackHost(world, name, options),
  ) as [StackHost, StackHost, StackHost];
  new TestDhcpServer({
    stack: router.net,
    address: parseIpv4Address('10.0.2.2')!,
    prefixBits: 24,
    firstAddress: parseIpv4Address('10.0.2.15')!,
    leaseSeconds: options.leaseSeconds,
    repliesToAll: options.dhcpRepliesToAll,
  });
  Object.assign(world.network.faults, {
    delay: options.delay,
    lossShare: options.lossShare,
    duplicateShare: options.duplicateShare,
    reorderShare: options.reorderShare,
    reorderDelay: options.reorderDelay,
    corruptShare: options.corruptShare,
  });
  server.net.startDhcp();
  client.net.startDhcp();
  serveTransfers(server, habits);
  serveEcho(server);
  let isHealed = false;
  const transfers = Array.from({ length: options.transfers }, () => {
    const plan = {
      uploadBytes: random.below(options.transferBytesMax + 1),
      downloadBytes: random.below(options.transferBytesMax + 1),
      salt: random.below(1_000_000),
      abortAfterBytes: random.chance(options.abortShare) ? random.between(1, 50_000) : Infinity,
    };
    const transfer = new Transfer(client, server, plan, habits, () => isHealed);
    transfer.startAfter(random.below(options.safetySeconds * 1000));
    return transfer;
  });
  const echo = new Echo(client, server, options.echoes);
  const healAt = instantOfMicros(options.safetySeconds * 1e6);
  scheduleCuts(world, options, [router, server, client], random.fork());
  world.run(healAt);
  world.network.heal();
  isHealed = true;
  const isDone = (): boolean => echo.isDone && transfers.every((transfer) => transfer.isDone);
  world.runUntil(isDone, after(healAt, livenessLimit));
  checkLeaks(world, [server, client]);
}

/**
 * Cuts between random hosts, each up to two seconds long, all over by the end of the safety phase.
 */
function scheduleCuts(
  world: SimWorld,
  options: SimOptions,
  hosts: readonly StackHost[],
  random: SimWorld['random'],
): void {
  for (let i = 0; i < options.cuts; i++) {
    const [a, b] = [random.below(3), random.between(1, 2)];
    const one = hosts[a]!.host.device;
    const other = hosts[(a + b) % 3]!.host.device;
    const start = random.below(options.safetySeconds * 1000);
    const end = start + random.between(10, 2_000);
    const at = (wait: number): Instant => after(world.timers.now, millis(wait));
    world.timers.arm(new Timer(() => world.network.cut(one, other)), at(start));
    world.timers.arm(new Timer(() => world.network.mend(one, other)), at(end));
  }
}

/**
 * When everything is over and every timer of a closing connection has passed, nothing may be left.
 */
function checkLeaks(world: SimWorld, hosts: readonly StackHost[]): void {
  world.run(after(world.timers.now, seconds(300)));
  for (const { name, tcp, net } of hosts) {
    const { connections, timeWait } = tcp.counters();
    if (connections !== 0 || timeWait !== 0) {
      throw new Violation(`${name} still has ${connections} connections, ${timeWait} in TIME_WAIT`);
    }
    if (net.configuration === null) throw new LivenessFailure(`${name} lost its address`);
  }
}
