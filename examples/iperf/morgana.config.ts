import { arg, defineUnikernel, net } from 'morgana/config';

export default defineUnikernel({
  name: 'iperf',
  main: './main.ts',
  devices: { stack: net.stack() },
  args: { port: arg.port({ default: 5201, doc: 'TCP and UDP port that iperf3 -c connects to' }) },
});
