/**
 * Boot-time arguments that come with what is linked, as plain data: `describe` lists them without
 * linking it.
 */

import type { ArgSpecs } from './arguments.ts';

/** Of every image. */
export const LOG_ARGS: ArgSpecs = {
  log: {
    kind: 'string',
    default: 'info',
    doc: 'debug, info, warn, error or off, or by source: warn,stack:debug',
  },
};

/** Of our own TCP/IP with names (named-stack.ts). */
export const NAME_ARGS: ArgSpecs = {
  nameservers: {
    kind: 'string',
    default: '',
    doc: "servers to ask for names, as 10.0.2.3,[2001:db8::1]:5353, instead of the network's",
  },
};

/** Of a management port (management.ts). */
export const MANAGEMENT_ARGS: ArgSpecs = {
  'management-port': {
    kind: 'int',
    min: 0,
    max: 65_535,
    default: 0,
    doc: 'TCP port for metrics, snapshots, profiles and captures; 0: none',
  },
  'management-token': {
    kind: 'string',
    default: '',
    doc: 'the secret that it asks for, 16 characters or more',
  },
  syslog: {
    kind: 'string',
    default: '',
    doc: 'where the log goes besides the console, as udp://10.0.0.1:514 or tcp://10.0.0.1:514',
  },
};

/** Of our own TCP/IP (direct-stack.ts). */
export const DIRECT_STACK_ARGS: ArgSpecs = {
  ipv4: {
    kind: 'ipv4Cidrs',
    default: '',
    doc: 'fixed addresses, as 10.0.2.15/24,10.0.3.1/16, instead of DHCP',
  },
  gateway: { kind: 'ipv4', default: '', doc: 'the router, with --ipv4' },
  routes: {
    kind: 'ipv4Routes',
    default: '',
    doc: 'other routers, with --ipv4, as 172.16.0.0/12=10.0.2.3,192.0.2.0/24=link',
  },
  ipv6: {
    kind: 'string',
    default: '',
    doc: "a fixed IPv6 address, as 2001:db8::15/64, instead of router advertisements; or 'off'",
  },
  'ipv6-gateway': { kind: 'string', default: '', doc: 'the IPv6 router, with --ipv6' },
  'ipv6-secret': {
    kind: 'string',
    default: '',
    doc: 'what IPv6 addresses are made from, so that they survive reboots; 16 characters or more',
  },
  'net-memory': {
    kind: 'int',
    min: 256,
    max: 1_048_576,
    default: 2_048,
    doc: 'KiB that peers can make the network stack use',
  },
  hostname: { kind: 'string', default: '', doc: 'the name that DHCP servers are told' },
};
