import { arg, defineUnikernel, net } from 'morgana/config';

export default defineUnikernel({
  name: 'gateway',
  main: './main.ts',
  devices: { stack: net.stack() },
  args: {
    port: arg.port({ default: 80, doc: 'TCP port of the gateway' }),
    upstream: arg.string({ default: 'http://10.0.2.2:8000', doc: 'where /api/ is passed on to' }),
    patience: arg.int({
      default: 5_000,
      min: 1,
      doc: 'milliseconds until an answer must be there',
    }),
  },
});
