export { ControlClient } from './control-client.ts';
export { type Command, ControlServer, type ControlStream } from './control-server.ts';
export { Inspector, inspectRequestOf, type Section } from './inspector.ts';
export type { ControlAnswer, ControlRequest } from './wire/control-message.ts';
