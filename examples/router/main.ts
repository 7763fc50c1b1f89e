/**
 * A router: hosts of the inside interface share the IPv4 address of the outside one, and have IPv6
 * addresses of their own behind a firewall. Boot-time arguments are named after the interfaces.
 */

import type { Start } from 'morgana';
import {
  openSide,
  parseForwards,
  parseRules,
  Router,
  routeIpv6,
  serveAddresses,
  showRouter,
} from 'morgana/router';
import type config from './morgana.config.ts';

export const start: Start<typeof config> = async ({ args, log, ...context }) => {
  const around = { timers: context.timers, entropy: context.entropy, log };
  const [forwards, rules] = [parseForwards(args.forwards), parseRules(args.allow)];
  if (!forwards.ok) throw new Error(`--forwards: ${forwards.error.message}`);
  if (!rules.ok) throw new Error(`--allow: ${rules.error.message}`);
  const isIpv6 = args['inside-ipv6'] !== '';
  const inside = openSide(
    context.inside,
    { ipv4: args['inside-ipv4'], ipv6: isIpv6 ? args['inside-ipv6'] : 'off' },
    around,
  );
  const outside = openSide(
    context.outside,
    {
      ipv4: args['outside-ipv4'],
      gateway: args['outside-gateway'],
      ipv6: isIpv6 ? args['outside-ipv6'] : 'off',
      ipv6Gateway: args['outside-ipv6-gateway'],
    },
    around,
  );
  const nat = {
    forwards: forwards.value,
    sessionsMax: args.sessions,
    filtering: args['open-filtering'] ? 'endpoint-independent' : 'address-and-port-dependent',
  } as const;
  const router = new Router({ inside, outside, ...around, nat, clampsMss: args['clamp-mss'] });
  const leases = args.leases === '' ? null : serveAddresses(inside, outside, args.leases, around);
  const firewall = { rules: rules.value, flowsMax: args.sessions };
  const router6 = isIpv6 ? routeIpv6({ inside, outside, ...around, firewall }, around) : null;
  showRouter(context.inspect, { inside, outside }, { router, router6, leases });
  outside.onNames(() => log.info(`outside ${outside.addresses().join(', ') || 'without address'}`));
  log.info(`routing ${inside.addresses().join(', ')} to ${outside.addresses().join(', ')}`);
};
