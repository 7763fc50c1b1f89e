/** All notations. The first that recognises a packet names it, so the general ones come last. */

import { arp } from './arp.ts';
import { icmp } from './icmp.ts';
import type { Notation } from './notation.ts';
import { ether, ip } from './raw.ts';
import { tcp } from './tcp.ts';
import { udp } from './udp.ts';

export const notations: readonly Notation[] = [arp, icmp, tcp, udp, ip, ether];
