import { defineUnikernel, net } from 'morgana/config';

const stack = net.stack();

export default defineUnikernel({
  name: 'looked-into',
  main: './main.ts',
  devices: { stack, management: net.management(stack) },
});
