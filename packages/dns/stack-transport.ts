/**
 * Questions by UDP and TCP of any `Stack`: our own, a host's, a simulated one. A socket for each
 * question, so each has a random port.
 */

import type { DatagramSocket, Endpoint, Flow, FlowHandler, Stack } from '#device';
import { framed, StreamMessages } from './stream-messages.ts';
import type { DnsExchange, DnsExchangeHandler, DnsTransport } from './transport.ts';

/** What is used of a stack. */
export type DnsStack = Pick<Stack, 'bind' | 'connect'>;

interface Counters {
  /** Datagrams from an address or port that wasn't asked. */
  dnsUnsolicited: number;
  /** No socket to be had. */
  dnsNoSocket: number;
}

export class StackTransport implements DnsTransport {
  private readonly stack: DnsStack;
  private readonly counts: Counters = { dnsUnsolicited: 0, dnsNoSocket: 0 };

  constructor(stack: DnsStack) {
    this.stack = stack;
  }

  datagram(server: Endpoint, query: Uint8Array, handler: DnsExchangeHandler): DnsExchange {
    let socket: DatagramSocket | null = null;
    let isOver = false;
    const receive = (bytes: Uint8Array, from: Endpoint): void => {
      if (isOver) return;
      const isAsked = from.port === server.port && from.address === server.address;
      if (isAsked) handler.message(bytes);
      else this.counts.dnsUnsolicited += 1;
    };
    void this.stack.bind(0, { receive }).then((bound) => {
      if (!bound.ok) {
        this.counts.dnsNoSocket += 1;
        if (!isOver) handler.failed();
      } else if (isOver) {
        bound.value.close();
      } else {
        socket = bound.value;
        // What can't be sent now is lost like a datagram on its way: it is sent again later.
        socket.send(query, server);
      }
    });
    return {
      cancel() {
        isOver = true;
        socket?.close();
      },
    };
  }

  stream(server: Endpoint, query: Uint8Array, handler: DnsExchangeHandler): DnsExchange {
    const exchange = new StreamExchange(query, handler);
    exchange.opening = this.stack.connect(server.address, server.port, (opened) => {
      if (opened.ok) exchange.opened(opened.value);
      else exchange.failed();
    });
    return exchange;
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.counts };
  }
}

class StreamExchange implements DnsExchange, FlowHandler {
  opening: { cancel(): void } | null = null;
  private readonly query: Uint8Array;
  private readonly handler: DnsExchangeHandler;
  private flow: Flow | null = null;
  private isOver = false;
  private isAnswered = false;
  private readonly messages = new StreamMessages();

  constructor(query: Uint8Array, handler: DnsExchangeHandler) {
    this.query = query;
    this.handler = handler;
  }

  opened(flow: Flow): void {
    flow.attach(this);
    this.flow = flow;
    flow.write(framed(this.query));
  }

  cancel(): void {
    this.isOver = true;
    this.opening?.cancel();
    // A server that answered gets an orderly end.
    if (this.isAnswered) this.flow?.shutdown();
    else this.flow?.abort();
  }

  failed(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.handler.failed();
  }

  data(bytes: Uint8Array): void {
    let at = 0;
    while (!this.isOver && at < bytes.length) {
      at = this.messages.take(bytes, at);
      const { whole } = this.messages;
      if (whole === null) continue;
      this.isAnswered = true;
      this.handler.message(whole);
    }
  }

  drained(): void {}

  end(): void {
    this.flow?.shutdown();
    this.failed();
  }

  closed(): void {
    this.flow = null;
    this.failed();
  }
}
