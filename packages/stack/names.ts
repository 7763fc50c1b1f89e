/**
 * Names for a stack: a resolver over its own UDP and TCP, and Happy Eyeballs over its own
 * connections. Read first: happy-eyeballs.ts, packages/dns/README.md.
 */

import { err, ok, type Result } from '#core';
import {
  addressFamily,
  type Connecting,
  type Endpoint,
  formatIpv6Text,
  isHostName,
  type NameError,
  parseIpv6Text,
} from '#device';
import { type DnsLimits, type Family, type ResolveError, Resolver, StackTransport } from '#dns';
import { HappyEyeballs, nameError } from './happy-eyeballs.ts';
import { NumericNames, type NumericStack, type Opened, type StackNames } from './numeric-stack.ts';

const DNS_PORT = 53;

export class Names implements StackNames {
  private readonly resolver: Resolver;
  private readonly numeric: NumericStack;
  private readonly plain: NumericNames;

  constructor(numeric: NumericStack, limits: Partial<DnsLimits> = {}) {
    const { timers, entropy } = numeric;
    this.numeric = numeric;
    this.plain = new NumericNames(numeric);
    const transport = new StackTransport({
      bind: (port, handler) => numeric.bind(port, handler),
      connect: (address, port, opened) => this.plain.connect(address, port, opened),
    });
    this.resolver = new Resolver({ transport, timers, entropy, limits });
  }

  configure(servers: readonly Endpoint[], search: readonly string[]): void {
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
 * Null when one of them isn't a numeric address. Addresses come out as stacks spell the sources of
 * answers (RFC 5952).
 */
export function parseNameServers(text: string): Endpoint[] | null {
  const servers: Endpoint[] = [];
  for (const part of text === '' ? [] : text.split(',')) {
    const found = /^(?:\[([^\]]+)\]|([^:]+)|([^[\]]*:[^[\]]*:[^[\]]*))(?::(\d{1,5}))?$/.exec(part);
    const address = found?.[1] ?? found?.[2] ?? found?.[3];
    const port = Number(found?.[4] ?? DNS_PORT);
    if (address === undefined || addressFamily(address) === null) return null;
    if (!(port >= 1 && port <= 0xffff)) return null;
    const ipv6 = parseIpv6Text(address);
    servers.push({ address: ipv6 === null ? address : formatIpv6Text(ipv6), port });
  }
  return servers;
}
