/** What every Stack must do beyond its flows (flow.ts), as cases that any target can run. */

import { assert, type Result } from '#core';
import type { ConnectError, Endpoint, Flow, Stack } from '#device';
import { FlowRecorder } from './flow.ts';

/** Two stacks that reach each other; they may be one. */
export interface StackNetwork {
  readonly client: Stack;
  readonly server: Stack;
  /** Of `server`, as the client reaches it. */
  readonly serverAddress: string;
  /** Lets time pass until `condition` holds; rejects when that takes too long. */
  until(condition: () => boolean): Promise<void>;
}

export interface StackCase {
  readonly name: string;
  run(network: StackNetwork): Promise<void>;
}

async function connect(
  { client, until }: StackNetwork,
  address: string,
  port: number,
): Promise<Result<Flow, ConnectError>> {
  let outcome: Result<Flow, ConnectError> | null = null;
  client.connect(address, port, (result) => {
    if (result.ok) result.value.attach(new FlowRecorder());
    outcome = result;
  });
  assert(outcome === null, 'not within the call');
  await until(() => outcome !== null);
  return outcome!;
}

/** A message handler that keeps copies. */
class Inbox {
  readonly messages: { text: string; from: Endpoint }[] = [];

  receive(bytes: Uint8Array, from: Endpoint): void {
    this.messages.push({ text: String.fromCharCode(...bytes), from });
    bytes.fill(0xa5);
  }
}

const bytesOf = (text: string) => Uint8Array.from(text, (one) => one.charCodeAt(0));

export const stackCases: readonly StackCase[] = [
  {
    name: 'listen › port 0 › one is chosen; accept is called with the flow',
    async run(network) {
      const accepted: Flow[] = [];
      const listening = await network.server.listen(0, (flow) => {
        flow.attach(new FlowRecorder());
        accepted.push(flow);
      });
      assert(listening.ok && listening.value.port > 0, 'a port');
      const { port } = listening.value;
      const opened = await connect(network, network.serverAddress, port);
      await network.until(() => accepted.length === 1);
      assert(opened.ok && opened.value.remote.port === port, 'connected');
      assert(accepted[0]!.local.port === port, 'to that port');
      opened.value.abort();
      listening.value.close();
    },
  },
  {
    name: 'listen › a port in use › refused, and free after close',
    async run({ server }) {
      const first = await server.listen(0, () => assert(false));
      assert(first.ok, 'listening');
      const { port } = first.value;
      const second = await server.listen(port, () => assert(false));
      assert(!second.ok && second.error.kind === 'port in use', 'in use');
      assert(second.error.port === port, 'says which');
      first.value.close();
      const third = await server.listen(port, () => assert(false));
      assert(third.ok && third.value.port === port, 'free again');
      third.value.close();
    },
  },
  {
    name: 'listener › close › accepts no more, open flows go on',
    async run(network) {
      const at = new FlowRecorder();
      const listening = await network.server.listen(0, (flow) => flow.attach(at));
      assert(listening.ok, 'listening');
      const { port } = listening.value;
      const opened = await connect(network, network.serverAddress, port);
      assert(opened.ok, 'connected');
      opened.value.write(new Uint8Array([0]));
      await network.until(() => at.receivedBytes === 1);
      listening.value.close();
      const refused = await connect(network, network.serverAddress, port);
      assert(!refused.ok && refused.error.kind === 'refused', 'refused');
      opened.value.write(new Uint8Array([1]));
      await network.until(() => at.receivedBytes === 2);
      opened.value.abort();
      await network.until(() => at.how === 'reset');
    },
  },
  {
    name: 'connect › neither an address nor a name › bad address',
    async run(network) {
      for (const address of ['', '.', 'a b', '1.2.3', '1.2.3.4.5', '300.1.1.1', '1.2.3.4/8']) {
        const result = await connect(network, address, 80);
        assert(!result.ok && result.error.kind === 'bad address', `not ${address}`);
      }
    },
  },
  {
    name: 'connect › a name that exists nowhere › name not found',
    async run(network) {
      for (const name of ['a.invalid', 'INVALID.']) {
        const result = await connect(network, name, 80);
        assert(!result.ok && result.error.kind === 'name not found', `not ${name}`);
      }
    },
  },
  {
    name: 'connect › cancelled › not told, whatever comes',
    async run(network) {
      const accepted: FlowRecorder[] = [];
      const listening = await network.server.listen(0, (flow) => {
        const recorder = new FlowRecorder();
        flow.attach(recorder);
        accepted.push(recorder);
      });
      assert(listening.ok, 'listening');
      const { port } = listening.value;
      for (const address of [network.serverAddress, 'a.invalid', 'a b']) {
        const connecting = network.client.connect(address, port, () => assert(false, 'told'));
        connecting.cancel();
        connecting.cancel();
      }
      // Whoever comes later is served; and the first one, if it got through, is gone.
      const opened = await connect(network, network.serverAddress, port);
      assert(opened.ok, 'connected');
      opened.value.abort();
      await network.until(() => accepted.length > 0 && accepted.every(({ how }) => how !== null));
      listening.value.close();
    },
  },
  {
    name: 'resolve › addresses as they are, localhost, none for what exists nowhere',
    async run({ client, serverAddress, until }) {
      const results = new Map<string, string>();
      for (const name of [serverAddress, 'localhost', 'a.invalid', '1.2.3']) {
        void client.resolve(name).then((result) => {
          results.set(name, result.ok ? result.value.join() : result.error.kind);
        });
      }
      await until(() => results.size === 4);
      assert(results.get(serverAddress) === serverAddress, 'itself');
      assert(/^(127\.0\.0\.1|::1)/.test(results.get('localhost')!), 'ourselves');
      assert(results.get('a.invalid') === 'name not found', 'nowhere');
      assert(results.get('1.2.3') === 'bad address', 'nothing');
    },
  },
  {
    name: 'bind › messages both ways, empty and longest › whole, with their sender',
    async run(network) {
      const inbox = new Inbox();
      const outbox = new Inbox();
      const bound = await network.server.bind(0, inbox);
      const other = await network.client.bind(0, outbox);
      assert(bound.ok && other.ok, 'bound');
      const to = { address: network.serverAddress, port: bound.value.local.port };
      const bytes = bytesOf('hello');
      assert(other.value.send(bytes, to), 'sent');
      bytes.fill(0xa5);
      assert(other.value.send(new Uint8Array(0), to), 'sent');
      await network.until(() => inbox.messages.length === 2);
      assert(inbox.messages[0]!.text === 'hello' && inbox.messages[1]!.text === '', 'whole');
      assert(inbox.messages[0]!.from.port === other.value.local.port, 'sender');
      bound.value.send(bytesOf('back'), inbox.messages[0]!.from);
      await network.until(() => outbox.messages.length === 1);
      assert(outbox.messages[0]!.text === 'back', 'answered');
      bound.value.close();
      other.value.close();
    },
  },
  {
    name: 'bind › a port in use › refused, and free after close; a closed socket drops',
    async run({ server, serverAddress }) {
      const first = await server.bind(0, new Inbox());
      assert(first.ok, 'bound');
      const { port } = first.value.local;
      const second = await server.bind(port, new Inbox());
      assert(!second.ok && second.error.kind === 'port in use', 'in use');
      first.value.close();
      first.value.close();
      assert(!first.value.send(bytesOf('x'), { address: serverAddress, port }), 'dropped');
      const third = await server.bind(port, new Inbox());
      assert(third.ok, 'free again');
      third.value.close();
    },
  },
];
