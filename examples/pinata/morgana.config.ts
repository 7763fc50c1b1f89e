import { arg, defineUnikernel, net } from 'morgana/config';

export default defineUnikernel({
  name: 'pinata',
  main: './main.ts',
  devices: { stack: net.stack() },
  args: {
    secret: arg.string({ default: 'no secret was given', doc: 'what whoever smashes it gets' }),
    'test-ca': arg.boolean({ default: false, doc: 'use the published authority, for tests' }),
  },
});
