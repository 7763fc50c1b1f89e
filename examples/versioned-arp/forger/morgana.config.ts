import { defineUnikernel, net } from 'morgana/config';

export default defineUnikernel({
  name: 'forger',
  main: './main.ts',
  devices: { ethernet: net.ethernet() },
});
