/** A host that shows what it knows of its neighbours by Git, and pulls from its peers. */

import type { Start } from 'morgana';
import { gitRemote, neighborsHandler } from 'morgana/arp';
import { serveHttp } from 'morgana/http';
import type config from './morgana.config.ts';

export const start: Start<typeof config> = async ({ stack, neighbors, ...environment }) => {
  const { log } = environment;
  await serveHttp(stack, 80, neighborsHandler(neighbors, '/arp', log), environment);
  const remotes = (neighbors.peers ?? []).map((peer) => gitRemote(`http://${peer}/arp`));
  for (;;) {
    for (const remote of remotes) await neighbors.pull(remote);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
};
