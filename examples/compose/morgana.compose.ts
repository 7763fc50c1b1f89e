/**
 * Two unikernels on one network of their own, without root and without QEMU: only the front can be
 * reached from outside, and it is started when the back is healthy.
 *
 *     cd examples/compose && npx morgana compose up
 *     curl http://localhost:8080/
 */

import { defineCompose } from 'morgana/compose';

const port = process.env.PORT ?? '8080';

export default defineCompose({
  name: 'shop',
  networks: { lab: { subnet: '10.88.0.0/24' } },
  unikernels: {
    front: {
      app: './front.ts',
      target: 'process',
      publish: [`${port}:80`],
      after: { back: 'healthy' },
      health: { http: '/ready' },
      restart: 'on-failure',
    },
    back: {
      app: './back.ts',
      target: 'node',
      address: '10.88.0.10',
      health: { http: '/ready' },
      restart: 'on-failure',
    },
  },
});
