/** A relay on loopback that looks at the records that go through it. */

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

const RECORD_HEADER_BYTES = 5;
/** The type of records with data; in TLS 1.3 of all that are protected (RFC 8446 §5.1). */
const APPLICATION_DATA = 23;

export interface RecordWatch {
  readonly port: number;
  /** Bytes of the largest record of data so far that the server sent. */
  largestFromServer(): number;
  stop(): void;
}

/** Relays connections to a port of loopback. */
export async function recordWatch(port: number): Promise<RecordWatch> {
  let largest = 0;
  const server = createServer({ allowHalfOpen: true }, (inner) => {
    const outer = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    for (const socket of [inner, outer]) socket.on('error', () => {});
    inner.pipe(outer);
    outer.pipe(inner);
    watchRecords(outer, (bytes) => {
      largest = Math.max(largest, bytes);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { port: address.port, largestFromServer: () => largest, stop: () => server.close() };
}

function watchRecords(socket: Socket, see: (bytes: number) => void): void {
  let held = Buffer.alloc(0);
  socket.on('data', (bytes: Buffer) => {
    held = Buffer.concat([held, bytes]);
    while (held.length >= RECORD_HEADER_BYTES) {
      const recordBytes = held.readUInt16BE(3);
      if (held.length < RECORD_HEADER_BYTES + recordBytes) return;
      if (held[0] === APPLICATION_DATA) see(recordBytes);
      held = held.subarray(RECORD_HEADER_BYTES + recordBytes);
    }
  });
}
