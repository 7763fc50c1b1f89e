/** Guests' connections to the world: a SYN is answered when the host has reached its target. */

import type { ConnectError, Stack } from '#device';
import type { ForeignTcpHandler, HeldSyn } from '#net';
import type { Destinations } from './destinations.ts';
import type { Relays } from './relay.ts';

export class TcpNat implements ForeignTcpHandler {
  readonly counters = {
    tcpNatOpened: 0,
    tcpNatProhibited: 0,
    tcpNatRefused: 0,
    tcpNatUnreachable: 0,
    tcpNatTimeouts: 0,
    tcpNatHostFull: 0,
    /** No place for another relay, of all or of the guest's. */
    tcpNatFull: 0,
    /** The guest was gone when the host had connected. */
    tcpNatLate: 0,
  };
  private readonly host: Stack;
  private readonly destinations: Destinations;
  private readonly relays: Relays;

  constructor(host: Stack, destinations: Destinations, relays: Relays) {
    this.host = host;
    this.destinations = destinations;
    this.relays = relays;
  }

  opening(syn: HeldSyn): void {
    const to = this.destinations.onHost(syn.destination);
    if (to === null) {
      this.counters.tcpNatProhibited += 1;
      syn.fail('prohibited');
      return;
    }
    const { peer } = syn;
    if (!this.relays.take(peer)) {
      this.counters.tcpNatFull += 1;
      syn.drop();
      return;
    }
    const connecting = this.host.connect(to, syn.port, (result) => {
      syn.cancelled = () => {};
      if (!result.ok) {
        this.relays.free(peer);
        this.fail(syn, result.error.kind);
        return;
      }
      const relay = this.relays.start(result.value, peer);
      relay.lost = () => syn.refuse();
      syn.accept((opened) => {
        relay.lost = () => {};
        if (!opened.ok) {
          this.counters.tcpNatLate += 1;
          relay.abort();
          return;
        }
        this.counters.tcpNatOpened += 1;
        relay.join(opened.value);
      });
    });
    syn.cancelled = () => {
      this.relays.free(peer);
      connecting.cancel();
    };
  }

  private fail(syn: HeldSyn, kind: ConnectError['kind']): void {
    switch (kind) {
      case 'refused':
        this.counters.tcpNatRefused += 1;
        syn.refuse();
        return;
      case 'timeout':
        // As silent as the destination.
        this.counters.tcpNatTimeouts += 1;
        syn.drop();
        return;
      case 'no port':
        this.counters.tcpNatHostFull += 1;
        syn.drop();
        return;
      default:
        this.counters.tcpNatUnreachable += 1;
        syn.fail('host');
    }
  }
}
