import { arg, defineUnikernel, kv, net } from 'morgana/config';

export default defineUnikernel({
  name: 'devices',
  main: './main.ts',
  devices: { stack: net.stack(), site: kv.directory('./htdocs') },
  args: {
    port: arg.port({ default: 80, doc: 'TCP port of the website' }),
    counterPort: arg.port({ default: 7, doc: 'TCP port of the counter' }),
    greeting: arg.string({ default: 'visitor', doc: 'what the counter calls its callers' }),
  },
});
