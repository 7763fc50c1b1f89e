/**
 * What every Flow must do, as cases that any target can run: host sockets, our own TCP in the
 * simulator. A case fails by throwing. Required reading: device/flow.ts.
 */

import { assert, hot } from '#core';
import type { Flow, FlowEnd, FlowHandler } from '#device';

/** A network without loss, as a case sees it. */
export interface FlowNetwork {
  /** Opens a connection and attaches the handlers before any event. */
  connect(client: FlowHandler, server: FlowHandler): Promise<{ client: Flow; server: Flow }>;
  /** Lets time pass until `condition` holds; rejects when that takes too long. */
  until(condition: () => boolean): Promise<void>;
}

export interface FlowCase {
  readonly name: string;
  run(network: FlowNetwork): Promise<void>;
}

/** More than all buffers between two ends hold together. */
const MUCH_BYTES = 16 * 1_048_576;

/** A handler that checks the pattern of `pattern(at, ...)` instead of keeping what comes. */
export class FlowRecorder implements FlowHandler {
  receivedBytes = 0;
  events = 0;
  drains = 0;
  ended = false;
  how: FlowEnd | null = null;
  /** Called after the bytes were counted. */
  onData: (bytes: Uint8Array) => void = () => {};
  onDrained: () => void = () => {};

  data(bytes: Uint8Array): void {
    this.event();
    assert(bytes.length > 0, 'an empty data event');
    assert(!this.ended, 'data after the end');
    for (let i = 0; i < bytes.length; i++) {
      assert(bytes[i] === byteAt(this.receivedBytes + i), 'a byte out of order');
    }
    this.receivedBytes += bytes.length;
    this.onData(bytes);
    // The memory was lent: a flow must not mind what becomes of it.
    bytes.fill(0xa5);
  }

  drained(): void {
    this.event();
    this.drains++;
    this.onDrained();
  }

  end(): void {
    this.event();
    assert(!this.ended, 'a second end');
    this.ended = true;
  }

  closed(how: FlowEnd): void {
    this.event();
    this.how = how;
  }

  private event(): void {
    assert(this.how === null, 'an event after closed');
    this.events++;
  }
}

/** The byte at `at` of every stream here: a period that divides no buffer's size. */
const byteAt = (at: number): number => (at % 251) ^ (Math.floor(at / 251) % 256);

/** Bytes [at, at + count) of the stream. */
function pattern(at: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  for (let i = 0; i < count; i++) bytes[i] = byteAt(at + i);
  return bytes;
}

/** Writes `total` bytes in pieces of `piece`, from `at` of the stream on. */
function writeMuch(flow: Flow, at: number, total: number, piece: number): void {
  for (let done = 0; done < total; done += piece) {
    flow.write(pattern(at + done, Math.min(piece, total - done)));
  }
}

async function open(network: FlowNetwork): Promise<{
  a: Flow;
  b: Flow;
  atA: FlowRecorder;
  atB: FlowRecorder;
}> {
  const atA = new FlowRecorder();
  const atB = new FlowRecorder();
  const { client, server } = await network.connect(atA, atB);
  return { a: client, b: server, atA, atB };
}

async function closeBoth(network: FlowNetwork, a: Flow, b: Flow, atA: FlowRecorder): Promise<void> {
  a.shutdown();
  b.shutdown();
  await network.until(() => atA.how !== null);
}

export const flowCases: readonly FlowCase[] = [
  {
    name: 'endpoints › each end sees the other’s',
    async run(network) {
      const { a, b, atA } = await open(network);
      assert(a.remote.port === b.local.port && a.remote.address === b.local.address, 'server');
      assert(a.local.port === b.remote.port && a.local.address === b.remote.address, 'client');
      await closeBoth(network, a, b, atA);
    },
  },
  {
    name: 'data › both ways, all sizes › in order',
    async run(network) {
      const { a, b, atA, atB } = await open(network);
      let sent = 0;
      for (const size of [1, 0, 2, 1_459, 1_460, 1_461, 65_535, 200_000]) {
        a.write(pattern(sent, size));
        b.write(pattern(sent, size));
        sent += size;
      }
      await network.until(() => atA.receivedBytes === sent && atB.receivedBytes === sent);
      await closeBoth(network, a, b, atA);
    },
  },
  {
    name: 'shutdown › queued bytes first, then end; the other side goes on',
    async run(network) {
      const { a, b, atA, atB } = await open(network);
      writeMuch(a, 0, 300_000, 50_000);
      a.shutdown();
      a.write(pattern(0, 10));
      await network.until(() => atB.ended);
      assert(atB.receivedBytes === 300_000, 'bytes before the end');
      assert(atB.how === null && !atA.ended, 'half closed');
      b.write(pattern(0, 70_000));
      await network.until(() => atA.receivedBytes === 70_000);
      b.shutdown();
      b.shutdown();
      await network.until(() => atA.how !== null && atB.how !== null);
      assert(atA.ended && atA.how === 'closed' && atB.how === 'closed', 'closed in peace');
      assert(atB.receivedBytes === 300_000, 'nothing after the shutdown');
    },
  },
  {
    name: 'closed › nothing more is called, writes are ignored',
    async run(network) {
      const { a, b, atA, atB } = await open(network);
      await closeBoth(network, a, b, atA);
      await network.until(() => atB.how !== null);
      const events = atA.events + atB.events;
      a.write(pattern(0, 10));
      a.shutdown();
      a.abort();
      b.pause();
      b.resume();
      b.abort();
      const { a: c, b: d, atA: atC } = await open(network);
      await closeBoth(network, c, d, atC);
      assert(atA.events + atB.events === events, 'no event');
    },
  },
  {
    name: 'abort › reset at both ends',
    async run(network) {
      const { a, b, atA, atB } = await open(network);
      b.write(pattern(0, 10));
      await network.until(() => atA.receivedBytes === 10);
      a.write(pattern(0, 10));
      a.abort();
      await network.until(() => atA.how !== null && atB.how !== null);
      assert(atA.how === 'reset' && atB.how === 'reset', 'reset');
      assert(!atB.ended, 'a reset is no end');
    },
  },
  {
    name: 'pause › no data, the sender’s queue grows; resume › all of it, later',
    async run(network) {
      const { a, b, atA, atB } = await open(network);
      b.pause();
      writeMuch(a, 0, MUCH_BYTES, 262_144);
      const { a: c, b: d, atA: atC } = await open(network);
      await closeBoth(network, c, d, atC);
      assert(atB.receivedBytes === 0, 'paused');
      assert(a.queuedBytes > 0, 'the peer is held back');
      b.resume();
      assert(atB.receivedBytes === 0, 'not within the call');
      await network.until(() => atB.receivedBytes === MUCH_BYTES);
      await closeBoth(network, a, b, atA);
    },
  },
  {
    name: 'pause › within data › at most this event',
    async run(network) {
      const { a, b, atA, atB } = await open(network);
      let events = 0;
      atB.onData = () => {
        events++;
        b.pause();
      };
      writeMuch(a, 0, 1_048_576, 65_536);
      await network.until(() => events === 1);
      const { a: c, b: d, atA: atC } = await open(network);
      await closeBoth(network, c, d, atC);
      assert(events === 1, 'one event');
      atB.onData = () => {};
      b.resume();
      await network.until(() => atB.receivedBytes === 1_048_576);
      await closeBoth(network, a, b, atA);
    },
  },
  {
    name: 'pause › the peer’s FIN › end waits behind the data',
    async run(network) {
      const { a, b, atA, atB } = await open(network);
      b.pause();
      a.write(pattern(0, 1_000));
      a.shutdown();
      const { a: c, b: d, atA: atC } = await open(network);
      await closeBoth(network, c, d, atC);
      assert(atB.events === 0, 'paused');
      b.resume();
      await network.until(() => atB.ended);
      assert(atB.receivedBytes === 1_000, 'the data came first');
      b.shutdown();
      await network.until(() => atA.how !== null);
    },
  },
  {
    name: 'noDelay › set and unset between small writes › all of them arrive in order',
    async run(network) {
      const { a, b, atA, atB } = await open(network);
      for (let i = 0; i < 6; i++) {
        a.noDelay = i % 2 === 0;
        assert(a.noDelay === (i % 2 === 0), 'as set');
        a.write(pattern(i, 1));
      }
      await network.until(() => atB.receivedBytes === 6);
      await closeBoth(network, a, b, atA);
    },
  },
  {
    name: 'drained › once for each time above the mark, at or under it',
    async run(network) {
      const { a, b, atA, atB } = await open(network);
      assert(a.lowWaterBytes === 65_536, 'the default');
      a.lowWaterBytes = 100_000;
      let atMost = true;
      atA.onDrained = () => {
        atMost = atMost && a.queuedBytes <= 100_000;
      };
      b.pause();
      writeMuch(a, 0, MUCH_BYTES, 262_144);
      assert(a.queuedBytes > 100_000, 'above');
      b.resume();
      await network.until(() => atB.receivedBytes === MUCH_BYTES && atA.drains > 0);
      assert(atA.drains === 1 && atMost, 'one event');
      await closeBoth(network, a, b, atA);
    },
  },
  {
    name: 'drained › never above the mark › no event',
    async run(network) {
      const { a, b, atA, atB } = await open(network);
      a.write(pattern(0, 1_000));
      await network.until(() => atB.receivedBytes === 1_000);
      await closeBoth(network, a, b, atA);
      assert(atA.drains === 0, 'no event');
    },
  },
  {
    name: 'write from drained › a writer that waits stays bounded',
    async run(network) {
      const { a, b, atA, atB } = await open(network);
      let sent = 0;
      let most = 0;
      const fill = () => {
        while (sent < MUCH_BYTES && a.queuedBytes <= 262_144) {
          a.write(pattern(sent, 65_536));
          sent += 65_536;
        }
        most = Math.max(most, a.queuedBytes);
      };
      atA.onDrained = fill;
      fill();
      await network.until(() => {
        // A queue that the peer empties within the writing call is never above the mark.
        if (a.queuedBytes === 0) fill();
        return atB.receivedBytes === MUCH_BYTES;
      });
      assert(most <= 262_144 + 65_536, 'bounded');
      await closeBoth(network, a, b, atA);
    },
  },
  {
    name: 'write › one array many times › sent as it is',
    async run(network) {
      const { a, b, atA, atB } = await open(network);
      const period = 251 * 256;
      const bytes = pattern(0, period);
      for (let i = 0; i < 5; i++) a.write(bytes);
      await network.until(() => atB.receivedBytes === 5 * period);
      assert(hot.equal(bytes, 0, pattern(0, period), 0, period), 'unchanged');
      await closeBoth(network, a, b, atA);
    },
  },
  {
    name: 'attach › again › the new handler is told from then on',
    async run(network) {
      const { a, b, atA, atB } = await open(network);
      a.write(pattern(0, 10));
      await network.until(() => atB.receivedBytes === 10);
      const next = new FlowRecorder();
      next.receivedBytes = 10;
      b.attach(next);
      a.write(pattern(10, 10));
      await network.until(() => next.receivedBytes === 20);
      await closeBoth(network, a, b, atA);
      await network.until(() => next.how === 'closed');
      assert(atB.how === null && atB.receivedBytes === 10, 'the old one is left alone');
    },
  },
];
