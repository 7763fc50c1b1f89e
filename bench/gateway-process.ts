/** The gateway of bench/gateway.ts: a process with one link, a UNIX socket, on host sockets. */

import { randomFillSync } from 'node:crypto';
import { connect } from 'node:net';
import { Log, wallTimeOfMillis } from '#core';
import { Gateway, gatewayNetwork } from '#gateway';
import { HostStack } from '../targets/node/host-stack.ts';
import { NodeLoop } from '../targets/node/loop.ts';
import { StreamNetDevice } from '../targets/node/stream-net-device.ts';

const MAC = Uint8Array.of(0x52, 0x54, 0, 0x77, 0, 1);
const network = gatewayNetwork('10.77.0.0/24');
if (!network.ok) throw new TypeError(network.error.message);
const loop = new NodeLoop();
const socket = connect(process.argv[2] ?? '');
new Gateway({
  device: new StreamNetDevice(loop, socket, MAC, () => process.exit(0)),
  host: new HostStack(loop),
  timers: loop.timers,
  entropy: { fill: (out) => void randomFillSync(out) },
  clock: { wall: () => wallTimeOfMillis(Date.now()) },
  logger: new Log(() => {}, 'off').source('gateway'),
  network: network.value,
});
loop.plan();
