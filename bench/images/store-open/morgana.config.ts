import { defineUnikernel, disk, store } from 'morgana/config';

const data = disk();

export default defineUnikernel({
  name: 'store-open',
  main: './main.ts',
  devices: { data, repo: store.on(data) },
});
