import { defineUnikernel, net } from 'morgana/config';

// As gullible as many a device on the market; leave it out, and the forger gets nowhere.
const neighbors = net.versionedArp({ believesUnasked: true });

export default defineUnikernel({
  name: 'host',
  main: './main.ts',
  devices: { neighbors, stack: net.stack(net.ethernet(), { arp: neighbors }) },
});
