import assert from 'node:assert/strict';
import { test } from 'node:test';
import { netCases } from '#device/conformance';
import { DEVICE_FRAMES_MAX } from './limits.ts';
import { SwitchNetDevice } from './switch-net-device.ts';
import { frameOf, macOf, testSwitch } from './test-ports.ts';

for (const { name, run } of netCases) {
  test(`conformance › ${name}`, async () => {
    const { timers, network, pass } = testSwitch();
    const a = new SwitchNetDevice(timers, network, 'a', macOf(1));
    const b = new SwitchNetDevice(timers, network, 'b', macOf(2));
    await run({ a, b, settle: async () => pass(1) });
  });
}

test('a frame for the device › handed over when the timers run, not within the call', () => {
  const { timers, network, plug, pass } = testSwitch();
  const device = new SwitchNetDevice(timers, network, 'own', macOf(1));
  const got: Uint8Array[] = [];
  device.attach({ receive: (frame) => got.push(frame.slice()), transmitReady() {} });
  const peer = plug('peer');
  const sent = frameOf(macOf(1), macOf(2), 9);
  peer.send(sent);
  assert.deepEqual(got, []);
  pass(0);
  assert.deepEqual(got, [sent]);
});

test('frames that wait, at the bound and one past it › dropped, counted', () => {
  const { timers, network, plug, pass } = testSwitch();
  const device = new SwitchNetDevice(timers, network, 'own', macOf(1));
  let got = 0;
  device.attach({
    receive() {
      got += 1;
    },
    transmitReady() {},
  });
  const peer = plug('peer');
  for (let n = 0; n < DEVICE_FRAMES_MAX; n++) peer.send(frameOf(macOf(1), macOf(2)));
  assert.equal(device.counters().receiveFull, 0);
  peer.send(frameOf(macOf(1), macOf(2)));
  assert.equal(device.counters().receiveFull, 1);
  pass(0);
  assert.equal(got, DEVICE_FRAMES_MAX);
});

test('many frames sent › each whole, in memory of its own', () => {
  const { timers, network, plug } = testSwitch();
  const device = new SwitchNetDevice(timers, network, 'own', macOf(1));
  device.attach({ receive() {}, transmitReady() {} });
  const peer = plug('peer');
  for (let n = 0; n < 200; n++) {
    const memory = device.reserve();
    memory.set(frameOf(macOf(2), macOf(1), n));
    device.commit(60, [Uint8Array.of(n), new Uint8Array(900).fill(n)], null);
  }
  assert.deepEqual(peer.got, [...Array(200).keys()]);
  for (const [n, frame] of peer.frames.entries()) {
    assert.equal(frame.length, 4 + 961);
    assert.deepEqual(frame.subarray(64), new Uint8Array(901).fill(n));
  }
});
