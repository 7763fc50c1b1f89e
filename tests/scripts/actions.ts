/** What the application of a script can be told to do: one entry a word. */

import { type App, AppFailure } from './app.ts';
import type { Scene } from './scene.ts';
import { type Fields, ScriptSyntax, type Words } from './words.ts';

/** Reads the words after the action's name, and returns what is to be done when its time comes. */
export type Action = (words: Words, scene: Scene, flow: number) => (app: App) => void;

const onFlow =
  (act: (flow: ReturnType<App['flow']>['flow']) => void): Action =>
  (_words, _scene, number) =>
  (app) =>
    act(app.flow(number).flow);

const OPERATORS: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '>=': (a, b) => a >= b,
  '<=': (a, b) => a <= b,
};

/** `count NAME N`, `count NAME >= N`: a counter of the stack's. */
const count: Action = (words) => {
  const name = words.next();
  // The tokens of `>=` are two.
  let operator = '';
  if (words.peek() === '<' || words.peek() === '>') operator = words.next() + words.next();
  const holds = operator === '' ? (a: number, b: number) => a === b : OPERATORS[operator];
  if (holds === undefined) throw new ScriptSyntax(`'${operator}' should be >= or <=`);
  const wanted = words.number();
  return (app) => {
    const value = app.counter(name);
    if (!holds(value, wanted)) throw new AppFailure(`${name} is ${value}`);
  };
};

/**
 * `udp bind PORT`, `udp close PORT`, `udp join PORT GROUP`, `udp leave PORT GROUP`,
 * `udp send PORT>PORT [to ADDRESS] "text"`.
 */
const udp: Action = (words, scene) => {
  const verb = words.next();
  const port = words.number();
  if (verb === 'bind') return (app) => app.bind(port);
  if (verb === 'close') return (app) => app.unbind(port);
  if (verb === 'join' || verb === 'leave') {
    const group = scene.text(words.next());
    return (app) => app.group(port, verb, group);
  }
  if (verb !== 'send') throw new ScriptSyntax(`'${verb}' is nothing that a UDP socket does`);
  words.expect('>');
  const toPort = words.number();
  const name = words.take('to') ? words.next() : 'peer';
  const address = scene.text(name);
  let payload: Fields;
  if (words.isText) payload = { text: words.text() };
  else if (words.take('hex')) payload = { hex: words.hex() };
  else payload = { len: words.number() };
  return (app) => app.send(port, address, toPort, payload);
};

export const actions: Readonly<Record<string, Action>> = {
  listen(words) {
    const port = words.number();
    const isPaused = words.take('paused');
    return (app) => app.listen(port, isPaused);
  },
  unlisten(words) {
    const port = words.number();
    return (app) => app.unlisten(port);
  },
  /** The ports of segments that name none are this connection's from here on. */
  connect(words, scene) {
    const address = scene.text(words.next());
    const port = words.number();
    scene.connects(port);
    return (app) => app.connect(address, port);
  },
  write(words, _scene, flow) {
    const what = words.isText ? words.text() : words.number();
    return (app) => app.write(flow, what);
  },
  shutdown: onFlow((flow) => flow.shutdown()),
  abort: onFlow((flow) => flow.abort()),
  pause: onFlow((flow) => flow.pause()),
  resume: onFlow((flow) => flow.resume()),
  lowwater(words, _scene, number) {
    const bytes = words.number();
    return (app) => {
      app.flow(number).flow.lowWaterBytes = bytes;
    };
  },
  nodelay(words, _scene, number) {
    const isOn = words.next() === 'on';
    return (app) => {
      app.flow(number).flow.noDelay = isOn;
    };
  },
  udp,
  count,
  /** `info state ESTABLISHED`: what TCP says about the connection. */
  info(words, _scene, flow) {
    const name = words.next();
    const wanted = words.next();
    return (app) => {
      const value = app.info(flow, name);
      if (value !== wanted) throw new AppFailure(`${name} is ${value}`);
    };
  },
  /** The peer begins anew, with this sequence number: its next SYN makes another connection. */
  iss(words, scene) {
    const iss = words.number();
    return () => scene.begin(iss);
  },
  /** `configure 10.0.0.7/24 [gateway 10.0.0.254] [mtu N]`. */
  configure(words, scene) {
    const configuration = scene.configuration(words);
    return (app) => app.host.net.configure(configuration);
  },
  deconfigure: () => (app) => app.host.net.configure(null),
  dhcp(words) {
    const hostName = words.isEmpty ? undefined : words.next();
    return (app) => app.host.net.startDhcp(hostName);
  },
};
