export { type BlockDevice, type BlockError, checkBlocks, formatBlockError } from './block.ts';
export type { DatagramHandler, DatagramSocket } from './datagram.ts';
export type { Clock, Console, Entropy } from './environment.ts';
export type { Endpoint, Flow, FlowEnd, FlowHandler } from './flow.ts';
export { isHostName, isNeverHost } from './host-name.ts';
export type { KvEncoding, KvEntry, KvReadOnly } from './kv.ts';
export { emitKvPack, formatKvPackFault, type KvPackInput, openKvPack } from './kv-pack.ts';
export type { Machine, Program } from './machine.ts';
export type { ChecksumRequest, NetDevice, NetHandler, NetOffload } from './net.ts';
export type {
  ConnectError,
  Connecting,
  ListenError,
  Listener,
  NameError,
  Stack,
} from './stack.ts';
