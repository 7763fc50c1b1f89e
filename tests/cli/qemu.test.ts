import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { checkMachineLinks, parseMachineLinks } from '../../tools/cli/machine-links.ts';
import { commandLine, imageExitCode, qemuArguments } from '../../tools/cli/qemu.ts';

const OPTIONS = {
  image: 'a.img',
  machine: 'microvm',
  accelerator: 'tcg',
  memoryMib: 16,
  publish: [
    { hostAddress: '127.0.0.1', hostPort: 8080, guestPort: 80, protocol: 'tcp' },
    { hostAddress: '0.0.0.0', hostPort: 53, guestPort: 5353, protocol: 'udp' },
  ],
  bootArguments: ['--port=80'],
} as const;

test('microvm › virtio over MMIO, ports forwarded', () => {
  const args = qemuArguments(OPTIONS).join(' ');
  assert.match(args, /^-M microvm,acpi=off,x-option-roms=off,rtc=on -accel tcg -cpu Nehalem/);
  assert.match(
    args,
    /user,id=n0,hostfwd=tcp:127\.0\.0\.1:8080-:80,hostfwd=udp:0\.0\.0\.0:53-:5353 /,
  );
  assert.match(args, /-device virtio-net-device,netdev=n0 -device virtio-rng-device/);
  assert.match(args, /-kernel a\.img -append -- --port=80$/);
});

test('control channel › a named port of a console device, on both kinds of machine', () => {
  for (const [machine, bus] of [
    ['microvm', 'virtio-serial-device'],
    ['q35', 'virtio-serial-pci,disable-legacy=on'],
  ] as const) {
    const args = qemuArguments({ ...OPTIONS, machine, control: '/run/a,b' });
    const at = args.indexOf('-chardev');
    assert.deepEqual(args.slice(at, at + 6), [
      ...['-chardev', 'socket,id=control,path=/run/a,,b'],
      ...['-device', `${bus},max_ports=2`],
      ...['-device', 'virtserialport,chardev=control,name=morgana.control'],
    ]);
    assert.ok(!qemuArguments({ ...OPTIONS, machine, control: null }).includes('-chardev'));
  }
});

test('q35 › virtio over PCI, no option ROM, no display adapter', () => {
  const args = qemuArguments({ ...OPTIONS, machine: 'q35', accelerator: 'kvm' }).join(' ');
  assert.match(args, /^-M q35 -accel kvm -cpu host /);
  assert.match(args, /virtio-net-pci,disable-legacy=on,romfile=,netdev=n0/);
  assert.match(args, /-vga none/);
  assert.doesNotMatch(args, /force-legacy/);
});

const LINKS = [
  { kind: 'unix', place: '/run/a,b', mac: '52:54:00:00:00:01' },
  { kind: 'tap', place: 'tap0', mac: '52:54:00:00:00:02' },
  { kind: 'unix-listen', place: 'c', mac: '52:54:00:00:00:03' },
] as const;
for (const machine of ['microvm', 'q35'] as const) {
  test(`${machine}, links › a card each, in order, and no user networking`, () => {
    const args = qemuArguments({ ...OPTIONS, machine, links: LINKS, publish: [] });
    const values = (flag: string) => args.filter((_, index) => args[index - 1] === flag);
    assert.deepEqual(values('-netdev'), [
      'stream,id=n0,server=off,addr.type=unix,addr.path=/run/a,,b',
      'tap,id=n1,ifname=tap0,script=no,downscript=no',
      'stream,id=n2,server=on,addr.type=unix,addr.path=c',
    ]);
    const cards = values('-device').filter((value) => value.startsWith('virtio-net'));
    assert.deepEqual(
      cards.map((card) => card.replace(/^.*?netdev=/, '')),
      [0, 1, 2].map((index) => `n${index},mac=52:54:00:00:00:0${index + 1}`),
    );
  });
}

test('links › read, an address drawn where none is given; others refused', () => {
  const [first, second] = parseMachineLinks(['unix:/run/a,mac=52:54:00:00:00:1F', 'tap:tap0']);
  assert.deepEqual(first, { kind: 'unix', place: '/run/a', mac: '52:54:00:00:00:1f' });
  assert.match(second!.mac, /^.[26ae](:[0-9a-f]{2}){5}$/);
  for (const wrong of ['unix:a,mac=1', 'udp:x', 'unix:', 'tap:t,mac=01:00:00:00:00:00']) {
    assert.throws(() => parseMachineLinks([wrong]), /not a link, give it tap:NAME/, wrong);
  }
  assert.throws(() => parseMachineLinks([`unix:/${'x'.repeat(107)}`]), /107 are the most/);
});

test('links that can not be had › one sentence each', async () => {
  const work = mkdtempSync(path.join(tmpdir(), 'morgana-links-'));
  const held = path.join(work, 'held');
  const file = path.join(work, 'file');
  writeFileSync(file, '');
  const server = createServer().listen(held);
  await once(server, 'listening');
  const check = (text: string) => checkMachineLinks(parseMachineLinks([text]));
  check(`unix:${held}`);
  check(`unix-listen:${work}/free`);
  const refused: readonly [string, RegExp][] = [
    [`unix:${work}/none`, /none can't be had: nobody listens there, start/],
    [`unix:${file}`, /nobody listens there/],
    [`unix-listen:${held}`, /that path is taken/],
    [`unix-listen:${file}`, /that path is taken/],
    [`unix-listen:${work}/no/such`, /nothing can be made in .*no, name/],
    ['tap:morgana-none', /no such device, make it: sudo ip tuntap add dev morgana-none/],
  ];
  for (const [text, message] of refused) assert.throws(() => check(text), message, text);
  server.close();
  rmSync(work, { recursive: true });
});

test('boot-time arguments › quoted where the image would read them otherwise', () => {
  const words: readonly [string, string][] = [
    ['--port=80', '--port=80'],
    ['--title=a b', '"--title=a b"'],
    ['--title="x"', '"--title=\\"x\\""'],
    ['a\\b', '"a\\\\b"'],
    ['', '""'],
    ['--', '"--"'],
    ['virtio_mmio.device=4K@0x1:5', '"virtio_mmio.device=4K@0x1:5"'],
  ];
  for (const [word, quoted] of words) assert.equal(commandLine([word]), `-- ${quoted}`);
});

test("QEMU's status › the image's exit code", () => {
  const codes: readonly [number, number | null][] = [
    [0, 0],
    [3, 1],
    [129, 64],
    [253, 126],
    [1, null],
    [2, null],
  ];
  for (const [status, code] of codes) assert.equal(imageExitCode(status), code);
});
