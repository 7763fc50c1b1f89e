import assert from 'node:assert/strict';
import { test } from 'node:test';
import { err, instantOfMicros, Log, ok, TimerQueue, wallTimeOfMillis } from '#core';
import type { Flow, FlowHandler, Stack } from '#device';
import { syslogFlowBytesMax, syslogMessagesMax, syslogRetryFirst } from './limits.ts';
import { SyslogSender } from './syslog-sender.ts';

/** A connection to a server that reads nothing until it is told to. */
class ServerFlow {
  readonly local = { address: '192.0.2.1', port: 1 };
  readonly remote = { address: '192.0.2.2', port: 514 };
  lowWaterBytes = 65_536;
  noDelay = false;
  queuedBytes = 0;
  isShutDown = false;
  handler: FlowHandler | null = null;

  attach(handler: FlowHandler): void {
    this.handler = handler;
  }
  write(bytes: Uint8Array): void {
    this.queuedBytes += bytes.length;
  }
  read(): void {
    const wasAbove = this.queuedBytes > this.lowWaterBytes;
    this.queuedBytes = 0;
    if (wasAbove) this.handler?.drained();
  }
  shutdown(): void {
    this.isShutDown = true;
  }
  abort(): void {}
  pause(): void {}
  resume(): void {}
  askIfAlive(): void {}
}

function start(protocol: 'tcp' | 'udp') {
  const flows: ServerFlow[] = [];
  const datagrams: Uint8Array[] = [];
  const device = { isFull: false, tries: 0 };
  const stack: Pick<Stack, 'connect' | 'resolve' | 'bind'> = {
    connect(_host, _port, opened) {
      const flow = new ServerFlow();
      flows.push(flow);
      opened(ok(flow as Flow));
      return { cancel() {} };
    },
    resolve: async (name) => ok([name]),
    bind: async (port) =>
      protocol === 'tcp'
        ? err({ kind: 'not permitted', port })
        : ok({
            port,
            send(bytes: Uint8Array) {
              device.tries += 1;
              if (!device.isFull) datagrams.push(bytes);
              return !device.isFull;
            },
            close() {},
            counters: () => ({}),
          } as never),
  };
  const timers = new TimerQueue(instantOfMicros(0));
  const log = new Log(() => {}, 'info');
  const sender = new SyslogSender({
    stack: stack as Stack,
    timers,
    clock: { wall: () => wallTimeOfMillis(0) },
    log,
    server: { protocol, host: '192.0.2.2', port: 514 },
    origin: () => ({ hostName: 'h', app: 'a' }),
  });
  const pass = (micros: number): void => void timers.run(instantOfMicros(timers.now + micros));
  const say = (count: number): void => {
    for (let i = 0; i < count; i++) log.source('x').info('y'.repeat(400));
    sender.checkInvariants();
  };
  return { sender, timers, flows, datagrams, device, pass, say };
}

test('a TCP server that does not read › the connection is filled to its bound, nothing polls', () => {
  const { sender, timers, flows, pass, say } = start('tcp');
  const flow = flows[0]!;
  say(syslogMessagesMax / 2);
  pass(10_000);
  assert.ok(flow.queuedBytes > syslogFlowBytesMax);
  assert.ok(flow.queuedBytes < syslogFlowBytesMax + 1_024, `${flow.queuedBytes}`);
  assert.equal(timers.size, 0);
  const { syslogSent } = sender.counters;
  flow.read();
  assert.ok(sender.counters.syslogSent > syslogSent, 'on when it has read');
  for (let i = 0; i < 10; i++) flow.read();
  assert.equal(sender.counters.syslogSent + sender.counters.syslogDropped, syslogMessagesMax / 2);
});

test('a TCP server that ends its side › one new connection, which the old one does not end', () => {
  const { sender, flows, pass, say } = start('tcp');
  const [old] = flows;
  old!.handler!.end();
  assert.equal(old!.isShutDown, true);
  pass(syslogRetryFirst);
  assert.equal(flows.length, 2);
  old!.handler!.closed('closed' as never);
  pass(120_000_000);
  assert.equal(flows.length, 2, 'no third');
  say(1);
  pass(10_000);
  assert.ok(flows[1]!.queuedBytes > 0);
  assert.equal(sender.counters.syslogSent, 1);
});

test('datagrams that do not leave › are tried again ever later, and then as before', async () => {
  const { device, datagrams, pass, say } = start('udp');
  await new Promise(setImmediate);
  device.isFull = true;
  say(1);
  for (let i = 0; i < 1_000; i++) pass(10_000);
  assert.ok(device.tries > 20 && device.tries < 30, `${device.tries} tries in 10 s`);
  device.isFull = false;
  pass(syslogRetryFirst);
  assert.equal(datagrams.length, 1);
  say(1);
  pass(10_000);
  assert.equal(datagrams.length, 2);
});
