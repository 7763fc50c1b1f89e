import { arg, defineUnikernel, net } from 'morgana/config';

const text = (doc: string, value = '') => arg.string({ default: value, doc });

export default defineUnikernel({
  name: 'router',
  main: './main.ts',
  devices: { outside: net.ethernet({ index: 0 }), inside: net.ethernet({ index: 1 }) },
  args: {
    'outside-ipv4': text('address, as 198.51.100.2/24; empty: DHCP'),
    'outside-gateway': text('the next router, with --outside-ipv4'),
    'outside-ipv6': text("address, as 2001:db8:1::2/64, 'off'; empty: router advertisements"),
    'outside-ipv6-gateway': text('the next IPv6 router, with --outside-ipv6'),
    'inside-ipv4': text('address of the inside', '192.168.7.1/24'),
    'inside-ipv6': text("address whose /64 is the inside's, as 2001:db8:7::1/64; empty: no IPv6"),
    leases: text('addresses to give by DHCP, as 192.168.7.100-192.168.7.199'),
    forwards: text('ports that stand for inside hosts, as tcp:8080=192.168.7.10:80'),
    allow: text('what may come in by IPv6, as tcp:[2001:db8:7::10]:80,ping:*'),
    'open-filtering': arg.boolean({ doc: 'anybody may send to ports that inside hosts use' }),
    'clamp-mss': arg.boolean({ doc: 'lower the segments that TCP offers to what links carry' }),
    sessions: arg.int({ default: 4_096, min: 64, max: 60_000, doc: 'of translation, of flows' }),
  },
});
