/**
 * The network stack in an image against Linux's: a tap device in a namespace of its own, dnsmasq as
 * DHCP server, the kernel's TCP as peer, with and without losses, with and without offloads.
 */

import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { buildImage, cannotBoot, type Machine, serving } from '../helpers/machine.ts';
import { cannotTap, Namespace } from '../helpers/namespace.ts';

const skip = cannotBoot === false ? cannotTap : cannotBoot;
const HOST = '10.97.0.1';
const MAC = '52:54:00:6d:67:01';
const MIB = 1_048_576;
const FILES = { 'one.bin': MIB, 'twenty.bin': 20 * MIB, 'small.bin': 1_024 };
const OFFLOADS_OFF = [
  ...['csum', 'guest_csum', 'gso', 'guest_tso4', 'guest_tso6', 'guest_ecn', 'guest_ufo'],
  ...['host_tso4', 'host_tso6', 'host_ecn', 'host_ufo', 'mrg_rxbuf'],
];

interface Offloads {
  readonly name: string;
  readonly header: 'on' | 'off';
  readonly device: string;
}

const OFFLOADS: readonly Offloads[] = [
  { name: 'offloads', header: 'on', device: '' },
  { name: 'no offloads', header: 'off', device: OFFLOADS_OFF.map((it) => `,${it}=off`).join('') },
];

let work = '';
let image = '';
let echoImage = '';

before(async () => {
  if (skip !== false) return;
  work = mkdtempSync(path.join(tmpdir(), 'morgana-tap-'));
  for (const [name, bytes] of Object.entries(FILES)) {
    writeFileSync(path.join(work, name), randomFillSync(Buffer.alloc(bytes)));
  }
  image = await buildImage(work);
  echoImage = await buildImage('examples/handler/app.ts');
});

after(() => {
  if (image !== '') rmSync(image);
  if (work !== '') rmSync(work, { recursive: true });
});

/** A namespace with a tap device and a DHCP server. */
async function openNetwork(header: 'on' | 'off', leases: string): Promise<Namespace> {
  const net = await Namespace.open();
  await net.run('ip', 'link', 'set', 'lo', 'up');
  const words = ['ip', 'tuntap', 'add', 'dev', 'tap0', 'mode', 'tap'];
  await net.run(...words, ...(header === 'on' ? ['vnet_hdr'] : []));
  await net.run('ip', 'address', 'add', `${HOST}/24`, 'dev', 'tap0');
  await net.run('ip', 'link', 'set', 'tap0', 'up');
  net.start(
    ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--user=root'],
    ...['--no-ping', '--pid-file=', '--log-facility=/dev/null', `--dhcp-leasefile=${leases}`],
    '--dhcp-range=10.97.0.50,10.97.0.99,255.255.255.0,1h',
  );
  return net;
}

/** Drops so many of a hundred TCP packets, each way, from now on. */
async function lose(net: Namespace, percent: number): Promise<void> {
  const rules = [
    'flush ruleset',
    'table inet loss {',
    '  chain from { type filter hook input priority 0;',
    `    iifname tap0 meta l4proto tcp numgen random mod 100 < ${percent} counter drop; }`,
    '  chain to { type filter hook output priority 0;',
    `    oifname tap0 meta l4proto tcp numgen random mod 100 < ${percent} counter drop; }`,
    '}',
  ];
  const file = path.join(work, 'loss.nft');
  writeFileSync(file, rules.join('\n'));
  await net.run('nft', '-f', file);
}

const droppedPackets = async (net: Namespace): Promise<number> => {
  const counters = (await net.run('nft', 'list', 'ruleset')).matchAll(/counter packets (\d+)/g);
  return [...counters].reduce((sum, found) => sum + Number(found[1]), 0);
};

/** Boots an image on the tap device, and waits until it serves. */
function join(net: Namespace, { header, device }: Offloads, image: string): Promise<Machine> {
  const netdev = `tap,id=n0,ifname=tap0,script=no,downscript=no,vhost=off,vnet_hdr=${header}`;
  const link = { netdev, device: `,mac=${MAC}${device}` };
  return serving({ image, memoryMib: 40, link, enter: net.enter });
}

const addressOf = (machine: Machine): string =>
  /info stack: ([\d.]+)\/24 from 10\.97\.0\.1 /.exec(machine.console)?.[1] ?? '';

for (const { name, header, device } of OFFLOADS) {
  describe(`tap, ${name}`, { skip }, () => {
    let net: Namespace;
    let machine: Machine;
    let address = '';
    let leases = '';

    before(async () => {
      leases = path.join(work, `leases-${header}`);
      net = await openNetwork(header, leases);
      machine = await join(net, { name, header, device }, image);
      address = addressOf(machine);
    });
    after(async () => {
      await machine?.stop();
      await net?.close();
    });

    /** Fails unless the whole file arrives as it is. */
    const download = async (file: keyof typeof FILES, seconds: number): Promise<void> => {
      const copy = path.join(work, 'copy.bin');
      const url = `http://${address}/${file}`;
      await net.run('curl', '-sS', '--max-time', String(seconds), '-o', copy, url);
      assert.ok(readFileSync(copy).equals(readFileSync(path.join(work, file))), file);
    };

    test('DHCP › dnsmasq leases the address that the stack has', () => {
      assert.match(address, /^10\.97\.0\.[5-9]\d$/);
      assert.ok(readFileSync(leases, 'utf8').includes(`${MAC} ${address} `));
    });

    test('ARP › the kernel knows the address of the card', async () => {
      await net.run('ping', '-c', '1', '-W', '2', address);
      const neighbour = await net.run('ip', 'neigh', 'show', address);
      assert.match(neighbour, new RegExp(`lladdr ${MAC} (REACHABLE|STALE|DELAY|PROBE)`));
    });

    for (const bytes of [56, 1400]) {
      test(`ping › 20 of ${bytes} bytes come back`, async () => {
        const words = ['ping', '-c', '20', '-i', '0.01', '-W', '2', '-s', String(bytes), address];
        assert.match(
          await net.run(...words),
          /20 packets transmitted, 20 received, 0% packet loss/,
        );
      });
    }

    test('TCP › 1 and 20 MiB arrive as they are', async () => {
      await download('one.bin', 10);
      await download('twenty.bin', 20);
    });

    test('TCP › 1,000 short connections, all answered', async () => {
      const url = `http://${address}/small.bin?[1-1000]`;
      const options = ['-sS', '--max-time', '20', '-o', '/dev/null', '-H', 'Connection: close'];
      const counts = await net.run('curl', ...options, '-w', '%{http_code} %{num_connects}\n', url);
      assert.equal(counts, '200 1\n'.repeat(1_000));
    });

    test('TCP › a port that nobody listens on › refused at once', async () => {
      const seconds = ['-w', '%{time_total}\\n', '--max-time', '20'];
      const refused = net.run('curl', '-sS', ...seconds, `http://${address}:81/`);
      await assert.rejects(refused, ({ message }: Error) => {
        const [, took] = /status 7\n([\d.]+)\n/.exec(message) ?? assert.fail(message);
        // Linux would send its SYN again after a second.
        return Number(took) < 0.9;
      });
    });

    for (const percent of [1, 5]) {
      test(`TCP › ${percent} % lost each way › arrives all the same`, async (context) => {
        await lose(net, percent);
        const started = performance.now();
        // A MiB crosses in twenty packets where the device cuts segments, and may lose none.
        const isLarge = percent === 1 || header === 'on';
        await download(isLarge ? 'twenty.bin' : 'one.bin', 30);
        assert.ok((await droppedPackets(net)) > 0);
        context.diagnostic(`${Math.round(performance.now() - started)} ms`);
        await net.run('nft', 'flush', 'ruleset');
      });
    }
  });
}

for (const offloads of OFFLOADS) {
  test(`tap, ${offloads.name} › TCP › 3 MB there and back, 2 % lost`, { skip }, async () => {
    const net = await openNetwork(offloads.header, path.join(work, 'leases-echo'));
    try {
      const machine = await join(net, offloads, echoImage);
      try {
        const [sent, back] = [path.join(work, 'sent.bin'), path.join(work, 'back.bin')];
        writeFileSync(sent, randomFillSync(Buffer.alloc(3_000_000)));
        const url = `http://${addressOf(machine)}/echo`;
        const post = ['curl', '-sS', '--max-time', '30', '--data-binary', `@${sent}`, '-o', back];
        for (const percent of [0, 2]) {
          await lose(net, percent);
          await net.run(...post, url);
          assert.ok(readFileSync(back).equals(readFileSync(sent)), `${percent} % lost`);
        }
        assert.ok((await droppedPackets(net)) > 0);
      } finally {
        await machine.stop();
      }
    } finally {
      await net.close();
    }
  });
}
