// tidy: int32
/**
 * SEGMENT ARRIVES in SYN_SENT, RFC 9293 §3.10.7.3: the answer to our SYN, or a simultaneous open.
 */

import type { SeqNumber } from '#core';
import { TCP_ACK, TCP_ECE, TCP_RST, TCP_SYN, type TcpOptions } from '../wire/tcp.ts';
import { opened } from './arrives.ts';
import type { Connection } from './connection.ts';
import { ECN_FLAGS, ECN_ON } from './ecn.ts';
import { INITIAL_WINDOW_SEGMENTS } from './limits.ts';
import { sendAck, sendSyn } from './output.ts';
import { receiveFin, receiveText } from './receive.ts';
import type { Segment } from './segment.ts';
import { SYN_SENT } from './state.ts';
import { optionBytes, startTimestamps } from './timestamps.ts';

export function arrivesSynSent(c: Connection, s: Segment): void {
  const hasAck = (s.flags & TCP_ACK) !== 0;
  // First: an acknowledgment of something else than our SYN.
  if (hasAck && s.ack !== c.sndMax) {
    c.stack.counts.badAck += 1;
    c.stack.reset(s);
    return;
  }
  // Second: RST counts only with an acceptable acknowledgment.
  if (s.flags & TCP_RST) {
    if (hasAck) c.stack.remove(c, 'reset');
    return;
  }
  // Fourth: SYN. (Third, security, is obsolete; anything without SYN is dropped, fifth.)
  if ((s.flags & TCP_SYN) === 0) {
    c.stack.counts.noSyn += 1;
    return;
  }
  takeSyn(c, s.seq, s.options);
  // RFC 3168 §6.1.1: we asked, and the answer agrees.
  if (c.stack.ecn && (s.flags & ECN_FLAGS) === TCP_ECE && c.rttSeq === c.sndUna) c.ecn = ECN_ON;
  c.sndWnd = s.window; // The window of a SYN is not scaled.
  c.sndWndMax = s.window;
  c.sndWl1 = s.seq;
  if (!hasAck) {
    // Simultaneous open, §3.5 figure 7: the same SYN again, now with an acknowledgment.
    c.enter('syn');
    c.retries = 0;
    sendSyn(c);
    return;
  }
  c.ackNow = true;
  if (!opened(c, s.ack)) return;
  // Text or FIN on a SYN-ACK, eighth step on; it begins behind the SYN.
  s.seq = c.rcvNxt;
  s.payloadBytes = Math.min(s.payloadBytes, c.windowBytes);
  if (s.payloadBytes > 0) receiveText(c, s);
  receiveFin(c, s);
  sendAck(c);
}

/** What the peer's SYN tells: its first sequence number and its options (RFC 6691, 7323, 2018). */
export function takeSyn(c: Connection, seq: SeqNumber, options: TcpOptions): void {
  const window = Math.min(0xffff, c.windowBytes);
  c.rcvNxt = ((seq + 1) | 0) as SeqNumber;
  c.rcvEdge = ((c.rcvNxt + window) | 0) as SeqNumber;
  if (options.windowShift < 0) c.windowScaling = false;
  c.sndShift = c.windowScaling ? options.windowShift : 0;
  c.rcvShift = c.windowScaling ? c.stack.windowShift : 0;
  if (!c.windowScaling) c.windowBytes = window;
  c.windowMark = ((c.rcvNxt + (c.windowBytes >> 1)) | 0) as SeqNumber;
  if (!options.sackPermitted) c.sackOk = false;
  // In an active open only when we offered them.
  if (options.hasTimestamps && (c.state !== SYN_SENT || c.stack.timestamps)) {
    startTimestamps(c, options.timestamp);
  }
  c.mss = c.stack.peerMssOf(c.route, options.mss) - optionBytes(c);
  c.cwnd = INITIAL_WINDOW_SEGMENTS * c.mss;
}
