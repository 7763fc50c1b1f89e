export { Commands, Refusal } from './commands.ts';
export { ControlClient, type OpenRequest } from './control-client.ts';
export { type Command, ControlServer, type ControlStream } from './control-server.ts';
export { type CounterKind, counterKind, counterWords } from './counters.ts';
export { Inspector, type Section, type SnapshotRequest } from './inspector.ts';
export { EXPOSITION_TYPE, formatMetrics } from './prometheus.ts';
export type { UnikernelSnapshot } from './snapshot.ts';
export { parseSyslogServer, SyslogSender, type SyslogServer } from './syslog-sender.ts';
export type { ControlAnswer, ControlRequest } from './wire/control-message.ts';
