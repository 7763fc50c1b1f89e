/**
 * Between a machine's control channel and those who want to talk to it: listens for the machine on
 * one socket and for clients on another, numbers the clients, and carries their bytes in the frames
 * of packages/device/control-framing.ts. It reads nothing of what they say.
 *
 * Nobody is believed. A client that doesn't read is dropped when its queue is full, one that sends
 * more than the machine takes is read no further; a machine that breaks the framing loses its
 * channel, and all its clients with it. None of that stops the machine.
 */

import { once } from 'node:events';
import net from 'node:net';
import { CONTROL_PAYLOAD_BYTES_MAX, ControlReader, controlFrame, controlMark } from '#device';
import { Outlet } from './outlet.ts';

/** More clients than this are refused. */
export const CLIENTS_MAX = 32;
/** What may wait for a client that reads slowly, as Outlet counts; more, and it is dropped. */
export const CLIENT_QUEUE_BYTES_MAX = 4_194_304;
/** With more than this on its way to the machine no client is read. */
export const MACHINE_QUEUE_BYTES_MAX = 1_048_576;
/** A client whose stream has ended gets so long to read the rest. */
const LINGER_MILLIS = 10_000;

const NO_BYTES = new Uint8Array(0);

export interface RelayPlaces {
  /** Where the machine connects. */
  readonly channelSocket: string;
  /** Where clients do. */
  readonly controlSocket: string;
}

interface Client extends Outlet {
  /** The machine has heard of it. */
  isKnown?: boolean;
}

export class ControlRelay {
  private readonly channelServer = net.createServer((socket) => this.takeMachine(socket));
  private readonly clientServer = net.createServer((socket) => this.takeClient(socket));
  private machine: Outlet | null = null;
  private readonly clients = new Map<number, Client>();
  private nextClient = 1;
  private readonly tally = { served: 0, refused: 0, dropped: 0, strayBytes: 0, badChannels: 0 };

  /** Listens at both places; rejects when it can't. */
  static async open(places: RelayPlaces): Promise<ControlRelay> {
    const relay = new ControlRelay();
    relay.channelServer.listen(places.channelSocket);
    relay.clientServer.listen(places.controlSocket);
    await Promise.all(
      [relay.channelServer, relay.clientServer].map((one) => once(one, 'listening')),
    );
    return relay;
  }

  /** Drops everybody and removes both sockets. Once more is no harm. */
  async close(): Promise<void> {
    const servers = [this.channelServer, this.clientServer].filter(({ listening }) => listening);
    const closed = servers.map((one) => once(one, 'close'));
    for (const server of servers) server.close();
    this.machine?.socket.destroy();
    this.dropClients();
    await Promise.all(closed);
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.tally, clients: this.clients.size, machine: this.machine === null ? 0 : 1 };
  }

  private takeMachine(socket: net.Socket): void {
    // One at a time: a machine that lost its channel is gone from here before it comes again.
    if (this.machine !== null) {
      socket.destroy();
      return;
    }
    this.machine = new Outlet(socket);
    const reader = new ControlReader({
      piece: (client, bytes) => this.toClient(client, bytes),
      end: (client) => this.endClient(client),
    });
    socket.on('data', (chunk: Uint8Array) => {
      if (reader.push(chunk) === null) return;
      this.tally.badChannels++;
      socket.destroy();
    });
    socket.on('drain', () => this.resumeClients());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.loseMachine());
    this.machine.write(controlMark());
    this.resumeClients();
  }

  private loseMachine(): void {
    this.machine = null;
    this.dropClients();
  }

  private dropClients(): void {
    for (const { socket } of this.clients.values()) socket.destroy();
  }

  private takeClient(socket: net.Socket): void {
    if (this.clients.size >= CLIENTS_MAX) {
      this.tally.refused++;
      socket.destroy();
      return;
    }
    const client = this.nextClient++;
    this.clients.set(client, new Outlet(socket));
    this.tally.served++;
    socket.on('data', (chunk: Uint8Array) => this.toMachine(client, chunk));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.loseClient(client));
    if (!this.takesMore()) socket.pause();
  }

  private loseClient(client: number): void {
    const isKnown = this.clients.get(client)?.isKnown;
    this.clients.delete(client);
    // Also when the machine said so first: to it a second end of a client means nothing.
    if (isKnown) this.machine?.write(controlFrame(client, NO_BYTES));
  }

  private toMachine(client: number, chunk: Uint8Array): void {
    this.clients.get(client)!.isKnown = true;
    for (let at = 0; at < chunk.length; at += CONTROL_PAYLOAD_BYTES_MAX) {
      const bytes = chunk.subarray(at, at + CONTROL_PAYLOAD_BYTES_MAX);
      this.machine?.write(controlFrame(client, bytes));
    }
    if (this.takesMore()) return;
    for (const { socket } of this.clients.values()) socket.pause();
  }

  private takesMore(): boolean {
    return this.machine !== null && this.machine.queuedBytes < MACHINE_QUEUE_BYTES_MAX;
  }

  private resumeClients(): void {
    for (const { socket } of this.clients.values()) socket.resume();
  }

  private toClient(number: number, bytes: Uint8Array): void {
    const client = this.clients.get(number);
    if (!client?.socket.writable) {
      this.tally.strayBytes += bytes.length;
      return;
    }
    client.write(bytes);
    if (client.queuedBytes <= CLIENT_QUEUE_BYTES_MAX) return;
    this.tally.dropped++;
    client.socket.destroy();
  }

  private endClient(number: number): void {
    const socket = this.clients.get(number)?.socket;
    if (!socket?.writable) return;
    socket.end();
    const late = setTimeout(() => socket.destroy(), LINGER_MILLIS);
    socket.once('close', () => clearTimeout(late));
  }
}
