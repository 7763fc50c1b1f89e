/** All notations. The first that recognises a packet names it, so the general ones come last. */

import { arp } from './arp.ts';
import { dhcp } from './dhcp.ts';
import { icmp } from './icmp.ts';
import { icmp6 } from './icmp6.ts';
import { igmp } from './igmp.ts';
import { mld } from './mld.ts';
import { ndp } from './ndp.ts';
import type { Notation } from './notation.ts';
import { ether, ip, ip6 } from './raw.ts';
import { tcp } from './tcp.ts';
import { udp } from './udp.ts';

export const notations: readonly Notation[] = [
  arp,
  icmp,
  igmp,
  ndp,
  mld,
  icmp6,
  tcp,
  dhcp,
  udp,
  ip6,
  ip,
  ether,
];
