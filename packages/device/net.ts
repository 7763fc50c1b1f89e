/**
 * A network interface that carries Ethernet frames (without preamble and FCS). Frames cross this
 * interface without being copied: received ones are borrowed by the handler for the length of a
 * call, sent ones are written straight into the device's memory.
 */

/** What the device can do for the sender. */
export interface NetOffload {
  /** Fills in a TCP or UDP checksum given a ChecksumRequest. */
  readonly transmitChecksum: boolean;
  /**
   * Cuts one large TCP segment into frames: the largest IPv4 packet it accepts, 0 when it can't.
   */
  readonly segmentBytesMax: number;
  /** The same for IPv6, header included; 0 where segmentBytesMax is, and when absent. */
  readonly segmentBytesMaxIpv6?: number;
}

/**
 * Asks the device for the ones' complement sum from `startAt` to the end, stored at `startAt +
 * fieldAt`.
 */
export interface ChecksumRequest {
  /**
   * Offset in the frame where summing begins: the transport header. The field holds the
   * pseudo-header's sum.
   */
  startAt: number;
  /** Offset of the checksum field from `startAt`. */
  fieldAt: number;
  /** TCP payload bytes in each frame, when the device is to cut the segment; 0: send as it is. */
  segmentBytes: number;
  /** Bytes of all headers, Ethernet's included; used when segmentBytes is not 0. */
  headerBytes: number;
}

export interface NetHandler {
  /**
   * A frame arrived; it may be longer than mtuBytes + 14 when a host has put TCP segments
   * together. `frame` is borrowed for this call only. `checksumGood`: the device or host
   * vouches for the transport checksum (it may not even be filled in), so it must not be verified.
   */
  receive(frame: Uint8Array, checksumGood: boolean): void;
  /** After `reserve` returned null: there is room again. Never within `reserve` or `commit`. */
  transmitReady(): void;
}

export interface NetDevice {
  /** Six bytes. */
  readonly mac: Uint8Array;
  /** Largest IP packet; a frame is at most this plus 14 bytes. */
  readonly mtuBytes: number;
  readonly offload: NetOffload;
  /** Sets who is told; once, before any other call. */
  attach(handler: NetHandler): void;
  /**
   * Memory for the next frame, at least 14 + mtuBytes long (contents unspecified), or null when the
   * queue is full. The same memory comes back until it is committed; after commit it is the
   * device's.
   */
  reserve(): Uint8Array | null;
  /**
   * Sends the first `headBytes` of the reserved memory followed by the bytes of `parts` (at most 16
   * of them, usually none). Parts are borrowed until the frame has left: their owner must never
   * change them. Frames leave when the event loop's turn ends at the latest.
   */
  commit(headBytes: number, parts: readonly Uint8Array[], checksum: ChecksumRequest | null): void;
  /**
   * Only within `receive`, of a frame whose checksum is vouched for: what is left to do before it
   * is whole, as `commit` would be asked for it; null when nothing is. `segmentBytes` not 0: a host
   * put segments with so much payload together; `startAt` 0: the sum is there. The record is the
   * device's. Absent: frames are always whole.
   */
  receivedRequest?(): Readonly<ChecksumRequest> | null;
  /** Counters by name, for logs and inspection. */
  counters(): Readonly<Record<string, number>>;
}
