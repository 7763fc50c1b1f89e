export { AssertionError, assert, assertNever } from './assert.ts';
export { BinaryHeap } from './binary-heap.ts';
export { type HotBytes, hot } from './hot-bytes.ts';
export * from './ints.ts';
export {
  isLogLevel,
  Log,
  type Logger,
  type LogLevel,
  type LogSink,
  setLevels,
} from './log.ts';
export { err, ok, type Result } from './result.ts';
export { SeededRandom } from './seeded-random.ts';
export * from './time.ts';
export { nextTurn, TIMER_IDLE, Timer, TimerQueue } from './timers.ts';
export type { WireFault } from './wire-fault.ts';
