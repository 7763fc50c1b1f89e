/**
 * IPv6 with Linux as neighbour and router: radvd gives prefixes, takes them back and names DNS
 * servers; dnsmasq answers DHCPv6; people ping and scan.
 */

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { millis } from '#core';
import { buildImage, LINKED_FLAGS } from '../../helpers/machine.ts';
import { type Namespace, without } from '../../helpers/namespace.ts';
import type { Answer } from './kernel-peer.ts';
import {
  cannotInterop,
  eventually,
  LINUX6,
  LinuxNetwork,
  UNIKERNEL,
  UNIKERNEL6,
} from './network.ts';

const tools = ['radvd', 'nmap', 'tracepath'];
const skip = cannotInterop === false ? without(...tools) : cannotInterop;
const work = mkdtempSync(path.join(tmpdir(), 'morgana-ipv6-'));
/** On Linux's own loopback: reached through it as router. */
const BEYOND = 'fd99::1';
const KIB = 1_024;

let image = '';
before(async () => {
  if (skip !== false) return;
  image = await buildImage('tests/interop/linux/peer', ...LINKED_FLAGS.process);
});
after(() => {
  rmSync(work, { recursive: true });
});

function fulfilled({ ok, text }: Answer, expected = 'ok'): void {
  assert.ok(ok, text);
  assert.equal(text, expected);
}

/** Linux with an address in each prefix, forwarding, and one address beyond. */
async function route(net: Namespace): Promise<void> {
  await net.run('sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding');
  for (const prefix of ['fd97:1::', 'fd97:2::']) {
    await net.run('ip', 'address', 'add', `${prefix}1/64`, 'dev', 'tap0');
  }
  await net.run('ip', 'address', 'add', `${BEYOND}/128`, 'dev', 'lo');
}

/** radvd with prefixes and their preferred lifetimes; ends with a goodbye when it gets SIGTERM. */
function advertise(net: Namespace, name: string, prefixes: Readonly<Record<string, number>>) {
  const blocks = Object.entries(prefixes).map(
    ([prefix, seconds]) =>
      `prefix ${prefix}/64 { AdvValidLifetime 7200; AdvPreferredLifetime ${seconds}; };`,
  );
  const text = `interface tap0 { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4;
    ${blocks.join('\n')} RDNSS fd97:1::1 { }; DNSSL interop.test { }; };`;
  const file = path.join(work, `${name}.conf`);
  writeFileSync(file, text);
  const pid = path.join(work, `${name}.pid`);
  return net.start('radvd', '--nodaemon', '-C', file, '-p', pid, '-m', 'none', '-u', 'root');
}

function answerNames(net: Namespace): void {
  net.start(
    ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--user=root', '--pid-file='],
    ...['--no-resolv', '--no-hosts', '--log-facility=/dev/null', '--interface=tap0'],
    ...['--host-record=host.interop.test,fd97:1::77', '--bind-interfaces'],
  );
}

const addresses = async (network: LinuxNetwork): Promise<string[]> =>
  (await network.command('addresses', UNIKERNEL)).split(' ');

describe('IPv6', { skip, concurrency: true, timeout: 180_000 }, () => {
  test('radvd › an address, a way out, a name server; deprecated › another is used', async () => {
    const network = await LinuxNetwork.open({
      target: 'process',
      image,
      relay: { seed: 1 },
      bootArguments: [`--ipv4=${UNIKERNEL}/24`],
      prepare: route,
    });
    try {
      const { net, kernel } = network;
      const first = advertise(net, 'first', { 'fd97:1::': 3_600 });
      answerNames(net);
      const has = (prefix: string) => async () =>
        (await addresses(network)).find((text) => text.startsWith(prefix)) ?? null;
      const own = await eventually('an address of the prefix', has('fd97:1:'));
      const [address = ''] = own.split('/');
      // RFC 7217: nothing of the station's address is in it.
      assert.doesNotMatch(address, /ff:fe/);
      fulfilled(await kernel.ask(address, { op: 'echo', port: 7, bytes: 256 * KIB }));
      fulfilled(await kernel.ask(BEYOND, { op: 'tell', port: 70 }));
      assert.equal(await network.command(`hear ${BEYOND} 70`, UNIKERNEL), address);
      for (const name of ['host.interop.test', 'host']) {
        assert.equal(await network.command(`resolve ${name}`, UNIKERNEL), 'fd97:1::77');
      }

      first.kill('SIGKILL');
      advertise(net, 'second', { 'fd97:1::': 0, 'fd97:2::': 3_600 });
      const other = await eventually('an address of the other prefix', has('fd97:2:'));
      await eventually('connections from the other address', async () => {
        const told = await network.command(`hear ${BEYOND} 70`, UNIKERNEL);
        return told === other.split('/')[0] ? true : null;
      });
      // Deprecated, not gone.
      fulfilled(await kernel.ask(address, { op: 'echo', port: 7, bytes: KIB }));
    } finally {
      await network.close();
    }
  });

  test('dnsmasq › stateless DHCPv6 gives the name server', async () => {
    const log = path.join(work, 'dhcpv6.log');
    const network = await LinuxNetwork.open({
      target: 'process',
      image,
      relay: { seed: 1 },
      bootArguments: [`--ipv4=${UNIKERNEL}/24`],
      prepare: async (net) => {
        await route(net);
        net.start(
          ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--user=root'],
          ...['--pid-file=', '--no-resolv', '--no-hosts', `--log-facility=${log}`, '--log-dhcp'],
          ...['--interface=tap0', '--bind-interfaces', '--host-record=host.test,fd97:1::88'],
          ...['--enable-ra', '--ra-param=tap0,4', `--dhcp-leasefile=${log}.leases`],
          ...['--dhcp-range=fd97:1::,ra-stateless,64,10m', '--domain=test'],
          ...['--dhcp-option=option6:dns-server,[fd97:1::1]'],
          '--dhcp-option=option6:domain-search,test',
        );
      },
    });
    try {
      await eventually('a request', () =>
        /DHCPINFORMATION-REQUEST/.test(readFileSync(log, 'utf8')) ? true : null,
      );
      await eventually('a name by the search list', async () =>
        (await network.command('resolve host', UNIKERNEL)) === 'fd97:1::88' ? true : null,
      );
    } finally {
      await network.close();
    }
  });

  test('ping, tracepath, UDP, nmap › answered, and upset nothing', async () => {
    const network = await LinuxNetwork.open({ target: 'process', image, relay: { seed: 3 } });
    const { net, kernel, relay } = network;
    try {
      // The address is tried for a second before it is used (RFC 4862 §5.4).
      await net.run('ping', '-6', '-n', '-c', '1', '-w', '5', UNIKERNEL6);
      const ping = ['ping', '-6', '-n', '-c', '5', '-i', '0.05', '-w', '10', '-s'];
      for (const bytes of ['56', '1452', '1453', '65487']) {
        const text = await net.run(...ping, bytes, UNIKERNEL6);
        assert.match(text, / (?:[5-9]|\d\d) received/, `${bytes} bytes`);
      }
      relay!.setFaults({ reorderShare: 0.3, reorderDelay: millis(3), duplicateShare: 0.1 });
      assert.match(await net.run(...ping, '65487', UNIKERNEL6), / (?:[5-9]|\d\d) received/);
      relay!.setFaults({});
      const traced = await net.run('tracepath', '-6', '-n', '-m', '4', UNIKERNEL6);
      assert.match(traced, /Resume: pmtu 1500 hops 1 back 1/);
      for (const bytes of [1, 1_453, 65_000]) {
        fulfilled(await kernel.ask(UNIKERNEL6, { op: 'udp', port: 7, bytes }));
      }
      const refused = await kernel.ask(UNIKERNEL6, { op: 'udp', port: 99, bytes: 1 });
      assert.match(refused.text, /ECONNREFUSED/);
      const limits = ['-n', '-Pn', '-T5', '--max-retries', '1', '--max-os-tries', '1'];
      const scanned = await net.run('nmap', '-6', '-sS', '-O', '-p', '1-50', ...limits, UNIKERNEL6);
      assert.match(scanned, /^7\/tcp +open/m);
      await net.run('ip', 'neigh', 'flush', 'dev', 'tap0');
      fulfilled(await kernel.ask(UNIKERNEL6, { op: 'echo', port: 7, bytes: 256 * KIB }));
      const counters = await network.counters(UNIKERNEL6);
      assert.ok(counters.connections! <= 2, JSON.stringify(counters));
      assert.ok((await kernel.ask(LINUX6, { op: 'serve', port: 7 })).ok);
      assert.equal(await network.command(`echo ${LINUX6} 7 ${KIB}`, UNIKERNEL6), 'ok');
    } finally {
      await network.close();
    }
  });
});
