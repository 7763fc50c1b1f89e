/** examples/iperf before Debian's iperf3, over a tap device. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { buildImage, LINKED_FLAGS } from '../../helpers/machine.ts';
import { without } from '../../helpers/namespace.ts';
import { cannotInterop, LinuxNetwork, UNIKERNEL } from './network.ts';

const skip = cannotInterop === false ? without('iperf3') : cannotInterop;

interface Sum {
  readonly bytes: number;
  readonly bits_per_second: number;
  readonly lost_packets?: number;
}

interface Report {
  readonly error?: string;
  readonly end: { readonly sum_sent: Sum; readonly sum_received: Sum; readonly sum: Sum };
}

describe('iperf3', { skip, timeout: 180_000 }, () => {
  let network: LinuxNetwork;
  let image = '';

  before(async () => {
    image = await buildImage('examples/iperf', ...LINKED_FLAGS.process);
    network = await LinuxNetwork.open({ target: 'process', image, relay: null });
  });
  after(async () => {
    await network?.close();
  });

  const client = async (...words: string[]): Promise<Report> => {
    const amount = words.includes('-n') ? [] : ['-t', '1'];
    return JSON.parse(await network.net.run('iperf3', '-J', '-c', UNIKERNEL, ...amount, ...words));
  };

  const tests = {
    'to the unikernel': [],
    'from the unikernel': ['-R'],
    'four connections': ['-P', '4'],
    'four connections, from the unikernel': ['-P', '4', '-R'],
    'so many bytes': ['-n', '20M'],
  };
  for (const [name, words] of Object.entries(tests)) {
    test(`TCP › ${name}`, async (context) => {
      const { end } = await client(...words);
      assert.ok(end.sum_received.bytes > 1_000_000);
      // What one sent the other got, but for what was under way at the end.
      const missing = end.sum_sent.bytes - end.sum_received.bytes;
      assert.ok(missing < 0.2 * end.sum_sent.bytes + 4_000_000, `${missing} bytes`);
      context.diagnostic(`${Math.round(end.sum_received.bits_per_second / 1e6)} Mbit/s`);
    });
  }

  for (const words of [[], ['-R']]) {
    test(`UDP, 20 Mbit/s › ${words.join() || 'to the unikernel'}`, async (context) => {
      const { end } = await client('-u', '-b', '20M', '-l', '1400', ...words);
      assert.ok(end.sum.bytes > 1_500_000, `${end.sum.bytes} bytes`);
      assert.ok(end.sum.lost_packets! <= 200, `${end.sum.lost_packets} lost`);
      context.diagnostic(`${Math.round(end.sum.bits_per_second / 1e6)} Mbit/s`);
    });
  }

  test('a second client while one is at work › refused; then served', async () => {
    // Long enough for the second to come while it is at work, on a busy machine too.
    const { machine } = network;
    const begun = machine.console.split('test with ').length;
    const first = client('-t', '4');
    await machine.wrote(new RegExp(`(?:[^]*?test with ){${begun}}`));
    const second = network.net.run('iperf3', '-c', UNIKERNEL, '-t', '1');
    await assert.rejects(second, /the server is busy/);
    assert.equal((await first).error, undefined);
    assert.equal((await client('-n', '1M')).error, undefined);
  });

  test('both directions at once › refused with a word; then served', async () => {
    await assert.rejects(network.net.run('iperf3', '-c', UNIKERNEL, '--bidir', '-t', '1'));
    assert.equal((await client('-n', '1M')).error, undefined);
  });
});
