/** The name servers of a configuration, and what is known of each. */

import type { Endpoint } from '#device';

export class NameServer {
  readonly endpoint: Endpoint;
  /** False once it has refused EDNS0 (RFC 6891 §7); asked again after the next configuration. */
  takesEdns = true;

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint;
  }
}

export class NameServers {
  readonly list: readonly NameServer[];
  /** The one that answered last is asked first: a dead server costs a wait only once. */
  private preferred = 0;

  constructor(endpoints: readonly Endpoint[]) {
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
