export {
  directStack,
  type StackOptions,
  type StackOptionsFault,
  stackOptions,
} from './direct-stack.ts';
export { ATTEMPTS_MAX, type EyeballsNetwork, HappyEyeballs } from './happy-eyeballs.ts';
export { ipv6Options } from './ipv6-options.ts';
export { type JoinOptions, joinStacks } from './join-stacks.ts';
export { Names, parseNameServers } from './names.ts';
export type { NamesMaker, NumericStack, StackNames } from './numeric-stack.ts';
