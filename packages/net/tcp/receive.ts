// tidy: int32
/**
 * RFC 9293 §3.10.7.4, seventh and eighth step: text and FIN, and their way to the handler. Text in
 * order goes to the handler straight from the frame; it is copied only while the reader is paused
 * or a hole is before it.
 */

import type { SeqNumber } from '#core';
import { TCP_FIN } from '../wire/tcp.ts';
import type { Connection } from './connection.ts';
import { ReceiveQueue } from './receive-queue.ts';
import type { Segment } from './segment.ts';
import { CLOSED, canReceive, TIME_WAIT } from './state.ts';
import { freshenWindowMark, isUpdateDue, passWindowMark } from './window.ts';

/** Text inside the window, at rcvNxt or after it. */
export function receiveText(c: Connection, s: Segment): void {
  const count = s.payloadBytes;
  const inOrder = s.seq === c.rcvNxt;
  const waits = c.paused || (c.queue !== null && c.queue.readyBytes > 0);
  if (!inOrder || waits) {
    if (!inOrder) {
      c.stack.counts.outOfOrder += 1;
      freshenWindowMark(c);
      noteRepeated(c, s);
    }
    keep(c, s, count);
    if (!inOrder || c.queue === null || c.queue.starts.length > 0) c.ackNow = true;
    return;
  }
  c.rcvNxt = ((c.rcvNxt + count) | 0) as SeqNumber;
  c.ackSegments += count < c.mss || (count === c.mss && !c.markIsFresh) ? 1 : 2;
  if (((c.rcvNxt - c.windowMark) | 0) >= 0) passWindowMark(c);
  if (c.queue !== null) {
    // RFC 5681 §4.2: a segment that fills a hole is acknowledged at once.
    c.ackNow = true;
    c.queue.skipTo(c.rcvNxt);
    c.rcvNxt = ((c.rcvNxt + c.queue.readyBytes) | 0) as SeqNumber;
  }
  c.handler.data(s.frame.subarray(s.payloadAt, s.payloadAt + count));
  if (c.queue !== null) deliver(c);
  finInOrder(c);
}

/** RFC 2883 §4: text after a hole that is here already is reported as such. */
function noteRepeated(c: Connection, s: Segment): void {
  if (c.queue === null) return;
  const { starts, ends } = c.queue;
  const end = (s.seq + s.payloadBytes) | 0;
  for (let i = 0; i < starts.length; i++) {
    if (((s.seq - starts[i]!) | 0) >= 0 && ((ends[i]! - end) | 0) >= 0) {
      noteDuplicate(c, s.seq, end);
      return;
    }
  }
}

/** [start, end) came again: the next acknowledgment says so. */
export function noteDuplicate(c: Connection, start: number, end: number): void {
  c.stack.duplicateOf = c;
  c.stack.duplicateStart = start as SeqNumber;
  c.stack.duplicateEnd = end as SeqNumber;
  c.ackNow = true;
}

/** Copies the text into the queue; a full memory drops it, unacknowledged. */
function keep(c: Connection, s: Segment, count: number): void {
  const { tcpMemory } = c.stack;
  c.queue ??= new ReceiveQueue(c, tcpMemory);
  const ready = c.queue.readyBytes;
  if (c.queue.insert(s.seq, s.frame, s.payloadAt, count)) {
    const gained = c.queue.readyBytes - ready;
    c.rcvNxt = ((c.rcvNxt + gained) | 0) as SeqNumber;
    if (gained > 0) c.ackSegments += 1;
    finInOrder(c);
  } else {
    c.stack.counts.receiveMemory += 1;
    c.ackNow = true;
    s.flags &= ~TCP_FIN;
  }
  dropEmptyQueue(c);
  c.updatePrediction();
}

/** A FIN inside the window; its place is behind the text. */
export function receiveFin(c: Connection, s: Segment): void {
  if (!canReceive(c.state) || (s.flags & TCP_FIN) === 0) return;
  c.finSeen = true;
  c.finSeq = ((s.seq + s.payloadBytes) | 0) as SeqNumber;
  c.ackNow = true;
  finInOrder(c);
}

/** Takes the FIN when everything before it is here. */
function finInOrder(c: Connection): void {
  if (!c.finSeen || c.finSeq !== c.rcvNxt || !canReceive(c.state)) return;
  c.rcvNxt = ((c.rcvNxt + 1) | 0) as SeqNumber;
  c.endDue = true;
  c.isEnding = true;
  c.ackNow = true;
  c.enter('fin');
  if (c.state === TIME_WAIT) c.stack.timeWait(c);
}

/** Gives the handler what is ready, until it pauses. */
export function deliver(c: Connection): void {
  while (c.queue !== null && c.queue.readyBytes > 0 && !c.paused) {
    const queue: ReceiveQueue = c.queue;
    const bytes = queue.peek();
    c.handler.data(bytes);
    // The handler may have aborted: the queue is gone then.
    if (c.queue !== queue) return;
    queue.consume(bytes.length);
  }
  dropEmptyQueue(c);
  if (c.state !== CLOSED && isUpdateDue(c)) c.ackNow = true;
  c.updatePrediction();
}

function dropEmptyQueue(c: Connection): void {
  if (c.queue === null || !c.queue.isEmpty) return;
  c.queue.release();
  c.queue = null;
}
