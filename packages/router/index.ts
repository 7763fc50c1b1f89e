/** Forwarding between two interfaces, and network address translation. */
export { natSessionsDefault, natSessionsMax, natSessionsMin } from './limits.ts';
export {
  type ForwardsFault,
  formatForward,
  type PortForward,
  parseForwards,
} from './nat/forwards.ts';
export type { Filtering } from './nat/nat44.ts';
export { type NatOptions, Router, type RouterOptions } from './router.ts';
export type { NatSessionSnapshot, NatTables } from './tables.ts';
