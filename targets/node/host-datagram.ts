/** A UDP socket of the host: IPv4, and IPv6 from the first message to such an address on. */

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
  private socket6: Socket | null = null;
  private readonly open6: () => Socket;

  /** `socket` must be bound; `open6` makes one for IPv6, whose messages go the same way. */
  constructor(socket: Socket, counters: DatagramCounters, open6: () => Socket) {
    this.socket = socket;
    this.open6 = open6;
    this.counters = counters;
    const { address, port } = socket.address();
    this.local = { address, port };
  }

  send(bytes: Uint8Array, to: Endpoint): boolean {
    if (bytes.length > MESSAGE_BYTES_MAX)
      throw new RangeError(`${bytes.length} bytes in a datagram`);
    const socket = this.isOpen ? this.socketFor(to.address) : null;
    const queued = socket?.getSendQueueSize() ?? 0;
    if (socket === null || queued + bytes.length > SEND_QUEUE_BYTES_MAX || to.port === 0) {
      this.counters.datagramsDropped++;
      return false;
    }
    socket.send(bytes.slice(), to.port, to.address, (error) => {
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
    this.socket6?.close();
  }

  private socketFor(address: string): Socket {
    if (!address.includes(':')) return this.socket;
    this.socket6 ??= this.open6();
    return this.socket6;
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
