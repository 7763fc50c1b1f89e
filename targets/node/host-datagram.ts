/** A UDP socket of the host, IPv4. */

import type { Socket } from 'node:dgram';
import type { DatagramSocket, Endpoint } from '#device';

/** UDP over IPv4: 65,535 less the headers. */
const MESSAGE_BYTES_MAX = 65_507;
/** Messages wait in the process while the host's buffer is full; above this they are dropped. */
export const SEND_QUEUE_BYTES_MAX = 1_048_576;

export interface DatagramCounters {
  datagramsIn: number;
  datagramsOut: number;
  datagramsDropped: number;
}

export class HostDatagramSocket implements DatagramSocket {
  readonly local: Endpoint;
  private readonly socket: Socket;
  private readonly counters: DatagramCounters;
  private isOpen = true;

  /** `socket` must be bound. */
  constructor(socket: Socket, counters: DatagramCounters) {
    this.socket = socket;
    this.counters = counters;
    const { address, port } = socket.address();
    this.local = { address, port };
  }

  send(bytes: Uint8Array, to: Endpoint): boolean {
    if (bytes.length > MESSAGE_BYTES_MAX)
      throw new RangeError(`${bytes.length} bytes in a datagram`);
    const queued = this.isOpen ? this.socket.getSendQueueSize() : 0;
    if (!this.isOpen || queued + bytes.length > SEND_QUEUE_BYTES_MAX || to.port === 0) {
      this.counters.datagramsDropped++;
      return false;
    }
    this.socket.send(bytes.slice(), to.port, to.address, (error) => {
      if (error === null) this.counters.datagramsOut++;
      else this.counters.datagramsDropped++;
    });
    return true;
  }

  join(group: string): boolean {
    return this.isOpen && succeeds(() => this.socket.addMembership(group));
  }

  leave(group: string): void {
    if (this.isOpen) succeeds(() => this.socket.dropMembership(group));
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.socket.close();
  }
}

/** The host refuses by throwing: no group, too many, not joined. */
function succeeds(act: () => void): boolean {
  try {
    act();
    return true;
  } catch {
    return false;
  }
}
