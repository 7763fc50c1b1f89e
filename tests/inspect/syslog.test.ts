/** The log by syslog over our own stack, in virtual time: servers that are away, slow, or gone. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { instantOfMicros, Log, seconds, Timer, wallTimeOfMillis } from '#core';
import type { Flow, Listener, Stack } from '#device';
import { parseSyslogServer, SyslogSender } from '#inspect';
import { directStack, stackOptions } from '#stack';
import { SimWorld } from '#targets/sim/index';
import { syslogMessagesMax, syslogRetryFirst } from '../../packages/inspect/limits.ts';

class Net {
  readonly world = new SimWorld(11);
  readonly log = new Log(() => {}, 'debug');
  readonly logger = this.log.source('app');
  readonly got: string[] = [];
  readonly flows: Flow[] = [];
  client!: Stack;
  server!: Stack;
  sender!: SyslogSender;
  private bytes = Buffer.alloc(0);

  async start(url: string): Promise<this> {
    this.client = await this.stack('client', '10.0.0.1/24');
    this.server = await this.stack('server', '10.0.0.2/24');
    this.sender = new SyslogSender({
      stack: this.client,
      timers: this.world.timers,
      clock: { wall: () => wallTimeOfMillis(1_700_000_000_000) },
      log: this.log,
      server: parseSyslogServer(url)!,
      origin: () => ({ hostName: 'host', app: 'app' }),
    });
    return this;
  }

  /** TCP's octet counting, read strictly. */
  async listen(): Promise<Listener> {
    const listening = await this.server.listen(514, (flow) => {
      this.flows.push(flow);
      this.bytes = Buffer.alloc(0);
      flow.attach({
        data: (bytes) => this.take(bytes),
        drained() {},
        end: () => flow.shutdown(),
        closed() {},
      });
    });
    assert.ok(listening.ok);
    return listening.value;
  }

  private take(bytes: Uint8Array): void {
    this.bytes = Buffer.concat([this.bytes, bytes]);
    for (;;) {
      const space = this.bytes.indexOf(0x20);
      if (space < 0) return;
      const head = this.bytes.subarray(0, space).toString();
      assert.match(head, /^[1-9]\d*$/);
      const end = space + 1 + Number(head);
      if (this.bytes.length < end) return;
      this.got.push(textOf(this.bytes.subarray(space + 1, end)));
      this.bytes = this.bytes.subarray(end);
    }
  }

  async wait(count: number): Promise<void> {
    const { world } = this;
    const until = instantOfMicros(world.timers.now + seconds(count));
    world.timers.arm(new Timer(() => {}), until);
    await world.runAsync(
      () => world.timers.now >= until,
      until,
      () => setImmediate(),
    );
    this.sender.checkInvariants();
  }

  private async stack(name: string, cidr: string): Promise<Stack> {
    const options = stackOptions(cidr, '', '');
    assert.ok(options.ok);
    const { device, entropy, log } = this.world.addHost(name);
    const machine = { timers: this.world.timers, entropy };
    return directStack(machine, device, options.value, log.source('stack'));
  }
}

/** A message's text; its head must be as RFC 5424 §6 has it. */
function textOf(message: Uint8Array): string {
  const shape =
    /^<(\d{1,3})>1 (\S+) host app - (\S+) \[meta sequenceId="\d+" sysUpTime="\d+"\] \ufeff(.*)$/s;
  const found = shape.exec(
    new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(message),
  );
  assert.ok(found !== null, Buffer.from(message).toString());
  assert.ok(Number(found[1]) <= 191);
  return found[4]!;
}

test('UDP › a datagram a message, in order; none about itself', async () => {
  const net = await new Net().start('udp://10.0.0.2');
  const bound = await net.server.bind(514, {
    receive: (bytes) => void net.got.push(textOf(bytes)),
  });
  assert.ok(bound.ok);
  for (let i = 0; i < 20; i++) net.logger.info(`line ${i}`);
  await net.wait(2);
  assert.deepEqual(
    net.got,
    Array.from({ length: 20 }, (_, i) => `line ${i}`),
  );
  assert.equal(net.sender.counters.syslogSent, 20);
  net.sender.close();
  net.logger.info('after');
  await net.wait(2);
  assert.equal(net.got.length, 20);
});

test('TCP › a server that comes late › gets all that was queued', async () => {
  const net = await new Net().start('tcp://10.0.0.2');
  net.logger.warn('early');
  await net.wait(3);
  await net.listen();
  await net.wait(10);
  net.logger.info('later');
  await net.wait(1);
  assert.deepEqual(net.got, ['early', 'later']);
});

test('TCP › more than the queue holds › dropped, counted, told once it works', async () => {
  const net = await new Net().start('tcp://10.0.0.2');
  for (let i = 0; i < syslogMessagesMax + 3; i++) net.logger.info(`${i}`);
  assert.equal(net.sender.counters.syslogDropped, 3);
  net.sender.checkInvariants();
  await net.listen();
  await net.wait(20);
  assert.equal(net.got.length, syslogMessagesMax + 1);
  assert.equal(net.got[syslogMessagesMax - 1], `${syslogMessagesMax - 1}`);
  assert.equal(net.got.at(-1), '3 lines were dropped');
  net.logger.info('on');
  await net.wait(1);
  assert.equal(net.got.at(-1), 'on');
});

test('TCP › a server that goes › is connected to again, with waits that grow', async () => {
  const net = await new Net().start('tcp://10.0.0.2');
  const listener = await net.listen();
  net.logger.info('one');
  await net.wait(2);
  listener.close();
  net.flows[0]!.abort();
  await net.wait(1);
  net.logger.info('two');
  await net.wait(120);
  const { syslogConnections } = net.sender.counters;
  assert.equal(syslogConnections, 1);
  const tries = net.client.counters().segmentsOut!;
  assert.ok(tries < 60, `${tries} segments in two minutes`);
  await net.listen();
  await net.wait(61);
  assert.deepEqual(net.got, ['one', 'two']);
  assert.ok(syslogRetryFirst > 0);
});

test('TCP › a server that ends its side › likewise', async () => {
  const net = await new Net().start('tcp://10.0.0.2');
  await net.listen();
  net.logger.info('one');
  await net.wait(1);
  net.flows[0]!.shutdown();
  await net.wait(5);
  net.logger.info('two');
  await net.wait(2);
  assert.equal(net.flows.length, 2);
  assert.deepEqual(net.got, ['one', 'two']);
});
