import assert from 'node:assert/strict';
import { test } from 'node:test';
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

test('q35 › virtio over PCI, no option ROM, no display adapter', () => {
  const args = qemuArguments({ ...OPTIONS, machine: 'q35', accelerator: 'kvm' }).join(' ');
  assert.match(args, /^-M q35 -accel kvm -cpu host /);
  assert.match(args, /virtio-net-pci,disable-legacy=on,romfile=,netdev=n0/);
  assert.match(args, /-vga none/);
  assert.doesNotMatch(args, /force-legacy/);
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
