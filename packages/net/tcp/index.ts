/** TCP, as packages/stack joins it to IP. */
export type { TcpConfig } from './config.ts';
export { inspectTcp } from './inspect.ts';
export type { TcpLimits } from './limits.ts';
export { DEFAULT_LIMITS } from './limits.ts';
export { TcpStack } from './stack.ts';
