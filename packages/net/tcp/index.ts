/** TCP, as packages/stack joins it to IP. */
export type { TcpLimits } from './limits.ts';
export { DEFAULT_LIMITS } from './limits.ts';
export { type TcpConfig, TcpStack } from './stack.ts';
