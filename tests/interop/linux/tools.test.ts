/** What people point at an address: ping, traceroute, scanners, arping; and Linux's offloads. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { millis } from '#core';
import { buildImage, LINKED_FLAGS } from '../../helpers/machine.ts';
import { without } from '../../helpers/namespace.ts';
import type { Answer } from './kernel-peer.ts';
import { cannotInterop, LINUX, LinuxNetwork, MAC, UNIKERNEL } from './network.ts';

const MIB = 1_048_576;
const UDP_BYTES_MAX = 65_507;
const GROWTH_KIB_MAX = 2_048;
/** Of nmap: no names, no question whether anybody is there, no patience. */
const LIMITS = ['-n', '-Pn', '-T5', '--max-retries', '1', '--host-timeout', '20s'];
const tools = ['tracepath', 'traceroute', 'nmap', 'arping', 'ethtool'];
const skip = cannotInterop === false ? without(...tools) : cannotInterop;

let image = '';
before(async () => {
  if (skip !== false) return;
  image = await buildImage('tests/interop/linux/peer', ...LINKED_FLAGS.process);
});

function fulfilled({ ok, text }: Answer, expected = 'ok'): void {
  assert.ok(ok, text);
  assert.equal(text, expected);
}

describe('tools', { skip, timeout: 180_000 }, () => {
  let network: LinuxNetwork;

  before(async () => {
    network = await LinuxNetwork.open({ target: 'process', image, relay: { seed: 2 } });
  });
  after(() => network?.close());

  const run = (...words: string[]): Promise<string> => network.net.run(...words);

  /** Everything that the peer serves works, and nothing has leaked. */
  async function stillServes(): Promise<void> {
    fulfilled(await network.kernel.ask(UNIKERNEL, { op: 'echo', port: 7, bytes: MIB }));
    fulfilled(await network.kernel.ask(UNIKERNEL, { op: 'many', port: 7, count: 50, at: 10 }));
    const counters = await network.counters();
    // The one that asks, and maybe the one before in its last moments.
    assert.ok(counters.connections! <= 2, JSON.stringify(counters));
  }

  const residentKib = (): number => {
    const status = readFileSync(`/proc/${network.machine.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]);
  };

  /**
   * Five answers. On a busy machine the last may be late, and ping has sent another by then (with
   * -W in place of -w it would not even wait).
   */
  const ping = async (...words: string[]): Promise<void> => {
    const text = await run('ping', '-n', '-c', '5', '-i', '0.05', '-w', '10', ...words, UNIKERNEL);
    assert.match(text, / (?:[5-9]|\d\d) received/);
  };

  for (const bytes of [0, 56, 1_472, 1_473, 8_000, UDP_BYTES_MAX]) {
    test(`ping -s ${bytes} › every one comes back`, async () => {
      await ping('-s', String(bytes));
    });
  }

  test('ping -s 65507, fragments out of order and repeated › every one comes back', async () => {
    const { relay } = network;
    const faults = { reorderShare: 0.3, reorderDelay: millis(3), duplicateShare: 0.1 };
    relay!.setFaults(faults);
    await ping('-s', String(UDP_BYTES_MAX));
    relay!.setFaults({});
  });

  test('ping -f, 2,000 › all come back', async () => {
    const text = await run('ping', '-n', '-q', '-f', '-c', '2000', '-w', '20', UNIKERNEL);
    assert.match(text, /2000 packets transmitted, 2000 received/);
  });

  test('tracepath › one hop, and the MTU', async () => {
    const text = await run('tracepath', '-n', '-m', '4', UNIKERNEL);
    assert.match(text, /Resume: pmtu 1500 hops 1 back 1/);
  });

  for (const kind of ['-U', '-I', '-T']) {
    test(`traceroute ${kind} › one hop`, async () => {
      const words = ['traceroute', '-n', kind, '-m', '3', '-q', '2', '-w', '2'];
      const text = await run(...words, UNIKERNEL);
      assert.match(text, new RegExp(`^ 1  ${UNIKERNEL.replaceAll('.', '\\.')} .* ms`, 'm'));
      assert.doesNotMatch(text, /^ 2 /m);
    });
  }

  for (const bytes of [1, 1_472, 1_473, 20_000, UDP_BYTES_MAX]) {
    test(`UDP › ${bytes} bytes there and back`, async () => {
      fulfilled(await network.kernel.ask(UNIKERNEL, { op: 'udp', port: 7, bytes }));
    });
  }

  test('UDP › a port that nobody has › refused', async () => {
    const { ok, text } = await network.kernel.ask(UNIKERNEL, { op: 'udp', port: 99, bytes: 1 });
    assert.equal(ok, false);
    assert.match(text, /ECONNREFUSED/);
  });

  const scans = {
    'SYN, versions of systems': ['-sS', '-O', '--max-os-tries', '1', '-p', '1-200'],
    FIN: ['-sF', '-p', '1-30'],
    null: ['-sN', '-p', '1-30'],
    Xmas: ['-sX', '-p', '1-30'],
    ACK: ['-sA', '-p', '1-30'],
    UDP: ['-sU', '-p', '7,9,19,53,123,161'],
    protocols: ['-sO', '-p', '1,2,6,17,41,47,58,132'],
  };
  test('nmap › finds what is open, and upsets nothing', async (context) => {
    await stillServes();
    const before = residentKib();
    for (const [name, words] of Object.entries(scans)) {
      const started = performance.now();
      const text = await run('nmap', ...words, ...LIMITS, UNIKERNEL);
      assert.match(text, /1 host up/, name);
      context.diagnostic(`${name}: ${Math.round(performance.now() - started)} ms`);
      if (name.startsWith('SYN')) assert.deepEqual(openPorts(text), [1, 7, 9, 19]);
      if (name === 'UDP') assert.deepEqual(openPorts(text), [7]);
    }
    await stillServes();
    const grown = residentKib() - before;
    context.diagnostic(`resident memory grew by ${grown} KiB`);
    assert.ok(grown < GROWTH_KIB_MAX, `${grown} KiB`);
  });

  test('arping › answers; -D › says that the address is taken', async () => {
    const text = await run('arping', '-I', 'tap0', '-c', '2', UNIKERNEL);
    assert.match(text, new RegExp(MAC, 'i'));
    await assert.rejects(run('arping', '-D', '-I', 'tap0', '-c', '2', '-w', '3', UNIKERNEL));
  });

  test('arping -U, as somebody with our address › we defend it, and serve on', async () => {
    const before = await network.counters();
    await run('ip', 'address', 'add', `${UNIKERNEL}/32`, 'dev', 'tap0');
    await run('arping', '-U', '-I', 'tap0', '-c', '1', UNIKERNEL);
    await run('ip', 'address', 'delete', `${UNIKERNEL}/32`, 'dev', 'tap0');
    await stillServes();
    const now = await network.counters();
    assert.ok(now.arpConflicts! > before.arpConflicts!);
  });

  test('neighbours › the kernel forgets us › found again', async () => {
    await run('ip', 'neigh', 'flush', 'dev', 'tap0');
    await stillServes();
  });
});

/** The ports that a report of nmap's calls open. */
const openPorts = (text: string): number[] =>
  [...text.matchAll(/^(\d+)\/\w+ +open +/gm)].map((found) => Number(found[1]));

test('offloads of the tap › off, on, off again › data arrives as it is', { skip }, async () => {
  const network = await LinuxNetwork.open({ target: 'process', image, relay: null });
  const { net, kernel } = network;
  try {
    fulfilled(await kernel.ask(LINUX, { op: 'serve', port: 7 }));
    for (const state of ['off', 'on', 'off']) {
      const features = ['tx', 'sg', 'tso', 'gso', 'gro'].flatMap((name) => [name, state]);
      await net.run('ethtool', '-K', 'tap0', ...features).catch(() => '');
      for (const bytes of [100, 4 * MIB]) {
        fulfilled(await kernel.ask(UNIKERNEL, { op: 'echo', port: 7, bytes }));
        assert.equal(await network.command(`echo ${LINUX} 7 ${bytes}`), 'ok');
      }
    }
    for (const mtu of ['1280', '576', '1500']) {
      await net.run('ip', 'link', 'set', 'tap0', 'mtu', mtu);
      fulfilled(await kernel.ask(UNIKERNEL, { op: 'echo', port: 7, bytes: MIB }));
    }
  } finally {
    await network.close();
  }
});
