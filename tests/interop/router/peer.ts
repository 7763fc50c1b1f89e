/**
 * One end of the network: a Node process in a namespace that opens flows from several addresses, or
 * answers them with what it sees of them. One message over IPC is one Task; its answer has its
 * number.
 */

import dgram from 'node:dgram';
import net from 'node:net';

export interface FlowSpec {
  readonly protocol: 'tcp' | 'udp';
  readonly from: string;
  readonly port: number;
  readonly to: readonly (readonly [address: string, port: number])[];
}

export type Task =
  /** Serves TCP and UDP on these; each flow hears "ADDRESS:PORT" as it is seen. */
  | { readonly op: 'serve'; readonly ends: readonly (readonly [string, number])[] }
  /** What each flow is seen as, by each of its remote ends; '' when nothing came back. */
  | { readonly op: 'flows'; readonly flows: readonly FlowSpec[] }
  /** Sends one datagram from an end that is served; it isn't answered. */
  | {
      readonly op: 'send';
      readonly from: readonly [string, number];
      readonly to: readonly [string, number];
    }
  /** How many connections, one after the other in so many lanes, come and go in a time. */
  | {
      readonly op: 'churn';
      readonly to: readonly [string, number];
      readonly lanes: number;
      readonly millis: number;
    }
  /** Datagrams to flows that weren't asked for, since the last time. */
  | { readonly op: 'strays' };

export interface Request {
  readonly id: number;
  readonly task: Task;
}
export interface Answer {
  readonly id: number;
  readonly value: unknown;
}

const PATIENCE_MILLIS = 2_000;
/** Flows that are opened at a time. */
const AT_ONCE = 60;
const STRAY = 'stray';

const servers = new Map<string, dgram.Socket>();
let strays: string[] = [];

function family(address: string): 'udp4' | 'udp6' {
  return address.includes(':') ? 'udp6' : 'udp4';
}

async function serve(ends: readonly (readonly [string, number])[]): Promise<void> {
  for (const [address, port] of ends) {
    const server = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.end(`${socket.remoteAddress}:${socket.remotePort}`);
    });
    await new Promise<void>((resolve) => server.listen(port, address, resolve));
    const socket = dgram.createSocket(family(address));
    socket.on('message', (bytes, from) => {
      if (String(bytes) === STRAY) strays.push(`${address}:${port}`);
      else socket.send(`${from.address}:${from.port}`, from.port, from.address);
    });
    await new Promise<void>((resolve) => socket.bind(port, address, resolve));
    servers.set(`${address}:${port}`, socket);
  }
}

const kept: dgram.Socket[] = [];

/** Asks all remote ends from one socket, which stays open. */
function udpFlow({ from, port, to }: FlowSpec): Promise<string[]> {
  return new Promise((resolve) => {
    const seen = to.map(() => '');
    const socket = dgram.createSocket(family(from));
    kept.push(socket);
    const send = (): void => {
      for (const [i, [address, remote]] of to.entries()) {
        if (seen[i] === '') socket.send('who', remote, address);
      }
    };
    const again = setInterval(send, PATIENCE_MILLIS / 4);
    const late = setTimeout(done, PATIENCE_MILLIS);
    function done(): void {
      clearInterval(again);
      clearTimeout(late);
      resolve(seen);
    }
    socket.on('message', (bytes, remote) => {
      if (String(bytes) === STRAY) {
        strays.push(`${from}:${port}`);
        return;
      }
      const i = to.findIndex(([address, p]) => address === remote.address && p === remote.port);
      if (i >= 0) seen[i] = String(bytes);
      if (seen.every((text) => text !== '')) done();
    });
    socket.bind(port, from, send);
  });
}

function tcpFlow({ from, port, to }: FlowSpec): Promise<string[]> {
  const [[host, remote] = ['', 0]] = to;
  return new Promise((resolve) => {
    const socket = net.connect({ host, port: remote, localAddress: from, localPort: port });
    let text = '';
    const done = (): void => {
      socket.destroy();
      resolve([text]);
    };
    socket.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    socket.setTimeout(PATIENCE_MILLIS, done);
    socket.on('error', done);
    socket.on('end', done);
  });
}

async function flows(specs: readonly FlowSpec[]): Promise<string[][]> {
  const seen: string[][] = [];
  for (let at = 0; at < specs.length; at += AT_ONCE) {
    const batch = specs.slice(at, at + AT_ONCE);
    const open = (spec: FlowSpec) => (spec.protocol === 'tcp' ? tcpFlow(spec) : udpFlow(spec));
    seen.push(...(await Promise.all(batch.map(open))));
  }
  return seen;
}

function visit([host, port]: readonly [string, number]): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port });
    socket.on('error', () => resolve(false));
    socket.on('close', () => resolve(socket.bytesRead > 0));
    socket.resume();
  });
}

async function churn(
  to: readonly [string, number],
  lanes: number,
  millis: number,
): Promise<number> {
  const end = performance.now() + millis;
  let count = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() < end) if (await visit(to)) count += 1;
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return count;
}

async function run(task: Task): Promise<unknown> {
  switch (task.op) {
    case 'serve':
      return serve(task.ends);
    case 'flows':
      return flows(task.flows);
    case 'send':
      servers.get(task.from.join(':'))?.send(STRAY, task.to[1], task.to[0]);
      return null;
    case 'churn':
      return churn(task.to, task.lanes, task.millis);
    case 'strays': {
      const found = strays;
      strays = [];
      return found;
    }
  }
}

process.on('message', async ({ id, task }: Request) => {
  process.send?.({ id, value: (await run(task)) ?? null } satisfies Answer);
});
