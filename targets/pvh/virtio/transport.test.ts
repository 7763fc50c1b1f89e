import assert from 'node:assert/strict';
import { test } from 'node:test';
import { discover } from './discovery.ts';
import { formatVirtioFault } from './fault.ts';
import { type MmioDevice, SimulatedBase } from './simulated-base.ts';
import { SimulatedDevice } from './simulated-device.ts';
import { type PciFunction, PciTransport, scanPci } from './transport-pci.ts';

const window = (address: number, bytes = 512) => ({ address, bytes, gsi: 5 });

test('MMIO › empty window › no device and no fault', () => {
  const base = new SimulatedBase();
  new SimulatedDevice(base, { address: 0x1000, deviceId: 0, features: 0, queueSizes: [] });
  assert.deepEqual(discover(base, [window(0x1000)]), { transports: [], bad: [] });
});

test('MMIO › wrong magic, wrong version, small window › named faults', () => {
  const base = new SimulatedBase();
  const options = { deviceId: 1, features: 0, queueSizes: [] };
  new SimulatedDevice(base, { ...options, address: 0x1000, magic: 1 });
  new SimulatedDevice(base, { ...options, address: 0x2000, version: 1 });
  new SimulatedDevice(base, { ...options, address: 0x3000, version: 3 });
  const windows = [window(0x1000), window(0x2000), window(0x3000), window(0x4000, 255)];
  const { transports, bad } = discover(base, windows);
  assert.equal(transports.length, 0);
  assert.deepEqual(
    bad.map(({ name, fault }) => `${name} ${fault.kind}`),
    [
      'virtio-mmio 0x1000 malformed',
      'virtio-mmio 0x2000 legacy',
      'virtio-mmio 0x3000 malformed',
      'virtio-mmio 0x4000 malformed',
    ],
  );
  assert.match(formatVirtioFault(bad[1]!.fault), /force-legacy=false/);
});

/** Configuration space of one function, 00:02.0, behind ports 0xCF8 and 0xCFC. */
class FakePci {
  readonly space = new DataView(new ArrayBuffer(256));
  private address = 0;

  read(port: number): number {
    if (port === 0xcf8) return this.address;
    if (this.address < 0x80001000 || this.address > 0x800010ff) return 0xffffffff;
    return this.space.getUint32(this.address - 0x80001000, true);
  }

  write(port: number, _widthBits: number, value: number): void {
    if (port === 0xcf8) this.address = value;
    else this.space.setUint32(this.address - 0x80001000, value, true);
  }

  /** A virtio capability at `at`, §4.1.4. */
  capability(at: number, next: number, type: number, bar: number, offset: number, bytes: number) {
    const { space } = this;
    for (const [i, byte] of [0x09, next, 20, type, bar].entries()) space.setUint8(at + i, byte);
    space.setUint32(at + 8, offset, true);
    space.setUint32(at + 12, bytes, true);
    if (type === 2) space.setUint32(at + 16, 4, true);
  }
}

/** A virtio-net function laid out as QEMU does it: one 64-bit BAR 4, MSI-X table in BAR 1. */
function goodPci(): { base: SimulatedBase; pci: FakePci; fn: PciFunction } {
  const base = new SimulatedBase();
  const pci = new FakePci();
  base.ports = pci;
  const { space } = pci;
  space.setUint32(0x00, 0x10411af4, true);
  space.setUint32(0x04, 0x00100000, true);
  space.setUint32(0x14, 0xfebd1000, true);
  space.setUint32(0x20, 0xfe000004 | 8, true);
  space.setUint32(0x24, 0x1, true);
  space.setUint8(0x34, 0x98);
  for (const [i, byte] of [0x11, 0x84, 2, 0].entries()) space.setUint8(0x98 + i, byte);
  space.setUint32(0x9c, 1, true);
  pci.capability(0x84, 0x70, 2, 4, 0x3000, 0x1000);
  pci.capability(0x70, 0x60, 4, 4, 0x2000, 12);
  pci.capability(0x60, 0x50, 5, 0, 0, 0);
  pci.capability(0x50, 0x40, 3, 4, 0x1000, 0x1000);
  pci.capability(0x40, 0, 1, 4, 0, 0x1000);
  const [fn] = scanPci(base);
  assert.ok(fn !== undefined);
  return { base, pci, fn };
}

class FakeRegisters implements MmioDevice {
  readonly address: number;
  readonly bytes = 0x4000;
  readonly memory = new DataView(new ArrayBuffer(0x4000));

  constructor(address: number) {
    this.address = address;
  }

  read(offset: number, widthBits: number): number {
    if (widthBits === 8) return this.memory.getUint8(offset);
    return widthBits === 16
      ? this.memory.getUint16(offset, true)
      : this.memory.getUint32(offset, true);
  }

  write(offset: number, widthBits: number, value: number): void {
    if (widthBits === 8) this.memory.setUint8(offset, value);
    else if (widthBits === 16) this.memory.setUint16(offset, value, true);
    else this.memory.setUint32(offset, value, true);
  }
}

test('PCI › no bus › nothing', () => {
  assert.deepEqual(scanPci(new SimulatedBase()), []);
});

test('PCI › modern device, 64-bit BAR › probed, bus mastering on, MSI-X routed', () => {
  const { base, pci, fn } = goodPci();
  const registers = new FakeRegisters(0x1fe000000);
  const table = new FakeRegisters(0xfebd1000);
  base.addDevice(registers);
  base.addDevice(table);
  const probed = PciTransport.probe(base, fn);
  assert.ok(probed.ok);
  const transport = probed.value;
  assert.equal(transport.name, 'virtio-pci 00:02.0');
  assert.equal(transport.deviceId, 1);
  assert.equal(pci.space.getUint16(4, true) & 6, 6);
  registers.memory.setUint8(0x2003, 0xab);
  assert.equal(transport.readConfig(3, 8), 0xab);
  assert.equal(transport.readConfig(12, 8), 0xff);
  const connected = transport.connectInterrupts();
  assert.deepEqual(connected, { ok: true, value: 3 });
  assert.equal(table.memory.getUint32(16, true), 0xfee00000);
  assert.equal(pci.space.getUint16(0x9a, true), 0x8000);
  assert.equal(transport.acknowledge(1), 1);
  assert.equal(transport.acknowledge(2), 2);
});

test('PCI › the device refuses the MSI-X vector › a fault', () => {
  const { base, fn } = goodPci();
  const registers = new FakeRegisters(0x1fe000000);
  base.addDevice(registers);
  base.addDevice(new FakeRegisters(0xfebd1000));
  const probed = PciTransport.probe(base, fn);
  assert.ok(probed.ok);
  const write = registers.write.bind(registers);
  registers.write = (offset, width, value) =>
    write(offset, width, offset === 0x10 ? 0xffff : value);
  const connected = probed.value.connectInterrupts();
  assert.ok(!connected.ok && connected.error.kind === 'malformed');
});

test('PCI › capability garbage › each a fault, never a hang', () => {
  const breaks: Record<string, (pci: FakePci) => void> = {
    'no capabilities': ({ space }) => space.setUint32(4, 0, true),
    'a loop': ({ space }) => space.setUint8(0x41, 0x98),
    'a list into the header': ({ space }) => space.setUint8(0x41, 0x10),
    'no MSI-X': ({ space }) => space.setUint8(0x98, 0x05),
    'one MSI-X vector': ({ space }) => space.setUint8(0x9a, 0),
    'no common configuration': ({ space }) => space.setUint8(0x43, 9),
    'short common configuration': ({ space }) => space.setUint32(0x4c, 8, true),
    'BAR number 6': ({ space }) => space.setUint8(0x44, 6),
    'BAR without address': ({ space }) => {
      space.setUint32(0x20, 4, true);
      space.setUint32(0x24, 0, true);
    },
    'BAR of ports': ({ space }) => space.setUint32(0x20, 0xc001, true),
    'BAR beyond 52 bits': ({ space }) => space.setUint32(0x24, 0xffffffff, true),
    '64-bit BAR in the last place': ({ space }) => {
      space.setUint8(0x44, 5);
      space.setUint32(0x24, 0xfe000004, true);
    },
  };
  for (const [name, spoil] of Object.entries(breaks)) {
    const { base, pci, fn } = goodPci();
    spoil(pci);
    const probed = PciTransport.probe(base, fn);
    assert.ok(!probed.ok && probed.error.kind === 'malformed', name);
  }
});

test('PCI › a virtio device that can’t be used › reported by discovery under its name', () => {
  const { base, pci } = goodPci();
  pci.space.setUint32(4, 0, true);
  const { bad } = discover(base, []);
  assert.deepEqual(
    bad.map(({ name }) => name),
    ['virtio-pci 00:02.0'],
  );
});

test('PCI › other vendors and other devices of virtio’s vendor › left alone', () => {
  for (const id of [0x10418086, 0x11001af4, 0x0fff1af4]) {
    const { base, pci } = goodPci();
    pci.space.setUint32(0, id, true);
    assert.deepEqual(scanPci(base), []);
  }
});
