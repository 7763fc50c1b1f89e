import { arg, defineUnikernel, net } from 'morgana/config';

export default defineUnikernel({
  name: 'pair',
  main: './main.ts',
  devices: { stack: net.stack() },
  args: {
    peer: arg.string({ default: '', doc: 'whom to send to; nobody: receive' }),
    datagram: arg.int({ default: 0, doc: 'bytes of UDP datagrams to send; 0: TCP' }),
  },
});
