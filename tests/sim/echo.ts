/**
 * The UDP workload: numbered messages to a port that sends them back; what comes back must be what
 * was sent.
 */

import { after, millis, readU32be, Timer, writeU32be } from '#core';
import type { DatagramSocket } from '#device';
import { formatIpv4Address } from '#net';
import { Violation } from './pattern.ts';
import type { StackHost } from './stack-host.ts';

const ECHO_PORT = 7;

export function serveEcho(host: StackHost): void {
  host.run(() => {
    const bound = host.net.udp.bind(ECHO_PORT, {
      receive(bytes, from) {
        if (bound.ok) bound.value.send(bytes, from);
      },
    });
    if (!bound.ok) throw new Violation('the echo port is taken');
  });
}

/** Sends message after message, each until it has come back once. */
export class Echo {
  private readonly client: StackHost;
  private readonly server: StackHost;
  private readonly count: number;
  private socket!: DatagramSocket;
  private next = 0;
  private readonly timer = new Timer(() => this.send());

  constructor(client: StackHost, server: StackHost, count: number) {
    this.client = client;
    this.server = server;
    this.count = count;
    client.run(() => {
      const bound = client.net.udp.bind(0, { receive: (bytes) => this.returned(bytes) });
      if (!bound.ok) throw new Violation('no port for echoes');
      this.socket = bound.value;
      this.send();
    });
  }

  get name(): string {
    return `echoes from ${this.client.name} to ${this.server.name}`;
  }

  get isDone(): boolean {
    return this.next >= this.count;
  }

  private send(): void {
    if (this.isDone) return;
    const address = this.server.address();
    if (address !== null) {
      const to = { address: formatIpv4Address(address), port: ECHO_PORT };
      this.socket.send(message(this.next), to);
    }
    const { timers } = this.client.world;
    timers.arm(this.timer, after(timers.now, millis(300)));
  }

  private returned(bytes: Uint8Array): void {
    const number = bytes.length < 4 ? -1 : readU32be(bytes, 0);
    if (number < 0 || number > this.next || Buffer.compare(bytes, message(number)) !== 0) {
      throw new Violation(`echo ${number} came back changed`);
    }
    if (number !== this.next) return;
    this.next += 1;
    this.send();
  }
}

/** 4..503 bytes that follow from the number. */
function message(number: number): Uint8Array {
  const bytes = new Uint8Array(4 + ((number * 37) % 500)).fill(number);
  writeU32be(bytes, 0, number);
  return bytes;
}
