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
    doc: "servers to ask for names instead of the network's, as 10.0.2.3,[2001:db8::1]:5353",
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
    doc: 'where the log goes besides the console, as udp://10.0.0.1:514, tcp:// or tls://NAME',
  },
};

/** Of a program that has TLS for its clients (tls/server-connector.ts). */
export const TLS_SERVER_ARGS: ArgSpecs = {
  'tls-certificate': {
    kind: 'string',
    default: '',
    doc: 'certificates, each leaf before its issuers: base64 of DER, with commas; or PEM, or a path',
  },
  'tls-key': {
    kind: 'string',
    default: '',
    doc: 'their private keys, likewise',
  },
  'tls-disk': {
    kind: 'string',
    default: 'tls',
    doc: 'the block device that has both, as PEM or as a tar of PEM files, where there is one',
  },
  'tls-client-auth': {
    kind: 'string',
    default: 'none',
    doc: 'whether clients show a certificate: none, optional or required',
  },
  'tls-client-ca': {
    kind: 'string',
    default: '',
    doc: 'whom their certificates must come from, as --tls-certificate',
  },
};

/** Of a program that may get its certificate by ACME (tls/acme-connector.ts). */
export const ACME_ARGS: ArgSpecs = {
  acme: {
    kind: 'string',
    default: '',
    doc: "the URL of an ACME directory: certificates come from there; '': they are given",
  },
  'acme-names': {
    kind: 'string',
    default: '',
    doc: 'what the certificate is for, with --acme: host names and addresses, with commas',
  },
  'acme-agree-terms': {
    kind: 'boolean',
    default: false,
    doc: "you agree to the authority's terms of service, where it has some",
  },
  'acme-email': {
    kind: 'string',
    default: '',
    doc: 'where the authority may write to',
  },
  'acme-challenge': {
    kind: 'string',
    default: 'http-01',
    doc: 'how the names are proved: http-01 (on --http-port) or tls-alpn-01 (on --port)',
  },
  'acme-disk': {
    kind: 'string',
    default: 'acme',
    doc: 'the block device that keeps account and certificate, where there is one',
  },
  'acme-eab-kid': {
    kind: 'string',
    default: '',
    doc: 'the name of your account with the authority, where it wants one',
  },
  'acme-eab-key': { kind: 'string', default: '', doc: 'and its key, base64url' },
};

/** Of a program that asks others over TLS (tls/secure.ts). */
export const TLS_CLIENT_ARGS: ArgSpecs = {
  ca: {
    kind: 'string',
    default: '',
    doc: 'further CAs to trust: base64 of DER, with commas; or PEM, or a path',
  },
};

/** Of a website or a handler over HTTPS (tls/https.ts). */
export const HTTPS_ARGS: ArgSpecs = {
  'http-port': {
    kind: 'int',
    min: 0,
    max: 65_535,
    default: 80,
    doc: 'TCP port of plain HTTP, which redirects to HTTPS; 0: none',
  },
  'public-port': {
    kind: 'int',
    min: 0,
    max: 65_535,
    default: 0,
    doc: 'the port of HTTPS as clients see it, where that is another; 0: it is the same',
  },
  hsts: {
    kind: 'int',
    min: 0,
    max: 315_360_000,
    default: 0,
    doc: 'seconds for which browsers must use HTTPS only (RFC 6797); 0: nothing is said',
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

/** Of an ARP cache with a history (arp/connector.ts). */
export const VERSIONED_ARP_ARGS: ArgSpecs = {
  arp: {
    kind: 'neighbors',
    default: '',
    doc: 'static ARP entries beside those of the image, as 10.0.2.3=52:54:00:00:00:03',
  },
  'arp-peers': {
    kind: 'string',
    default: '',
    doc: 'hosts whose ARP tables are believed, beside those of the image, as 10.0.2.3,10.0.2.4:8080',
  },
};
