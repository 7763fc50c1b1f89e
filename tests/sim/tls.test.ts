/**
 * TLS over our own TCP in virtual time: a flow of TLS does what every flow must; over links that
 * lose, repeat, reorder and corrupt, both roles, from one seed each.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { after, millis, seconds, wallTimeOfMillis } from '#core';
import { nobleCrypto } from '#crypto/noble';
import type { CryptoPrimitives, Flow, FlowHandler, Stack } from '#device';
import { FlowRecorder, flowCases } from '#device/conformance';
import { directStack, Names, stackOptions } from '#stack';
import { nodeCrypto } from '#targets/node/crypto';
import { SimWorld } from '#targets/sim/index';
import {
  acceptTls,
  type Credentials,
  connectTls,
  DEFAULT_LIMITS,
  SessionCache,
  TicketKeys,
  type TlsClientConfig,
  type TlsEnvironment,
  type TlsFlow,
  type TlsServerConfig,
  tlsClientConfig,
  tlsServerConfig,
} from '#tls';
import { CertificateAuthority, TrustAnchors } from '#x509';

const PATIENCE = seconds(600);
const DAY_MS = 86_400_000;

class Net {
  readonly world: SimWorld;
  readonly env: TlsEnvironment;
  readonly anchors: TrustAnchors;
  readonly credentials: Credentials;
  server: TlsServerConfig;
  client: TlsClientConfig;
  serverStack!: Stack;
  clientStack!: Stack;

  constructor(seed: number, crypto: CryptoPrimitives) {
    this.world = new SimWorld(seed);
    const { clock, random: entropy, timers } = this.world;
    this.env = { crypto, entropy, clock, timers };
    const validity = {
      notBefore: wallTimeOfMillis(clock.wall() - DAY_MS),
      notAfter: wallTimeOfMillis(clock.wall() + DAY_MS),
    };
    const root = CertificateAuthority.create({ crypto, entropy }, { name: 'Root', ...validity });
    const key = crypto.generatePrivateKey('P-256', entropy);
    const names = ['server.example'];
    const purposes = ['serverAuth', 'clientAuth'] as const;
    const leaf = root.issue({ names, spki: key.spki, purposes, ...validity });
    this.anchors = new TrustAnchors([root.certificate.raw]);
    this.credentials = { chain: [leaf], key };
    this.server = tlsServerConfig({ credentials: () => this.credentials });
    this.client = tlsClientConfig({ serverName: 'server.example', anchors: this.anchors });
  }

  async start(): Promise<this> {
    this.serverStack = await this.stack('server', 2);
    this.clientStack = await this.stack('client', 1);
    return this;
  }

  until(condition: () => boolean): Promise<void> {
    const { world } = this;
    return world.runAsync(condition, after(world.timers.now, PATIENCE), () => setImmediate());
  }

  async open(atClient: FlowHandler, atServer: FlowHandler) {
    let client: TlsFlow | null = null;
    let server: TlsFlow | null = null;
    const listening = await this.serverStack.listen(0, (below) =>
      acceptTls(below, this.server, this.env, (result) => {
        assert.ok(result.ok);
        result.value.attach(atServer);
        server = result.value;
      }),
    );
    assert.ok(listening.ok);
    this.clientStack.connect('10.0.0.2', listening.value.port, (connected) => {
      assert.ok(connected.ok);
      connectTls(connected.value, this.client, this.env, (result) => {
        assert.ok(result.ok);
        result.value.attach(atClient);
        client = result.value;
      });
    });
    await this.until(() => client !== null && server !== null);
    listening.value.close();
    return { client: client!, server: server! };
  }

  private async stack(name: string, number: number): Promise<Stack> {
    const options = stackOptions(`10.0.0.${number}/24`, '', '');
    assert.ok(options.ok);
    const { device, entropy, log } = this.world.addHost(name, { bitsPerSecond: 1e9 });
    const machine = { timers: this.world.timers, entropy };
    const names = (numeric: ConstructorParameters<typeof Names>[0]) => new Names(numeric);
    return directStack(machine, device, { ...options.value, names }, log.source('stack'));
  }
}

/** What a FlowRecorder expects, `count` bytes of it. */
function writePattern(flow: Flow, count: number): void {
  const bytes = new Uint8Array(count);
  for (let i = 0; i < count; i++) bytes[i] = (i % 251) ^ (Math.floor(i / 251) % 256);
  flow.write(bytes);
}

/** Too dear for what it adds to the others. */
const LEFT_OUT = 'write from drained › a writer that waits stays bounded';

for (const { name, run } of flowCases.filter((each) => each.name !== LEFT_OUT)) {
  test(`Flow of TLS over our TCP › ${name}`, async () => {
    const net = await new Net(1, nodeCrypto).start();
    await run({
      until: (condition) => net.until(condition),
      connect: (client, server) => net.open(client, server),
    });
  });
}
/** Sessions over a bad link: data both ways, then both sides close. Returns what was agreed on. */
async function lossy(seed: number): Promise<string> {
  const net = await new Net(seed, nobleCrypto).start();
  const { random, timers } = net.world;
  const tickets = new TicketKeys(nobleCrypto, random, timers.now);
  const sessions = new SessionCache();
  const versions = [random.pick(['TLS 1.3', 'TLS 1.3', 'TLS 1.2'] as const)];
  const groups = [random.pick(['x25519', 'secp256r1'] as const)];
  const limits = { ...DEFAULT_LIMITS, handshakeMax: seconds(120) };
  const clientAuth = random.pick(['none', 'required'] as const);
  const common = { versions, recordSizeLimit: random.pick([64, 1_000, 16_385]), limits };
  const { anchors, credentials } = net;
  net.server = tlsServerConfig({
    ...net.server,
    ...common,
    groups,
    tickets,
    clientAuth,
    clientAnchors: anchors,
  });
  net.client = tlsClientConfig({ ...net.client, ...common, sessions, credentials });
  Object.assign(net.world.network.faults, {
    lossShare: random.between(0, 60) / 1_000,
    duplicateShare: random.between(0, 20) / 1_000,
    corruptShare: random.between(0, 10) / 1_000,
    reorderShare: random.between(0, 50) / 1_000,
    delay: millis(random.between(1, 40)),
    reorderDelay: millis(random.between(1, 40)),
  });
  const told: string[] = [];
  for (let connection = 0; connection < 2; connection++) {
    const atClient = new FlowRecorder();
    const atServer = new FlowRecorder();
    const { client, server } = await net.open(atClient, atServer);
    const bytes = random.between(1, 60_000);
    writePattern(client, bytes);
    writePattern(server, bytes);
    client.shutdown();
    server.shutdown();
    await net.until(() => atClient.how !== null && atServer.how !== null);
    for (const at of [atClient, atServer]) {
      assert.equal(at.receivedBytes, bytes, `seed ${seed}`);
      assert.ok(at.ended && at.how === 'closed', `seed ${seed}`);
    }
    const { version, suite, group, resumed } = client.session;
    told.push(`${version} ${suite} ${group} ${resumed} ${bytes} at ${timers.now}`);
  }
  return told.join(', ');
}

for (const seed of [1, 2, 3]) {
  test(`a bad link, seed ${seed} › sessions are whole, and the same in each run`, async () => {
    const told = await lossy(seed);
    if (seed === 1) assert.equal(await lossy(seed), told);
  });
}

test('a link that goes dead in the handshake › timeout at both ends', async () => {
  const net = await new Net(7, nodeCrypto).start();
  const told: string[] = [];
  const listening = await net.serverStack.listen(443, (below) => {
    net.world.network.faults.lossShare = 1;
    acceptTls(below, net.server, net.env, (result) => {
      assert.ok(!result.ok);
      told.push(`server ${result.error.kind}`);
    });
  });
  assert.ok(listening.ok);
  net.clientStack.connect('10.0.0.2', 443, (connected) => {
    assert.ok(connected.ok);
    connectTls(connected.value, net.client, net.env, (result) => {
      assert.ok(!result.ok);
      told.push(`client ${result.error.kind}`);
    });
  });
  await net.until(() => told.length === 2);
  assert.deepEqual(told.sort(), ['client timeout', 'server timeout']);
  assert.ok(net.world.timers.now < seconds(12));
});
