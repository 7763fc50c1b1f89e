/** Three hosts that share what they learn, and one that lies. README.md tells the story. */

import { defineCompose } from 'morgana/compose';

const port = process.env.PORT ?? '8080';
const host = (number: number, peers: string) => ({
  app: './',
  target: 'process' as const,
  address: `10.90.0.${number}`,
  mac: `02:00:00:00:00:${number}`,
  args: { 'arp-peers': peers },
  health: { tcp: 80 },
});

export default defineCompose({
  name: 'gossip',
  networks: { lab: { subnet: '10.90.0.0/24' } },
  unikernels: {
    ann: { ...host(11, '10.90.0.12,10.90.0.13'), publish: [`${port}:80`] },
    ben: host(12, '10.90.0.11,10.90.0.13'),
    cat: host(13, '10.90.0.11,10.90.0.12'),
    forger: { app: './forger', target: 'process', after: { ann: 'healthy', ben: 'healthy' } },
  },
});
