/**
 * The life of a DHCPv4 lease with dnsmasq as server: taken, renewed, refused and changed; declined
 * when somebody else has the address.
 */

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { buildImage, LINKED_FLAGS } from '../../helpers/machine.ts';
import type { Namespace } from '../../helpers/namespace.ts';
import { cannotInterop, eventually, LINUX, LinuxNetwork, MAC } from './network.ts';

const work = mkdtempSync(path.join(tmpdir(), 'morgana-dhcp-'));
let image = '';
before(async () => {
  if (cannotInterop !== false) return;
  image = await buildImage('tests/interop/linux/peer', ...LINKED_FLAGS.process);
});
after(() => {
  rmSync(work, { recursive: true });
});

/** dnsmasq that gives out addresses from `first` to `last` in order; its log is `${name}.log`. */
function serve(net: Namespace, name: string, first: string, last: string, ...more: string[]) {
  return net.start(
    ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--user=root'],
    ...['--no-ping', '--pid-file=', '--log-dhcp', `--log-facility=${path.join(work, name)}.log`],
    ...[`--dhcp-leasefile=${path.join(work, name)}.leases`, '--dhcp-sequential-ip'],
    ...['--dhcp-authoritative', `--dhcp-range=${first},${last},255.255.255.0,2m`, ...more],
  );
}

/** Lines of a server's log with a message of ours or to us. */
const lines = (name: string, message: string): string[] => {
  const text = readFileSync(path.join(work, `${name}.log`), 'utf8');
  return text.split('\n').filter((line) => line.includes(message) && line.includes(MAC));
};

/** The address that the unikernel last said it has. */
const address = (network: LinuxNetwork): string =>
  [...network.machine.console.matchAll(/info stack: ([\d.]+)\/24 from /g)].at(-1)?.[1] ?? '';

describe('DHCP', { skip: cannotInterop, concurrency: true, timeout: 180_000 }, () => {
  test('lease › renewed at T1; another server refuses it › another address', async () => {
    // dnsmasq makes T1 a second less. Its shortest lease of 2 minutes is long for a test.
    const timers = ['--dhcp-option=option:T2,3'];
    const servers: ReturnType<typeof serve>[] = [];
    const network = await LinuxNetwork.open({
      target: 'process',
      image,
      relay: { seed: 1 },
      bootArguments: ['--hostname=interop'],
      prepare: async (net) => {
        servers.push(serve(net, 'first', '10.97.1.60', '10.97.1.69', ...timers));
      },
    });
    try {
      assert.equal(address(network), '10.97.1.60');
      assert.match(readFileSync(path.join(work, 'first.leases'), 'utf8'), /10\.97\.1\.60 interop /);
      const discovers = lines('first', 'DHCPDISCOVER').length;
      await eventually('two renewals', () => (lines('first', 'DHCPACK').length >= 3 ? true : null));
      // A server that starts late hears several; renewals add none.
      assert.equal(lines('first', 'DHCPDISCOVER').length, discovers);
      assert.equal(await network.command(`echo ${LINUX} 81 1`, address(network)), 'refused');

      servers[0]!.kill('SIGKILL');
      serve(network.net, 'second', '10.97.1.70', '10.97.1.79', ...timers);
      await eventually('another address', () => (address(network) === '10.97.1.70' ? true : null));
      assert.ok(lines('second', 'DHCPNAK').length >= 1);
      assert.equal(await network.command(`echo ${LINUX} 81 1`, '10.97.1.70'), 'refused');
      const counters = await network.counters('10.97.1.70');
      assert.ok(counters.dhcpNaks! >= 1);
      // The old one is nobody's.
      await assert.rejects(network.net.run('arping', '-I', 'tap0', '-c', '1', '10.97.1.60'));
    } finally {
      await network.close();
    }
  });

  test('an address that somebody has › declined, another taken', async () => {
    const network = await LinuxNetwork.open({
      target: 'process',
      image,
      relay: { seed: 1 },
      bootArguments: [],
      prepare: async (net) => {
        // Linux answers ARP requests for every address of its own, on whatever device it is.
        await net.run('ip', 'address', 'add', '10.97.1.60/32', 'dev', 'lo');
        serve(net, 'third', '10.97.1.60', '10.97.1.61');
      },
    });
    try {
      await eventually('another address', () => (address(network) === '10.97.1.61' ? true : null));
      assert.equal(lines('third', 'DHCPDECLINE').length, 1);
    } finally {
      await network.close();
    }
  });
});
