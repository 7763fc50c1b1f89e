/**
 * Sends a program's log to a syslog server: over UDP (RFC 5426), or over TCP or TLS with octet
 * counting (RFC 6587 §3.4.1, RFC 5425 §4.3), again and again when the connection is lost. What
 * doesn't fit the queue is dropped, counted, and told of by the first message that gets through. It
 * says nothing in the log about itself, or a failure to send would make more to send.
 */

import { after, assert, type Duration, type Log, Timer, type TimerQueue } from '#core';
import type {
  Clock,
  Connecting,
  ConnectSecure,
  DatagramSocket,
  Endpoint,
  Flow,
  Stack,
} from '#device';
import {
  syslogBytesMax,
  syslogFlowBytesMax,
  syslogFlushInterval,
  syslogMessagesMax,
  syslogRetryFirst,
  syslogRetryMax,
} from './limits.ts';
import { emitSyslog, octetCounted, type SyslogOrigin } from './syslog.ts';

export interface SyslogServer {
  readonly protocol: 'udp' | 'tcp' | 'tls';
  /** An address, or a name where the stack has names. */
  readonly host: string;
  readonly port: number;
}

/**
 * RFC 6587 has no port of its own; 601 is RFC 3195's, 514 what servers listen on. TLS: RFC 5425
 * §4.1.
 */
const PORTS: Readonly<Record<SyslogServer['protocol'], number>> = {
  udp: 514,
  tcp: 514,
  tls: 6_514,
};

/** "udp://10.0.0.1", "tls://[2001:db8::1]:6515"; null for other texts. */
export function parseSyslogServer(text: string): SyslogServer | null {
  const found = /^(udp|tcp|tls):\/\/(?:\[([0-9a-fA-F:.]+)\]|([^:/[\]]+))(?::(\d{1,5}))?\/?$/.exec(
    text,
  );
  if (found === null) return null;
  const protocol = found[1] as SyslogServer['protocol'];
  const port = Number(found[4] ?? PORTS[protocol]);
  if (!(port >= 1 && port <= 65_535)) return null;
  return { protocol, host: found[2] ?? found[3]!, port };
}

export interface SyslogOptions {
  readonly stack: Stack;
  /** Opens the connections of a server over TLS, which must be there for one. */
  readonly connectSecure?: ConnectSecure | null;
  readonly timers: TimerQueue;
  readonly clock: Clock;
  readonly log: Log;
  readonly server: SyslogServer;
  readonly origin: () => SyslogOrigin;
}

export class SyslogSender {
  readonly counters = {
    syslogSent: 0,
    syslogDropped: 0,
    syslogConnections: 0,
    syslogConnectFailures: 0,
  };
  /** Why the last attempt to connect came to nothing; null: it didn't. */
  fault: string | null = null;
  private readonly options: SyslogOptions;
  private readonly open: ConnectSecure;
  private readonly queue: Uint8Array[] = [];
  private queueBytes = 0;
  private sequence = 0;
  /** Dropped since the last message that said so. */
  private untold = 0;
  private readonly flushTimer = new Timer(() => this.flush());
  private readonly retryTimer = new Timer(() => this.connect());
  private retryWait: Duration = syslogRetryFirst;
  /** Until a datagram that didn't leave is tried again: doubled each time. */
  private resendWait: Duration = syslogFlushInterval;
  private socket: DatagramSocket | null = null;
  /** Where datagrams go, once its address is known. */
  private to: Endpoint | null = null;
  private flow: Flow | null = null;
  private connecting: Connecting | null = null;
  private readonly unfollow: () => void;
  private isOver = false;

  /** Every later line of the log goes out. */
  constructor(options: SyslogOptions) {
    this.options = options;
    const isSecure = options.server.protocol === 'tls';
    const connect = isSecure ? options.connectSecure : options.stack.connect.bind(options.stack);
    assert(connect !== null && connect !== undefined, 'a server over TLS without TLS');
    this.open = connect;
    this.unfollow = options.log.follow((line) => this.take(line));
    this.connect();
  }

  /** Ends it; what is queued is lost. */
  close(): void {
    this.isOver = true;
    this.unfollow();
    this.options.timers.stop(this.flushTimer);
    this.options.timers.stop(this.retryTimer);
    this.connecting?.cancel();
    this.flow?.shutdown();
    this.socket?.close();
  }

  checkInvariants(): void {
    assert(this.queue.length <= syslogMessagesMax && this.queueBytes <= syslogBytesMax);
    assert(this.queue.reduce((sum, message) => sum + message.length, 0) === this.queueBytes);
  }

  private take(line: string): void {
    const message = this.message(line);
    const isFull =
      this.queue.length >= syslogMessagesMax || this.queueBytes + message.length > syslogBytesMax;
    if (isFull) {
      this.counters.syslogDropped += 1;
      this.untold += 1;
      return;
    }
    this.queue.push(message);
    this.queueBytes += message.length;
    const { timers } = this.options;
    // Not within the caller's work, which may be the stack's own; and several lines at once.
    if (this.flushTimer.at > timers.now + syslogFlushInterval) {
      timers.arm(this.flushTimer, after(timers.now, syslogFlushInterval));
    }
  }

  private message(line: string): Uint8Array {
    const { timers, clock, origin } = this.options;
    // RFC 5424 §7.3.1: 1 to 2147483647, then 1 again.
    this.sequence = this.sequence >= 2_147_483_647 ? 1 : this.sequence + 1;
    const uptimeHundredths = Math.floor(timers.now / 10_000);
    return emitSyslog(line, origin(), clock.wall(), { sequence: this.sequence, uptimeHundredths });
  }

  private flush(): void {
    if (this.isOver) return;
    let sent = 0;
    while (sent < this.queue.length && this.send(this.queue[sent]!)) sent += 1;
    for (const message of this.queue.splice(0, sent)) this.queueBytes -= message.length;
    this.counters.syslogSent += sent;
    if (sent > 0 && this.untold > 0) this.tellDropped();
    if (sent > 0) this.resendWait = syslogFlushInterval;
    // A full device: later. A full flow says when it drained, and the next connection flushes.
    if (this.queue.length > 0 && this.socket !== null) {
      const { timers } = this.options;
      timers.arm(this.flushTimer, after(timers.now, this.resendWait));
      this.resendWait = Math.min(this.resendWait * 2, syslogRetryFirst) as Duration;
    }
  }

  private tellDropped(): void {
    const text = `warn syslog: ${this.untold} lines were dropped`;
    if (this.send(this.message(text))) this.untold = 0;
  }

  private send(message: Uint8Array): boolean {
    if (this.socket !== null && this.to !== null) return this.socket.send(message, this.to);
    const { flow } = this;
    if (flow === null || flow.queuedBytes > syslogFlowBytesMax) return false;
    flow.write(octetCounted(message));
    return true;
  }

  private connect(): void {
    if (this.isOver) return;
    if (this.options.server.protocol === 'udp') void this.openSocket();
    else this.openFlow();
  }

  private async openSocket(): Promise<void> {
    const { stack, server } = this.options;
    const found = await stack.resolve(server.host);
    const bound = found.ok ? await stack.bind(0, { receive() {} }) : null;
    if (!found.ok || bound === null || !bound.ok || this.isOver) {
      if (bound?.ok) bound.value.close();
      this.retry();
      return;
    }
    this.socket = bound.value;
    this.to = { address: found.value[0]!, port: server.port };
    this.counters.syslogConnections += 1;
    this.flush();
  }

  private openFlow(): void {
    const { server } = this.options;
    this.connecting = this.open(server.host, server.port, (opened) => {
      this.connecting = null;
      if (!opened.ok) {
        this.counters.syslogConnectFailures += 1;
        const { error } = opened;
        this.fault = error.kind === 'tls' ? `tls: ${error.fault}` : error.kind;
        this.retry();
        return;
      }
      const flow = opened.value;
      this.counters.syslogConnections += 1;
      this.fault = null;
      this.retryWait = syslogRetryFirst;
      this.flow = flow;
      flow.lowWaterBytes = syslogFlowBytesMax;
      const lost = (): void => {
        if (this.flow !== flow) return;
        this.flow = null;
        this.retry();
      };
      flow.attach({
        data() {},
        drained: () => this.flush(),
        // A server says nothing; one that ends its side is going.
        end: () => {
          flow.shutdown();
          lost();
        },
        closed: lost,
      });
      this.flush();
    });
  }

  private retry(): void {
    if (this.isOver) return;
    const { timers } = this.options;
    timers.arm(this.retryTimer, after(timers.now, this.retryWait));
    this.retryWait = Math.min(this.retryWait * 2, syslogRetryMax) as Duration;
  }
}
