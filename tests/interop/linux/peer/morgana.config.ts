import { defineUnikernel, net } from 'morgana/config';

export default defineUnikernel({
  name: 'peer',
  main: './main.ts',
  devices: { stack: net.stack() },
});
