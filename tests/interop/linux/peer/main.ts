/**
 * The unikernel that Linux talks to: echo (TCP and UDP port 7), a sink that checks the pattern
 * (9), a source of it (19), and a port (1) that takes one command per connection:
 *
 *     echo ADDRESS PORT BYTES   be the client of an echo server there; "ok" or what went wrong
 *     hear ADDRESS PORT         what a server there says before it ends
 *     counters                  the stack's, as JSON
 *     addresses                 ours
 *     resolve NAME              what a name server says, or what went wrong
 */

import type { Endpoint, Flow, FlowEnd, Stack, Start } from 'morgana';
import { BLOCK_BYTES, firstWrong, patternAt } from '../pattern.ts';
import type config from './morgana.config.ts';

const QUEUE_BYTES_MAX = 262_144;
const LINE_BYTES_MAX = 256;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

const nothing = { data() {}, drained() {}, end() {}, closed(_: FlowEnd) {} };

/** What arrives goes back; while too much waits, nothing is taken. */
function echo(flow: Flow): void {
  flow.attach({
    ...nothing,
    data(bytes) {
      flow.write(bytes.slice());
      if (flow.queuedBytes > QUEUE_BYTES_MAX) flow.pause();
    },
    drained: () => flow.resume(),
    end: () => flow.shutdown(),
  });
}

/** Counts what arrives, and tells how much that was, and whether it was right, at its end. */
function sink(flow: Flow): void {
  let got = 0;
  let wrong = -1;
  flow.attach({
    ...nothing,
    data(bytes) {
      if (wrong < 0) wrong = firstWrong(bytes, got);
      got += bytes.length;
    },
    end() {
      flow.write(encoder.encode(wrong < 0 ? `${got} right\n` : `wrong at ${wrong}\n`));
      flow.shutdown();
    },
  });
}

/** Writes `count` bytes of the pattern as the flow takes them, then shuts down. */
function sender(flow: Flow, count: number): () => void {
  let sent = 0;
  let over = false;
  return () => {
    while (sent < count && flow.queuedBytes <= QUEUE_BYTES_MAX) {
      const bytes = patternAt(sent, Math.min(BLOCK_BYTES, count - sent));
      flow.write(bytes);
      sent += bytes.length;
    }
    if (sent < count || over) return;
    over = true;
    flow.shutdown();
  };
}

/** Reads a line, then hands it to `then`. */
function onLine(flow: Flow, then: (line: string) => void): void {
  let text = '';
  flow.attach({
    ...nothing,
    data(bytes) {
      text += decoder.decode(bytes);
      if (text.includes('\n')) then(text.trim());
      else if (text.length > LINE_BYTES_MAX) flow.abort();
    },
    end: () => flow.shutdown(),
  });
}

function source(flow: Flow): void {
  onLine(flow, (line) => {
    const send = sender(flow, Number(line));
    flow.attach({ ...nothing, drained: send });
    send();
  });
}

/** The client of an echo server: sends, checks what comes back; one word for the outcome. */
function echoClient(stack: Stack, to: Endpoint, count: number): Promise<string> {
  return new Promise((resolve) => {
    stack.connect(to.address, to.port, (result) => {
      if (!result.ok) return resolve(result.error.kind);
      const flow = result.value;
      const send = sender(flow, count);
      let got = 0;
      let wrong = -1;
      flow.attach({
        data(bytes) {
          if (wrong < 0) wrong = firstWrong(bytes, got);
          got += bytes.length;
        },
        drained: send,
        end() {},
        closed(how) {
          if (wrong >= 0) resolve(`wrong at ${wrong}`);
          else resolve(got === count && how === 'closed' ? 'ok' : `${got} of ${count}, ${how}`);
        },
      });
      send();
    });
  });
}

/** Everything that a server says. */
function hear(stack: Stack, to: Endpoint): Promise<string> {
  return new Promise((resolve) => {
    stack.connect(to.address, to.port, (result) => {
      if (!result.ok) return resolve(result.error.kind);
      let text = '';
      result.value.attach({
        ...nothing,
        data: (bytes) => {
          text += decoder.decode(bytes);
        },
        end: () => result.value.shutdown(),
        closed: () => resolve(text.trim()),
      });
    });
  });
}

async function resolveName(stack: Stack, name: string): Promise<string> {
  const found = await stack.resolve(name);
  return found.ok ? found.value.join(' ') : found.error.kind;
}

async function command(stack: Stack, line: string): Promise<string> {
  const [verb, address = '', port = '', bytes = ''] = line.split(' ');
  if (verb === 'counters') return JSON.stringify(stack.counters());
  if (verb === 'addresses') return stack.addresses().join(' ');
  if (verb === 'resolve') return resolveName(stack, address);
  if (verb === 'hear') return hear(stack, { address, port: Number(port) });
  if (verb !== 'echo') return 'no such command';
  return echoClient(stack, { address, port: Number(port) }, Number(bytes));
}

export const start: Start<typeof config> = async ({ stack, log }) => {
  const control = (flow: Flow): void =>
    onLine(flow, async (line) => {
      flow.write(encoder.encode(`${await command(stack, line)}\n`));
      flow.shutdown();
    });
  for (const [port, accept] of [
    [1, control],
    [7, echo],
    [9, sink],
    [19, source],
  ] as const) {
    const listening = await stack.listen(port, accept);
    if (!listening.ok) throw new Error(`port ${port}: ${listening.error.kind}`);
  }
  const bound = await stack.bind(7, {
    receive: (bytes, from) => void (bound.ok && bound.value.send(bytes, from)),
  });
  if (!bound.ok) throw new Error(bound.error.kind);
  log.info('listening on ports 1, 7, 9 and 19');
};
