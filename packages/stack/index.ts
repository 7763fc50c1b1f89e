export {
  directStack,
  type StackOptions,
  type StackOptionsFault,
  stackOptions,
} from './direct-stack.ts';
