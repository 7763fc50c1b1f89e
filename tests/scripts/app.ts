/** The application of a script: it does what the script says, and notes what it is told. */

import type { Result } from '#core';
import type { ConnectError, DatagramSocket, Flow, FlowEnd, Listener } from '#device';
import { parseIpAddress } from '#net';
import type { StackHost } from '../sim/stack-host.ts';
import type { Conversation } from './conversation.ts';
import { payloadOf } from './notation/udp.ts';
import type { Scene } from './scene.ts';
import { bytesOfLatin1, type Fields, latin1Of } from './words.ts';

/** Something that the application was told. */
export interface AppEvent {
  readonly at: number;
  /** Which flow, from 1 in order of opening; 0: none. */
  readonly flow: number;
  /** 'data', 'end', 'closed reset', ... */
  readonly what: string;
  /** Of 'data' and 'datagram'. */
  readonly bytes: Uint8Array | null;
}

/** What the script asked for can't be done, or went wrong: a failure of the script. */
export class AppFailure extends Error {
  override readonly name = 'AppFailure';
}

interface AppFlow {
  readonly flow: Flow;
  readonly conversation: Conversation;
}

export class App {
  readonly events: AppEvent[] = [];
  readonly host: StackHost;
  readonly scene: Scene;
  /** Whether 'drained' is an event. */
  tellsDrained = false;
  private readonly flows: AppFlow[] = [];
  private readonly listeners = new Map<number, Listener>();
  private readonly sockets = new Map<number, DatagramSocket>();

  constructor(host: StackHost, scene: Scene) {
    this.host = host;
    this.scene = scene;
  }

  listen(port: number, isPaused: boolean): void {
    const listening = this.host.tcp.listen(port, (flow) => this.opened(flow, isPaused));
    if (!listening.ok) throw new AppFailure(`listen: ${listening.error.kind}`);
    this.listeners.set(port, listening.value);
  }

  unlisten(port: number): void {
    const listener = this.listeners.get(port);
    if (listener === undefined) throw new AppFailure(`nobody listens on ${port}`);
    listener.close();
  }

  connect(text: string, port: number): void {
    const address = parseIpAddress(text);
    if (address === null) throw new AppFailure(`'${text}' is no address`);
    this.host.tcp.connect(address, port, (result: Result<Flow, ConnectError>): void => {
      if (result.ok) this.opened(result.value, false);
      else this.note(0, `failed ${result.error.kind}`);
    });
  }

  /** Flow `number`, from 1; 0: the last that opened. */
  flow(number: number): AppFlow {
    const found = this.flows[(number === 0 ? this.flows.length : number) - 1];
    if (found === undefined) throw new AppFailure('no connection has opened');
    return found;
  }

  write(number: number, what: number | string): void {
    const { flow, conversation } = this.flow(number);
    if (typeof what === 'number') {
      flow.write(conversation.write(what));
      return;
    }
    const bytes = bytesOfLatin1(what);
    conversation.record(bytes);
    flow.write(bytes);
  }

  bind(port: number): void {
    const bound = this.host.net.udp.bind(port, {
      receive: (bytes, from) => {
        this.note(0, `datagram ${port} from ${from.address}:${from.port}`, bytes.slice());
      },
      unreachable: (to) => this.note(0, `unreachable ${port} from ${to.address}:${to.port}`),
    });
    if (!bound.ok) throw new AppFailure(`bind: ${bound.error.kind}`);
    this.sockets.set(port, bound.value);
  }

  send(port: number, address: string, toPort: number, payload: Fields): void {
    const sent = this.socket(port).send(payloadOf(payload), { address, port: toPort });
    if (!sent) this.note(0, `unsent ${port}`);
  }

  group(port: number, verb: 'join' | 'leave', group: string): void {
    if (verb === 'leave') this.socket(port).leave(group);
    else if (!this.socket(port).join(group)) throw new AppFailure(`can't join ${group}`);
  }

  unbind(port: number): void {
    this.socket(port).close();
    this.sockets.delete(port);
  }

  counter(name: string): number {
    const { net, tcp, host } = this.host;
    const all = { ...host.device.counters(), ...net.counters(), ...tcp.counters() };
    const value = all[name];
    if (value === undefined) throw new AppFailure(`there is no counter '${name}'`);
    return value;
  }

  /** What TCP says about a connection of ours, by its ports. */
  info(number: number, name: string): string {
    const { local, remote } = this.flow(number).flow;
    const ends = `${local.address}:${local.port} ${remote.address}:${remote.port}`;
    const all = this.host.tcp.connections();
    const found = all.find((each) => `${each.local} ${each.remote}` === ends);
    if (found === undefined) throw new AppFailure('the connection is gone');
    if (found[name] === undefined) {
      throw new AppFailure(`'${name}' is none of ${Object.keys(found).join(', ')}`);
    }
    return String(found[name]);
  }

  note(flow: number, what: string, bytes: Uint8Array | null = null): void {
    this.events.push({ at: this.host.world.timers.now, flow, what, bytes });
  }

  private socket(port: number): DatagramSocket {
    const socket = this.sockets.get(port);
    if (socket === undefined) throw new AppFailure(`UDP port ${port} is not bound`);
    return socket;
  }

  private opened(flow: Flow, isPaused: boolean): void {
    const remote = this.scene.address(flow.remote.address);
    const conversation = this.scene.conversation(remote, flow.remote.port, flow.local.port);
    this.flows.push({ flow, conversation });
    const number = this.flows.length;
    this.note(number, 'open');
    if (isPaused) flow.pause();
    flow.attach({
      data: (bytes) => this.note(number, 'data', bytes.slice()),
      drained: () => {
        if (this.tellsDrained) this.note(number, 'drained');
      },
      end: () => this.note(number, 'end'),
      closed: (how: FlowEnd) => this.note(number, `closed ${how}`),
    });
  }
}

export const showEvent = ({ flow, what, bytes }: AppEvent): string => {
  const content =
    bytes === null
      ? ''
      : bytes.length > 30
        ? ` len ${bytes.length}`
        : ` ${JSON.stringify(latin1Of(bytes))}`;
  return `! ${flow > 1 ? `@${flow} ` : ''}${what}${content}`;
};
