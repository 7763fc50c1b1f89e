/** The name servers of a configuration, and what is known of each. */

import type { DnsServer } from './transport.ts';

export class NameServer {
  readonly endpoint: DnsServer;
  /** False once it has refused EDNS0 (RFC 6891 §7); asked again after the next configuration. */
  takesEdns = true;

  constructor(endpoint: DnsServer) {
    this.endpoint = endpoint;
  }

  /** Over TLS only. */
  get isPrivate(): boolean {
    return this.endpoint.tlsName !== undefined;
  }
}

export class NameServers {
  readonly list: readonly NameServer[];
  /** The one that answered last is asked first: a dead server costs a wait only once. */
  private preferred = 0;

  constructor(endpoints: readonly DnsServer[]) {
    this.list = endpoints.map((endpoint) => new NameServer(endpoint));
  }

  /** All of them, in the order to be asked. */
  ordered(): NameServer[] {
    return [...this.list.slice(this.preferred), ...this.list.slice(0, this.preferred)];
  }

  answered(server: NameServer): void {
    const at = this.list.indexOf(server);
    if (at >= 0) this.preferred = at;
  }

  /** Another one is asked first from now on, if this one was. */
  failed(server: NameServer): void {
    if (this.list[this.preferred] !== server) return;
    this.preferred = (this.preferred + 1) % this.list.length;
  }
}
