/**
 * Who is who among a gateway's guests: members, whose names the network's owner gave to stations,
 * and others by what they call themselves to DHCP. A member's name is nobody else's, even while the
 * member has no address yet: who says it to DHCP isn't found by it, nor told from an address by it.
 */

import type { Dhcpv4Server, Ipv4Address } from '#net';
import type { GuestNames } from './names.ts';

export interface Member {
  /** In lower case. */
  readonly name: string;
  /** As "52:54:00:00:00:01". */
  readonly mac: string;
  /** Null: the one that DHCP gave the station. */
  readonly address: Ipv4Address | null;
}

/** Those that there are now; of two of one name the first has it. */
export type Members = () => Iterable<Member>;

export class Guests implements GuestNames {
  private readonly dhcp: Dhcpv4Server;
  private readonly members: Members;

  constructor(dhcp: Dhcpv4Server, members: Members) {
    this.dhcp = dhcp;
    this.members = members;
  }

  /** In any case; null: there is none now. O(members + leases). */
  addressOf(hostName: string): Ipv4Address | null {
    const name = hostName.toLowerCase();
    const member = this.find((one) => one.name === name);
    if (member === null) return this.dhcp.addressOf(name);
    return member.address ?? this.dhcp.addressOfStation(member.mac);
  }

  addressesOf(hostName: string): readonly Ipv4Address[] {
    const address = this.addressOf(hostName);
    return address === null ? [] : [address];
  }

  /** O(members). */
  nameOf(address: Ipv4Address): string | null {
    const mac = this.dhcp.stationOf(address);
    const member = this.find((one) =>
      one.address === null ? one.mac === mac : one.address === address,
    );
    if (member !== null) return member.name;
    const said = this.dhcp.nameOf(address);
    return said === null || this.find(({ name }) => name === said) !== null ? null : said;
  }

  private find(isIt: (member: Member) => boolean): Member | null {
    for (const member of this.members()) if (isIt(member)) return member;
    return null;
  }
}
