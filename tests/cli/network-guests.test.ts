/** Guests of two networks in this process: whose a name is, and who reaches this machine. */

import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { Log } from '#core';
import { gatewayNetwork } from '#gateway';
import type { IpAddress, NetStack, TcpStack } from '#net';
import { joinStacks } from '#stack';
import { NodeLoop } from '../../targets/node/loop.ts';
import { StreamNetDevice } from '../../targets/node/stream-net-device.ts';
import { NetworkClient } from '../../tools/cli/network/control-client.ts';
import { parseMacText } from '../../tools/cli/network/mac.ts';
import type { NetworkName, PublishedAt } from '../../tools/cli/network/messages.ts';
import { Network } from '../../tools/cli/network/network.ts';
import { Workspace } from './cli.ts';

const work = new Workspace();
const WEB = { name: 'web', mac: '02:00:00:00:00:01', address: null, allowHost: false } as const;

const open = (name: string, gateway: string, allowsHost: boolean) =>
  Network.open({
    name,
    switchSocket: work.path(`${name}.sock`),
    controlSocket: work.path(`${name}-control.sock`),
    pcap: null,
    impairment: null,
    gateway,
    leases: [],
    allowsHost,
    seed: 1,
    lingerMillis: 0,
    say: () => {},
  });

/** A stack of its own on a network, with an address of its gateway. */
class Guest {
  readonly net: NetStack;
  readonly tcp: TcpStack;
  readonly loop: NodeLoop;
  readonly socket: net.Socket;

  private constructor(loop: NodeLoop, socket: net.Socket, mac: string) {
    const log = new Log(() => {}, 'off').source('guest');
    const device = new StreamNetDevice(loop, socket, parseMacText(mac), () => {});
    const entropy = { fill: (out: Uint8Array) => void randomFillSync(out) };
    const { timers } = loop;
    const both = joinStacks({ device, timers, entropy, netLog: log, tcpLog: log });
    this.net = both.net;
    this.tcp = both.tcp;
    this.loop = loop;
    this.socket = socket;
  }

  static async open(network: string, mac: string, hostName?: string): Promise<Guest> {
    const socket = net.connect(work.path(`${network}.sock`));
    await once(socket, 'connect');
    const loop = new NodeLoop();
    const guest = new Guest(loop, socket, mac);
    loop.turn(() => {
      guest.net.startDhcp(hostName);
      guest.net.startIpv6({ secret: null, fixed: null });
    });
    await until(() => guest.net.configuration !== null && guest.net.ipv6?.isGlobal === true);
    return guest;
  }

  /** Says `text` to whoever connects. */
  serve(text: string): void {
    this.tcp.listen(80, (flow) => {
      flow.attach({ data() {}, drained() {}, end() {}, closed() {} });
      flow.write(Uint8Array.from(Buffer.from(text)));
      flow.shutdown();
    });
  }

  /** What became of a connection. */
  connect(to: IpAddress, port: number): Promise<string> {
    return new Promise((resolve) => {
      this.loop.turn(() => {
        this.tcp.connect(to, port, (opened) => {
          if (opened.ok) opened.value.abort();
          resolve(opened.ok ? 'open' : opened.error.kind);
        });
      });
    });
  }

  close(): void {
    this.socket.destroy();
    this.loop.stop();
  }
}

async function until(isDone: () => boolean): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!isDone()) {
    assert.ok(performance.now() < deadline, 'nothing came of it in time');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** This machine, as the guests of a network call it. */
function hostOf(text: string): { hostAddress: IpAddress; hostAddress6: IpAddress } {
  const network = gatewayNetwork(text);
  assert.ok(network.ok);
  const { hostAddress, ipv6 } = network.value;
  return { hostAddress: hostAddress!, hostAddress6: ipv6!.hostAddress! };
}

const networks: Network[] = [];
const guests: Guest[] = [];
const servers: net.Server[] = [];
let client: NetworkClient;
before(async () => {
  networks.push(
    await open('shut', '10.77.8.0/24', false),
    await open('open', '10.77.9.0/24', true),
  );
  client = (await NetworkClient.connect(work.path('shut-control.sock')))!;
  for (const host of ['127.0.0.1', '::1']) {
    const server = net.createServer((socket) => socket.destroy()).listen(0, host);
    servers.push(server);
    await once(server, 'listening');
  }
  guests.push(
    ...(await Promise.all([
      // In need of no name: the network knows its own.
      Guest.open('shut', WEB.mac),
      Guest.open('shut', '02:00:00:00:00:66', 'web'),
      Guest.open('open', '02:00:00:00:00:02', 'db'),
    ])),
  );
});
after(async () => {
  client.close();
  for (const guest of guests) guest.close();
  for (const server of servers) server.close();
  for (const network of networks) await network.close();
  work.remove();
});

test('a published port, a probe › of who joined under the name, not of who says it to DHCP', async () => {
  const [web, evil] = guests;
  web!.serve('the web');
  evil!.serve('evil');
  await client.ask({ ask: 'join', ...WEB });
  const host = { hostAddress: '127.0.0.1', hostPort: 0, protocol: 'tcp' } as const;
  const asked = { ask: 'publish', ...host, guest: 'web', guestPort: 80 } as const;
  const { hostPort } = (await client.ask(asked)) as PublishedAt;
  const socket = net.connect(hostPort, '127.0.0.1');
  assert.equal(String((await once(socket, 'data'))[0]), 'the web');
  socket.destroy();
  const probe = { ask: 'probe', guest: 'web', guestPort: 80, timeoutMillis: 5_000 } as const;
  assert.equal(await client.ask(probe), null);
  const [known] = (await client.ask({ ask: 'names' })) as NetworkName[];
  assert.match(known!.address!, /^10\.77\.8\.\d+$/);
});

test('who joined with an address of its own › is found at it by name', async () => {
  const own = { ...WEB, name: 'own', mac: '02:00:00:00:00:09', address: '10.77.8.1' };
  const other = (await NetworkClient.connect(work.path('shut-control.sock')))!;
  await other.ask({ ask: 'join', ...own });
  const names = (await client.ask({ ask: 'names' })) as NetworkName[];
  assert.equal(names.find(({ name }) => name === 'own')?.address, '10.77.8.1');
  other.close();
});

for (const [version, index, host] of [
  ['IPv4', 0, 'hostAddress'],
  ['IPv6', 1, 'hostAddress6'],
] as const) {
  test(`this machine’s loopback over ${version} › reached where it was allowed, only`, async () => {
    const { port } = servers[index]!.address() as net.AddressInfo;
    const [web, , db] = guests;
    assert.equal(await db!.connect(hostOf('10.77.9.0/24')[host], port), 'open');
    assert.equal(await web!.connect(hostOf('10.77.8.0/24')[host], port), 'unreachable');
  });
}

test('who must reach this machine › on a network that was started without › refused', async () => {
  const shut = client.ask({ ask: 'join', ...WEB, allowHost: true });
  await assert.rejects(
    shut,
    /the network 'shut' runs without --allow-host: start it anew with that/,
  );
  const other = (await NetworkClient.connect(work.path('open-control.sock')))!;
  await other.ask({ ask: 'join', ...WEB, allowHost: true });
  other.close();
});
