import { arg, defineUnikernel, kv, net } from 'morgana/config';

export default defineUnikernel({
  name: 'limits',
  main: './main.ts',
  devices: { stack: net.stack(), site: kv.directory('../../../../examples/static-site') },
  args: {
    idleMax: arg.int({ doc: 'microseconds' }),
    headMax: arg.int({ doc: 'microseconds' }),
    progressEvery: arg.int({ doc: 'microseconds' }),
    lingerMax: arg.int({ doc: 'microseconds' }),
  },
});
