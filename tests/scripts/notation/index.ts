/** All notations. The first that recognises a packet names it, so the general ones come last. */

import { arp } from './arp.ts';
import { dhcp } from './dhcp.ts';
import { icmp } from './icmp.ts';
import { igmp } from './igmp.ts';
import type { Notation } from './notation.ts';
import { ether, ip } from './raw.ts';
import { tcp } from './tcp.ts';
import { udp } from './udp.ts';

export const notations: readonly Notation[] = [arp, icmp, igmp, tcp, dhcp, udp, ip, ether];
