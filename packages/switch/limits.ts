/** Every bound of the switch, and what happens past it. */

import { seconds } from '#core';

/** Ports of one switch; one more is refused. */
export const PORTS_MAX = 256;
/** Addresses that a switch knows; the one not heard of for the longest leaves. */
export const ADDRESSES_MAX = 4_096;
/** Of one port, so that it can't push the others' out; its own oldest leaves. */
export const ADDRESSES_OF_PORT_MAX = 256;
/** An address that wasn't heard of for so long is flooded to again (802.1D table 7-5). */
export const AGEING = seconds(300);

export const ETHERNET_HEADER_BYTES = 14;
/** With a VLAN tag. Longer frames are dropped; the FCS isn't counted, there is none. */
export const FRAME_BYTES_MAX = ETHERNET_HEADER_BYTES + 4 + 1_500;
/**
 * What stands before a frame: its length, as on a stream. Whoever hands a frame to the switch has
 * written it, so that ports on streams pass on what came as it came.
 */
export const PREFIX_BYTES = 4;

/** Under way to one port, while delay is asked for; what doesn't fit is dropped. */
export const UNDER_WAY_BYTES_MAX = 8 * 1_048_576;
/** Waiting to leave to one port at the rate that is asked for; what doesn't fit is dropped. */
export const RATE_QUEUE_BYTES_MAX = 131_072;

/** Frames that wait for a device in the same process; what doesn't fit is dropped. */
export const DEVICE_FRAMES_MAX = 1_024;
