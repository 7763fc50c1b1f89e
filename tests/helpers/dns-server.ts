/**
 * A name server of the tests' own, on any stack: answers from a list of records, and lies on
 * demand.
 */

import { readU16be, writeU16be } from '#core';
import type { Endpoint, Flow, Stack } from '#device';
import { type DnsMessage, type DnsRecord, emitDns, lowerName, parseDns } from '#dns/wire';

/** Datagrams of more bytes are cut, and say so. */
const DATAGRAM_BYTES_MAX = 1_232;
const CNAME = 5;
const NAME_ERROR = 3;

export type Zone = readonly DnsRecord[];
/** Changes an answer before it is sent; null: nothing is sent. */
export type Twist = (reply: DnsMessage, over: 'udp' | 'tcp') => DnsMessage | null;

export const address = (name: string, text: string, ttlSeconds = 60): DnsRecord => ({
  name,
  type: text.includes(':') ? 28 : 1,
  class: 1,
  ttlSeconds,
  data: { kind: 'address', address: text },
});

export class TestDnsServer {
  zone: Zone;
  twist: Twist = (reply) => reply;
  readonly queries: string[] = [];
  readonly sources: Endpoint[] = [];
  port = 0;
  private readonly open: { close(): void }[] = [];

  constructor(zone: Zone) {
    this.zone = zone;
  }

  /** Answers on UDP and TCP `port` of `stack`; 0: any. */
  async serve(stack: Stack, port: number): Promise<this> {
    const bound = await stack.bind(port, {
      receive: (bytes, from) => {
        this.sources.push(from);
        const reply = this.reply(bytes, 'udp');
        if (reply !== null && bound.ok) bound.value.send(reply, from);
      },
    });
    if (!bound.ok) throw new Error(`port ${port}: ${bound.error.kind}`);
    this.port = bound.value.local.port;
    const listening = await stack.listen(this.port, (flow) => this.accept(flow));
    if (!listening.ok) throw new Error(`port ${this.port}: ${listening.error.kind}`);
    this.open.push(bound.value, listening.value);
    return this;
  }

  close(): void {
    for (const one of this.open) one.close();
  }

  private accept(flow: Flow): void {
    let waiting = Buffer.alloc(0);
    flow.attach({
      data: (bytes) => {
        waiting = Buffer.concat([waiting, bytes]);
        while (waiting.length >= 2 && waiting.length >= 2 + readU16be(waiting, 0)) {
          const count = readU16be(waiting, 0);
          const reply = this.reply(waiting.subarray(2, 2 + count), 'tcp');
          waiting = waiting.subarray(2 + count);
          if (reply === null) continue;
          const framed = new Uint8Array(2 + reply.length);
          writeU16be(framed, 0, reply.length);
          framed.set(reply, 2);
          flow.write(framed);
        }
      },
      drained() {},
      end: () => flow.shutdown(),
      closed() {},
    });
  }

  private reply(bytes: Uint8Array, over: 'udp' | 'tcp'): Uint8Array | null {
    const parsed = parseDns(bytes);
    const question = parsed.ok ? parsed.value.questions[0] : undefined;
    if (!parsed.ok || question === undefined) return null;
    this.queries.push(`${over} ${lowerName(question.name)} ${question.type}`);
    const answers = this.answersTo(question.name, question.type);
    const isKnown = answers.length > 0 || this.zone.some((one) => one.name === question.name);
    const whole: DnsMessage = {
      ...parsed.value,
      isResponse: true,
      recursionAvailable: true,
      code: isKnown ? 0 : NAME_ERROR,
      answers,
    };
    const twisted = this.twist(whole, over);
    if (twisted === null) return null;
    const out = new Uint8Array(65_535);
    const count = emitDns(out, twisted);
    if (over === 'tcp' || count <= DATAGRAM_BYTES_MAX) return out.slice(0, count);
    return out.slice(0, emitDns(out, { ...twisted, answers: [], truncated: true }));
  }

  private answersTo(asked: string, type: number): DnsRecord[] {
    const answers: DnsRecord[] = [];
    let name = asked;
    for (let i = 0; i < 10; i++) {
      const here = this.zone.filter((one) => one.name === lowerName(name));
      const found = here.filter((one) => one.type === type);
      answers.push(...found.map((one) => ({ ...one, name })));
      const alias = here.find((one) => one.type === CNAME);
      if (found.length > 0 || alias === undefined || alias.data.kind !== 'name') break;
      answers.push({ ...alias, name });
      name = alias.data.name;
    }
    return answers;
  }
}
