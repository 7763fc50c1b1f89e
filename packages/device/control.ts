/**
 * The control channel: a stream of bytes between a unikernel and its supervisor (`morgana run`, or
 * any process that has the other end), apart from the program's network. What travels on it is
 * many clients' bytes, in the frames of control-framing.ts; what those say is packages/inspect's.
 *
 * The other end may go and another may come (a virtual machine's socket is connected to again):
 * then nothing of the old stream counts any more, and `reopened` says so. Where the medium knows
 * no second connection (a Linux process, a Node process) the channel stays closed.
 */

/** More than this is never queued: a machine may have 3 MiB. */
export const CONTROL_QUEUE_BYTES_MAX = 262_144;
/** `drained` is called when the queue fell under this, having been at it or above. */
export const CONTROL_QUEUE_BYTES_LOW = 65_536;

export interface ControlHandler {
  /** Bytes of the stream, borrowed for the call. */
  data(bytes: Uint8Array): void;
  /** The queue fell under CONTROL_QUEUE_BYTES_LOW. */
  drained(): void;
  /**
   * Another end is there, and what was queued for the old one is gone. The next bytes may still be
   * some of the old stream: ControlReader.restart finds the new one.
   */
  reopened?(): void;
}

export interface ControlChannel {
  /** Once, before anything is written. Nothing is read before. */
  attach(handler: ControlHandler): void;
  /**
   * Queues `bytes`, whole frames, and takes them over: the caller never writes to them again. False,
   * and none of them is sent, when the queue would hold more than CONTROL_QUEUE_BYTES_MAX. With
   * nobody at the other end they are lost, and the result is true.
   */
  write(bytes: Uint8Array): boolean;
  /** Written and not yet given to the other end. */
  readonly queuedBytes: number;
  /** By name, for a snapshot: bytes each way, what was lost and why. */
  counters(): Readonly<Record<string, number>>;
}
