/**
 * What a protocol's notation is: how packets of it are written in a script, and read off the wire.
 * A new protocol is one file with one `Notation`, and one line in index.ts. Not here: what carries
 * it (envelope.ts).
 */

import type { Scene } from '../scene.ts';
import type { Fields, Words } from '../words.ts';
import type { Packet, Way } from './envelope.ts';

/** Into our stack, or out of it. */
export type Direction = 'in' | 'out';

export interface Notation {
  /** The word that a packet of it begins with in a script. */
  readonly name: string;
  /** The IP protocol, or else the EtherType. */
  readonly carrier: { readonly protocol: number } | { readonly etherType: number };
  /** The one that carries it, when it isn't both. */
  readonly family?: 4 | 6;
  /** Where the transport checksum is, for `[badsum]`. */
  readonly checksumAt?: number;
  /**
   * Reads what follows the name. A field that isn't written is left out: then a packet that is
   * expected may have any value there, and `write` chooses.
   */
  read(words: Words, scene: Scene, direction: Direction): Fields;
  /**
   * Parts of the envelope that go without saying in such a packet (a group's address, say), unless
   * the script says otherwise.
   */
  envelope?(fields: Fields, direction: Direction, scene: Scene): Fields;
  /** The bytes after the IP header, or after Ethernet's. Variables have been replaced. */
  write(fields: Fields, way: Way, scene: Scene): Uint8Array;
  /**
   * The fields of a packet that our stack sent, or null when it isn't of this protocol. A field
   * `corrupt` says what no script expects.
   */
  recognise(packet: Packet, scene: Scene): Fields | null;
  /** As a script would have it, without the name. */
  show(fields: Fields, scene: Scene): string;
}
