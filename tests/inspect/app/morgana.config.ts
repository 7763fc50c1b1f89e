import { defineUnikernel, net } from 'morgana/config';

export default defineUnikernel({
  name: 'looked-into',
  main: './main.ts',
  devices: { stack: net.stack() },
});
