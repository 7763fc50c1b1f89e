/**
 * examples/router between two network namespaces: people's tools through it, a thousand flows
 * beside the kernel's own translation on the same script, transfers over a lossy outside, and the
 * same router booted with two virtio cards.
 */

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { micros, millis } from '#core';
import { buildImage, LINKED_FLAGS } from '../../helpers/machine.ts';
import { without } from '../../helpers/namespace.ts';
import { cannotInterop, eventually } from '../linux/network.ts';
import type { FlowSpec } from './peer.ts';
import {
  FORWARDED,
  HOST_PORT,
  HOSTS,
  kernelRouter,
  OUTSIDE,
  Peer,
  SERVER6,
  SERVERS,
  type Topology,
  unikernelRouter,
} from './topology.ts';

const tools = ['iperf3', 'traceroute', 'tracepath', 'dig', 'dnsmasq'];
const skip = cannotInterop === false ? without(...tools) : cannotInterop;
const [HOST] = HOSTS;
const [SERVER, OTHER_SERVER] = SERVERS;
/** Where servers answer. */
const PORTS = [7_001, 7_002] as const;
const REMOTES = SERVERS.flatMap((address) => PORTS.map((port) => [address, port] as const));

const images: string[] = [];
before(async () => {
  if (skip !== false) return;
  const [process, pvh] = [LINKED_FLAGS.process, ['--target=pvh']];
  images.push(
    ...(await Promise.all([process, pvh].map((f) => buildImage('examples/router', ...f)))),
  );
});

/** Runs `use` with both ends' processes, the outside's servers up. */
async function withPeers<T>(
  topology: Topology,
  use: (inside: Peer, outside: Peer) => Promise<T>,
): Promise<T> {
  const [inside, outside] = [new Peer(topology.inside), new Peer(topology.outside)];
  try {
    await outside.ask({ op: 'serve', ends: REMOTES });
    await inside.ask({ op: 'serve', ends: [[HOST, HOST_PORT]] });
    return await use(inside, outside);
  } finally {
    await inside.close();
    await outside.close();
  }
}

interface Iperf {
  readonly end: { readonly sum_received: { readonly bits_per_second: number } };
}

async function iperf({ inside, outside }: Topology, ...words: string[]): Promise<number> {
  const server = outside.start('iperf3', '-s', '-1');
  await eventually('a server', async () =>
    (await outside.run('ss', '-ltn')).includes(':5201 ') ? true : null,
  );
  const amount = words.includes('-n') ? [] : ['-t', '1'];
  const text = await inside.run('iperf3', '-J', '-c', SERVER, ...amount, ...words);
  server.kill('SIGKILL');
  return (JSON.parse(text) as Iperf).end.sum_received.bits_per_second / 1e6;
}

/**
 * From each host 65 ports to two servers by UDP, and 120 to one by TCP, another one for each host:
 * the same ports of all hosts.
 */
const SCRIPT: readonly FlowSpec[] = HOSTS.flatMap((from, host) => [
  ...Array.from({ length: 65 }, (_, i) => ({
    protocol: 'udp' as const,
    from,
    port: 20_000 + i,
    to: [REMOTES[0]!, REMOTES[3]!],
  })),
  ...Array.from({ length: 120 }, (_, i) => ({
    protocol: 'tcp' as const,
    from,
    port: 30_000 + i,
    to: [REMOTES[(i + host) % 4]!],
  })),
]);

/** Three or more: ping goes on until it has three. */
const RECEIVED = / (?:[3-9]|\d\d+) received/;
const FLOWS = SCRIPT.reduce((sum, { to }) => sum + to.length, 0);

interface Outcome {
  readonly seen: string[][];
  readonly strays: string[];
  readonly hairpin: string[][];
  readonly forwarded: string[][];
  readonly pings: number;
}

/** The same on both routers. */
function runScript(topology: Topology): Promise<Outcome> {
  return withPeers(topology, async (inside, outside) => {
    const seen = await inside.ask<string[][]>({ op: 'flows', flows: SCRIPT });
    // From ends that a flow hasn't asked: another port of its server, and the other server.
    const [, port] = seen[0]![0]!.split(':');
    for (const from of [REMOTES[1]!, REMOTES[2]!]) {
      await outside.ask({ op: 'send', from, to: [OUTSIDE, Number(port)] });
    }
    // A datagram that is asked for, behind those: what came before it has come.
    const last = { protocol: 'udp' as const, from: HOST, port: 40_000, to: REMOTES };
    await inside.ask({ op: 'flows', flows: [last] });
    const strays = await inside.ask<string[]>({ op: 'strays' });
    const to = [[OUTSIDE, FORWARDED]] as const;
    const from = HOSTS[1];
    const hairpin = await inside.ask<string[][]>({
      op: 'flows',
      flows: (['tcp', 'udp'] as const).map((protocol) => ({ protocol, from, port: 41_000, to })),
    });
    const forwarded = await outside.ask<string[][]>({
      op: 'flows',
      flows: (['tcp', 'udp'] as const).map((protocol) => {
        return { protocol, from: OTHER_SERVER, port: 42_000, to };
      }),
    });
    // Hosts that ping with one identifier.
    const ping = (host: string) => [
      '-n',
      '-c',
      '5',
      '-i',
      '0.02',
      '-w',
      '3',
      '-e',
      '77',
      '-I',
      host,
    ];
    const texts = await Promise.all(
      HOSTS.map((host) => topology.inside.run('ping', ...ping(host), SERVER)),
    );
    const pings = texts.filter((text) => / 5 received/.test(text)).length;
    return { seen, strays, hairpin, forwarded, pings };
  });
}

const ports = (outcome: Outcome): number[] =>
  outcome.seen.flat().map((text) => Number(text.split(':')[1]));

describe('router', { skip, concurrency: true, timeout: 180_000 }, () => {
  test('a thousand flows › as the kernel does, but for what RFC 4787 asks more', async (context) => {
    const topologies: Topology[] = [];
    try {
      topologies.push(await unikernelRouter({ image: images[0]!, target: 'process' }));
      topologies.push(await kernelRouter());
      const [ours, kernels] = (await Promise.all(topologies.map(runScript))) as [Outcome, Outcome];
      assert.ok(FLOWS + 5 * HOSTS.length >= 1_000);
      const addresses = (outcome: Outcome) =>
        new Set(outcome.seen.flat().map((text) => text.split(':')[0]));
      const preserved = (outcome: Outcome) =>
        outcome.seen.flatMap((texts, i) =>
          texts.filter((text) => text === `${OUTSIDE}:${SCRIPT[i]!.port}`),
        ).length;
      const sameForAll = (outcome: Outcome) =>
        outcome.seen.filter((texts) => new Set(texts).size === 1).length;
      const taken = (outcome: Outcome) => {
        const mapped = SCRIPT.map(({ protocol }, i) => `${protocol} ${outcome.seen[i]![0]}`);
        return new Set(mapped).size;
      };
      for (const [name, count] of Object.entries({ preserved, sameForAll, taken })) {
        context.diagnostic(`${name}: ours ${count(ours)}, the kernel's ${count(kernels)}`);
      }
      // The same reachability: every flow works through both, from the outside address.
      for (const outcome of [ours, kernels]) {
        assert.deepEqual([...addresses(outcome)], [OUTSIDE]);
        assert.ok(ports(outcome).every((port) => port >= 1 && port <= 65_535));
        assert.deepEqual(outcome.strays, [], 'nothing that was not asked for comes in');
        assert.deepEqual(outcome.forwarded, [[`${OTHER_SERVER}:42000`], [`${OTHER_SERVER}:42000`]]);
        assert.equal(outcome.pings, HOSTS.length);
      }
      // One outside port for all that an inside end talks to (REQ-1): the kernel's, too, here.
      assert.equal(sameForAll(ours), SCRIPT.length);
      // And one inside end for each (REQ-3): the kernel gives a port to several hosts that talk to
      // different servers, as the script's do by TCP, and so keeps the port of each; ours of one.
      assert.equal(taken(ours), SCRIPT.length);
      assert.ok(taken(kernels) <= SCRIPT.length - 3 * 120);
      assert.equal(preserved(ours), 65 * 2 + 120);
      assert.equal(preserved(kernels), 65 * 2 + 120 * HOSTS.length);
      // Hairpinning (REQ-9) needs a rule of its own there.
      assert.deepEqual(ours.hairpin, [[`${OUTSIDE}:41000`], [`${OUTSIDE}:41000`]]);
      assert.deepEqual(kernels.hairpin, [[''], ['']]);
    } finally {
      for (const topology of topologies) await topology.close();
    }
  });

  test('tools › ping, traceroute, tracepath, dig, iperf3, by both families', async (context) => {
    const topology = await unikernelRouter({ image: images[0]!, target: 'process' });
    const { inside, outside } = topology;
    try {
      const ping = ['-n', '-c', '3', '-i', '0.02', '-w', '5', '-s'];
      for (const bytes of ['56', '1472', '1473', '20000']) {
        assert.match(await inside.run('ping', ...ping, bytes, SERVER), RECEIVED, bytes);
      }
      const traced = await inside.run('traceroute', '-n', '-q', '1', '-w', '2', SERVER);
      assert.match(traced, / 1 {2}192\.168\.7\.1 .*\n 2 {2}198\.51\.100\.1 /s);
      const path = await inside.run('tracepath', '-n', '-m', '4', SERVER);
      assert.match(path, /Resume: pmtu 1500 hops 2 back 2/);
      outside.start(
        ...[
          'dnsmasq',
          '--keep-in-foreground',
          '--conf-file=/dev/null',
          '--user=root',
          '--no-hosts',
        ],
        ...['--pid-file=', '--no-resolv', '--log-facility=/dev/null', '--bind-interfaces'],
        ...['--interface=tap0', '--host-record=host.test,192.0.2.7'],
      );
      const dig = ['dig', '+short', '+time=1', '+tries=3', `@${SERVER}`, 'host.test'];
      await eventually('an answer', async () =>
        (await inside.run(...dig).catch(() => '')) === '192.0.2.7\n' ? true : null,
      );
      assert.equal(await inside.run(...dig, '+tcp'), '192.0.2.7\n');

      // Router advertisements gave the host an address; the firewall lets in what it asks for.
      const own = await eventually('an IPv6 address', async () => {
        const text = await inside.run('ip', '-6', 'address', 'show', 'dev', 'tap1');
        return /inet6 (2001:db8:7:[0-9a-f:]+)\/64 scope global/.exec(text)?.[1] ?? null;
      });
      for (const bytes of ['56', '8000']) {
        assert.match(await inside.run('ping', '-6', ...ping, bytes, SERVER6), RECEIVED);
      }
      const traced6 = await inside.run('traceroute', '-6', '-n', '-q', '1', '-w', '2', SERVER6);
      assert.match(traced6, / 1 {2}2001:db8:7::1 .*\n 2 {2}2001:db8:1::1 /s);
      await assert.rejects(outside.run('ping', '-6', '-c', '1', '-W', '1', own));
      await withPeers(topology, async (host, server) => {
        await server.ask({ op: 'serve', ends: [[SERVER6, 80]] });
        await host.ask({ op: 'serve', ends: [81, 82].map((port) => [own, port] as const) });
        const flow = (from: string, port: number, to: readonly [string, number]) => ({
          op: 'flows' as const,
          flows: (['tcp', 'udp'] as const).map((protocol) => {
            return { protocol, from, port, to: [to] };
          }),
        });
        const asked = await host.ask(flow(own, 43_000, [SERVER6, 80]));
        assert.deepEqual(asked, [[`${own}:43000`], [`${own}:43000`]]);
        const unasked = await server.ask(flow(SERVER6, 43_000, [own, 81]));
        assert.deepEqual(unasked, [[`${SERVER6}:43000`], ['']], 'a rule for TCP');
        assert.deepEqual(await server.ask(flow(SERVER6, 43_001, [own, 82])), [[''], ['']]);
      });
      const rates = [await iperf(topology), await iperf(topology, '-R')];
      for (const rate of rates) assert.ok(rate > 100, `${rate} Mbit/s`);
      context.diagnostic(`iperf3, out and in: ${rates.map(Math.round).join(', ')} Mbit/s`);
    } finally {
      await topology.close();
    }
  });

  test('a lossy outside › transfers go on, fragments and errors pass', async (context) => {
    const relay = { seed: 7, faults: { lossShare: 0.01, delay: micros(2_000) } };
    const topology = await unikernelRouter({ image: images[0]!, target: 'process', relay });
    try {
      const faults = { reorderShare: 0.05, reorderDelay: millis(3), duplicateShare: 0.02 };
      topology.relay!.setFaults({ ...relay.faults, ...faults });
      const rates = [await iperf(topology, '-n', '4M'), await iperf(topology, '-R', '-n', '4M')];
      context.diagnostic(`iperf3, out and in: ${rates.map(Math.round).join(', ')} Mbit/s`);
      topology.relay!.setFaults({ ...faults, reorderShare: 0.4 });
      const ping = ['-n', '-c', '10', '-i', '0.02', '-w', '10', '-s', '8000', SERVER];
      assert.match(await topology.inside.run('ping', ...ping), / (?:[89]|1\d) received/);
      topology.relay!.setFaults({});
      const flows = SCRIPT.filter((_, i) => i % 12 === 0);
      const seen = await withPeers(topology, (inside) =>
        inside.ask<string[][]>({ op: 'flows', flows }),
      );
      assert.ok(seen.flat().every((text) => text.startsWith(`${OUTSIDE}:`)));
    } finally {
      await topology.close();
    }
  });

  test('booted with two virtio cards › the same', async (context) => {
    const topology = await unikernelRouter({ image: images[1]!, target: 'pvh' });
    const { inside } = topology;
    try {
      const ping = ['-n', '-c', '3', '-i', '0.02', '-w', '10', '-s', '3000', SERVER];
      assert.match(await inside.run('ping', ...ping), RECEIVED);
      const traced = await inside.run('traceroute', '-n', '-q', '1', '-w', '3', SERVER);
      assert.match(traced, / 1 {2}192\.168\.7\.1 .*\n 2 {2}198\.51\.100\.1 /s);
      await withPeers(topology, async (host, server) => {
        const flows = SCRIPT.filter((_, i) => i % 20 === 0);
        const seen = await host.ask<string[][]>({ op: 'flows', flows });
        assert.ok(seen.flat().every((text) => text.startsWith(`${OUTSIDE}:`)));
        const to = [[OUTSIDE, FORWARDED]] as const;
        const flow = { protocol: 'tcp' as const, from: SERVER, port: 42_000, to };
        const forwarded = await server.ask({ op: 'flows', flows: [flow] });
        assert.deepEqual(forwarded, [[`${SERVER}:42000`]]);
      });
      const rate = await iperf(topology, '-n', '8M');
      context.diagnostic(`iperf3: ${Math.round(rate)} Mbit/s`);
    } finally {
      await topology.close();
    }
  });
});
