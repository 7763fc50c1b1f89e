import { arg, defineUnikernel, net } from 'morgana/config';

export default defineUnikernel({
  name: 'git',
  main: './main.ts',
  devices: { stack: net.stack() },
  args: {
    password: arg.string({ default: '', doc: 'who has it may push' }),
    mirror: arg.string({ default: '', doc: 'a repository to start from' }),
  },
});
