import { arg, defineUnikernel, net } from 'morgana/config';

export default defineUnikernel({
  name: 'router',
  main: './main.ts',
  devices: { outside: net.ethernet({ index: 0 }), inside: net.ethernet({ index: 1 }) },
  args: {
    'outside-ipv4': arg.string({ default: '', doc: 'address, as 198.51.100.2/24; empty: DHCP' }),
    'outside-gateway': arg.string({ default: '', doc: 'the next router, with --outside-ipv4' }),
    'inside-ipv4': arg.string({ default: '192.168.7.1/24', doc: 'address of the inside' }),
    forwards: arg.string({ default: '', doc: 'as tcp:8080=192.168.7.10:80,udp:5000-5009=...' }),
    'open-filtering': arg.boolean({ doc: 'anybody may send to ports that inside hosts use' }),
    'clamp-mss': arg.boolean({ doc: 'lower the segments that TCP offers to what links carry' }),
    sessions: arg.int({ default: 4_096, min: 64, max: 60_000, doc: 'of address translation' }),
  },
});
