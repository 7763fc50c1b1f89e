/**
 * A Linux namespace as a guest of a gateway that runs in this process: tap device, tap-link, and
 * the gateway on host sockets. The namespace has no address until a DHCP client asks for one.
 */

import { randomFillSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Log, wallTimeOfMillis } from '#core';
import { Gateway, type GatewayNetwork, gatewayNetwork } from '#gateway';
import { HostStack } from '../../targets/node/host-stack.ts';
import { NodeLoop } from '../../targets/node/loop.ts';
import { StreamNetDevice } from '../../targets/node/stream-net-device.ts';
import { linkTap } from '../interop/linux/network.ts';
import { Namespace } from './namespace.ts';

const MAC = Uint8Array.of(0x52, 0x54, 0, 0x77, 0, 1);

/** What a DHCP client runs: takes the address and the router, and leaves the host's files alone. */
const SCRIPT = `#!/bin/sh
# udhcpc says "bound" with $ip, $mask and $router, dhclient "BOUND" with $new_...
case "$1$reason" in
bound|renew) address="$ip/$mask" way="$router" ;;
BOUND|RENEW|REBOOT) address="$new_ip_address/$new_subnet_mask" way="$new_routers" ;;
*) exit 0 ;;
esac
ip -4 address flush dev tap0
ip address add "$address" dev tap0
ip link set tap0 up
ip route replace default via "$way"
echo "router=$router dns=$dns domain=$domain mtu=$mtu" > "$SCRIPT_OUT"
`;

export class GatewayGuest {
  readonly net: Namespace;
  readonly gateway: Gateway;
  readonly loop: NodeLoop;
  readonly host: HostStack;
  readonly work: string;
  private readonly socket: Socket;

  private constructor(
    net: Namespace,
    socket: Socket,
    loop: NodeLoop,
    host: HostStack,
    gateway: Gateway,
    work: string,
  ) {
    this.net = net;
    this.socket = socket;
    this.loop = loop;
    this.host = host;
    this.gateway = gateway;
    this.work = work;
  }

  static async open(change: Partial<GatewayNetwork> = {}): Promise<GatewayGuest> {
    const net = await Namespace.open();
    await net.run('ip', 'link', 'set', 'lo', 'up');
    await net.run('ip', 'tuntap', 'add', 'dev', 'tap0', 'mode', 'tap');
    await net.run('ip', 'link', 'set', 'tap0', 'up');
    const socket = linkTap(net, 'tap0');
    const loop = new NodeLoop();
    const host = new HostStack(loop);
    const network = gatewayNetwork('10.77.0.0/24', change);
    if (!network.ok) throw new TypeError(network.error.message);
    const log = new Log(() => {}, 'off');
    const gateway = new Gateway({
      device: new StreamNetDevice(loop, socket, MAC, () => {}),
      host,
      timers: loop.timers,
      entropy: { fill: (out) => void randomFillSync(out) },
      clock: { wall: () => wallTimeOfMillis(Date.now()) },
      logger: log.source('gateway'),
      network: network.value,
    });
    loop.plan();
    const work = mkdtempSync(path.join(tmpdir(), 'morgana-gateway-'));
    writeFileSync(path.join(work, 'script'), SCRIPT, { mode: 0o755 });
    return new GatewayGuest(net, socket, loop, host, gateway, work);
  }

  /** Asks for an address with busybox's client, which calls itself `name`. */
  async udhcpc(name: string): Promise<void> {
    await this.net.run(
      ...['env', `SCRIPT_OUT=${this.work}/env`, 'udhcpc', '-i', 'tap0', '-f', '-q', '-n'],
      ...[
        '-O',
        'mtu',
        '-t',
        '20',
        '-T',
        '1',
        '-x',
        `hostname:${name}`,
        '-s',
        `${this.work}/script`,
      ],
    );
  }

  async close(): Promise<void> {
    this.gateway.close();
    this.loop.endTurn();
    this.socket.destroy();
    this.loop.stop();
    await this.net.close();
    rmSync(this.work, { recursive: true });
  }
}
