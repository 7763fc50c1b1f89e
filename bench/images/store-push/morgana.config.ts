import { defineUnikernel, disk, net, store } from 'morgana/config';

const data = disk();

export default defineUnikernel({
  name: 'store-push',
  main: './main.ts',
  devices: { stack: net.stack(), data, repo: store.on(data) },
});
