/**
 * Names for a stack: a resolver over its own UDP and TCP, and Happy Eyeballs over its own
 * connections. Read first: happy-eyeballs.ts, packages/dns/README.md.
 */

import { err, ok, type Result } from '#core';
import {
  addressFamily,
  type Connecting,
  formatIpv6Text,
  isHostName,
  type NameError,
  parseIpv6Text,
  type Stack,
} from '#device';
import {
  type DnsLimits,
  type DnsServer,
  type DnsStack,
  type DnsTransport,
  type Family,
  type ResolveError,
  Resolver,
  StackTransport,
} from '#dns';
import { HappyEyeballs, nameError } from './happy-eyeballs.ts';
import { NumericNames, type NumericStack, type Opened, type StackNames } from './numeric-stack.ts';

const DNS_PORT = 53;
/** RFC 7858 §3.1. */
const DNS_TLS_PORT = 853;

export interface NamesOptions {
  readonly limits?: Partial<DnsLimits>;
  /** How questions travel, made from the way in the open; null: that way. */
  readonly transport?: ((plain: DnsTransport, connect: Stack['connect']) => DnsTransport) | null;
}

export class Names implements StackNames {
  private readonly resolver: Resolver;
  private readonly numeric: NumericStack;
  private readonly plain: NumericNames;

  constructor(numeric: NumericStack, { limits = {}, transport = null }: NamesOptions = {}) {
    const { timers, entropy } = numeric;
    this.numeric = numeric;
    this.plain = new NumericNames(numeric);
    const stack: DnsStack = {
      bind: (port, handler) => numeric.bind(port, handler),
      connect: (address, port, opened) => this.plain.connect(address, port, opened),
    };
    const plain = new StackTransport(stack);
    const chosen = transport === null ? plain : transport(plain, stack.connect);
    this.resolver = new Resolver({ transport: chosen, timers, entropy, limits });
  }

  configure(servers: readonly DnsServer[], search: readonly string[]): void {
    this.resolver.configure({ servers, search, ndots: 1 });
  }

  connect(text: string, port: number, opened: Opened): Connecting {
    const { numeric, plain } = this;
    if (numeric.isAddress(text)) return plain.connect(text, port, opened);
    if (!isHostName(text) || !(port >= 1 && port <= 0xffff)) {
      return plain.later(opened, err({ kind: 'bad address' }));
    }
    const network = {
      timers: numeric.timers,
      families: () => familiesOf(numeric.addresses()),
      lookUp: this.resolver.addresses.bind(this.resolver),
      order: numeric.order,
      open: numeric.open,
    };
    return new HappyEyeballs(network, text, port, opened);
  }

  async resolve(text: string): Promise<Result<readonly string[], NameError>> {
    if (this.numeric.isAddress(text)) return ok([text]);
    const families = familiesOf(this.numeric.addresses());
    const results = await Promise.all(families.map((family) => this.addresses(text, family)));
    const found = results.flatMap((result) => (result.ok ? result.value : []));
    if (found.length > 0) return ok(this.numeric.order(found));
    const [first] = results;
    if (first === undefined || first.ok) return err({ kind: 'no address' });
    return err(nameError(first.error));
  }

  counters(): Readonly<Record<string, number>> {
    return this.resolver.counters();
  }

  private addresses(
    text: string,
    family: Family,
  ): Promise<Result<readonly string[], ResolveError>> {
    return new Promise((resolve) => {
      this.resolver.addresses(text, family, resolve);
    });
  }
}

/** Families of addresses with their prefix lengths; addresses of the link alone don't count. */
function familiesOf(addresses: readonly string[]): Family[] {
  const found = addresses
    .filter((address) => !/^fe[89ab]/i.test(address))
    .map((address) => addressFamily(address.split('/')[0]!));
  return (['ipv6', 'ipv4'] as const).filter((family) => found.includes(family));
}

/**
 * Reads a list of name servers, as "10.0.2.3,[2001:db8::1]:5353"; port 53 unless it says another.
 * "tls://192.0.2.1#dns.example" is asked over TLS (port 853), where it must prove that name, or its
 * address without one. Null when one of them isn't a numeric address. Addresses come out as stacks
 * spell the sources of answers (RFC 5952).
 */
export function parseNameServers(text: string): DnsServer[] | null {
  const servers: DnsServer[] = [];
  for (const part of text === '' ? [] : text.split(',')) {
    const server = parseNameServer(part);
    if (server === null) return null;
    servers.push(server);
  }
  return servers;
}

function parseNameServer(text: string): DnsServer | null {
  const [, scheme, place = '', name] = /^(tls:\/\/)?([^#]*)(?:#(.*))?$/s.exec(text) ?? [];
  const isPrivate = scheme !== undefined;
  if (name !== undefined && !(isPrivate && isHostName(name))) return null;
  const found = /^(?:\[([^\]]+)\]|([^:]+)|([^[\]]*:[^[\]]*:[^[\]]*))(?::(\d{1,5}))?$/.exec(place);
  const written = found?.[1] ?? found?.[2] ?? found?.[3];
  const port = Number(found?.[4] ?? (isPrivate ? DNS_TLS_PORT : DNS_PORT));
  if (written === undefined || addressFamily(written) === null) return null;
  if (!(port >= 1 && port <= 0xffff)) return null;
  const ipv6 = parseIpv6Text(written);
  const address = ipv6 === null ? written : formatIpv6Text(ipv6);
  return isPrivate ? { address, port, tlsName: name ?? null } : { address, port };
}
