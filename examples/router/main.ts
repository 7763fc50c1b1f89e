/**
 * A NAT router: the hosts of the inside interface share the address of the outside one. Its
 * boot-time arguments are named after the interfaces.
 */

import type { Start } from 'morgana';
import { openSide, parseForwards, Router } from 'morgana/router';
import type config from './morgana.config.ts';

export const start: Start<typeof config> = async ({ inside, outside, args, ...environment }) => {
  const { timers, entropy, log } = environment;
  const forwards = parseForwards(args.forwards);
  if (!forwards.ok) throw new Error(`--forwards: ${forwards.error.message}`);
  const sides = {
    inside: openSide(inside, args['inside-ipv4'], '', environment),
    outside: openSide(outside, args['outside-ipv4'], args['outside-gateway'], environment),
  };
  new Router({
    ...{ ...sides, timers, entropy, clampsMss: args['clamp-mss'] },
    nat: {
      forwards: forwards.value,
      filtering: args['open-filtering'] ? 'endpoint-independent' : 'address-and-port-dependent',
      sessionsMax: args.sessions,
    },
  });
  const tell = (): void => log.info(`outside ${sides.outside.addresses().join(', ') || 'none'}`);
  sides.outside.onConfiguration(tell);
  tell();
  log.info(`routing for inside ${sides.inside.addresses().join(', ')}`);
};
