/** Forwarding between two interfaces, and network address translation. */

export { type FirewallOptions, Router6, type Router6Options } from './ipv6/router6.ts';
export {
  type FirewallRule,
  formatRule,
  parseRules,
  type RulesFault,
} from './ipv6/rules.ts';
export { natSessionsDefault, natSessionsMax, natSessionsMin } from './limits.ts';
export {
  type ForwardsFault,
  formatForward,
  type PortForward,
  parseForwards,
} from './nat/forwards.ts';
export type { Filtering } from './nat/nat44.ts';
export { type NatOptions, Router, type RouterOptions } from './router.ts';
export type { FirewallTables, FlowSnapshot, NatSessionSnapshot, NatTables } from './tables.ts';
