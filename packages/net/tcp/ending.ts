// tidy: int32
/** How connections end: RFC 9293 §3.10.5, and what the handler hears of it, in which order. */

import type { FlowEnd } from '#device';
import { TCP_ACK, TCP_RST } from '../wire/tcp.ts';
import type { Connection } from './connection.ts';
import { emitBare } from './emit.ts';
import { SYN_SENT } from './state.ts';

/** RFC 9293 §3.10.5 ABORT: tells the peer, if it knows us. */
export function abort(c: Connection, how: FlowEnd): void {
  const { stack, route, pseudoSum, portsIn, sndMax, rcvNxt } = c;
  const ports = (portsIn << 16) | (portsIn >>> 16);
  if (c.state !== SYN_SENT) {
    emitBare(stack, route, pseudoSum, ports, sndMax, rcvNxt, TCP_RST | TCP_ACK, 0, null);
  }
  stack.remove(c, how);
}

/** The connection ended in order, and its reader, who was paused, doesn't want the rest. */
export function dropUnread(c: Connection): void {
  if (c.queue === null || c.over === null) return;
  c.queue.release();
  c.queue = null;
  c.endDue = false;
  c.over = 'reset';
  c.isEnding = true;
  if (!c.scheduled) c.stack.schedule(c);
}

/** Tells the handler of the peer's FIN, and of the end; true when the connection is over. */
export function ends(c: Connection): boolean {
  // A paused reader gets the rest first.
  const isRead = c.queue === null || c.queue.readyBytes === 0;
  if (c.endDue && isRead) {
    c.endDue = false;
    c.handler.end();
  }
  if (c.over === null) {
    c.isEnding = c.endDue;
    return false;
  }
  c.scheduled = false;
  if (!isRead) return true;
  // Text beyond the FIN that the peer should never have sent.
  c.queue?.release();
  c.queue = null;
  const how = c.over;
  const opener = c.opener;
  c.over = null;
  c.opener = null;
  if (opener !== null) opener.failed(c, how);
  else c.tellClosed(how);
  return true;
}
