export { type BlockCase, blockCases, readOnlyBlockCases } from './block.ts';
export { type BlockCrashCase, type BlockCrashRig, blockCrashCases } from './block-crash.ts';
export { type FileSystemCase, fileSystemCases } from './file-system.ts';
export { type FlowCase, type FlowNetwork, FlowRecorder, flowCases } from './flow.ts';
export { type KvCase, type KvFile, kvCases } from './kv.ts';
export { type KvReadWriteCase, kvReadWriteCases } from './kv-read-write.ts';
export { type NetCase, type NetWire, netCases, testFrame } from './net.ts';
export { type StackCase, type StackNetwork, stackCases } from './stack.ts';
