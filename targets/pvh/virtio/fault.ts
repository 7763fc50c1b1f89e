/**
 * What a virtio device can do wrong: a closed list. A fault stops the device (status FAILED) and is
 * reported in one sentence; it is never thrown, since the device is on the other side of a
 * boundary.
 */

export type VirtioFault =
  /** A virtio-mmio device of version 1, the interface from before the standard. */
  | { readonly kind: 'legacy' }
  /** A register or capability that makes no sense: `what` names it. */
  | { readonly kind: 'malformed'; readonly what: string; readonly value: number }
  /** The device didn't answer within `waitedMicros`; `what` names what was asked. */
  | { readonly kind: 'silent'; readonly what: string; readonly waitedMicros: number }
  /** It lacks VIRTIO_F_VERSION_1 or refused our choice of features. */
  | { readonly kind: 'features'; readonly offeredLow: number; readonly offeredHigh: number }
  /** It set DEVICE_NEEDS_RESET. */
  | { readonly kind: 'needs reset' }
  /** Its used index ran ahead of what we posted. */
  | { readonly kind: 'used overrun'; readonly queue: number; readonly count: number }
  /** It returned a descriptor chain that it doesn't hold. */
  | { readonly kind: 'used id'; readonly queue: number; readonly id: number }
  /** It says that it wrote more bytes than the chain has room for, or fewer than the header. */
  | { readonly kind: 'used length'; readonly queue: number; readonly bytes: number }
  /** It ended a request with a status that the standard doesn't have. */
  | { readonly kind: 'status'; readonly value: number };

/** The fault as the second half of a sentence that begins with the device's name. */
export function formatVirtioFault(fault: VirtioFault): string {
  switch (fault.kind) {
    case 'legacy':
      return (
        'is a legacy virtio device (version 1): add ' +
        '"-global virtio-mmio.force-legacy=false" to the QEMU command line'
      );
    case 'malformed':
      return `has a malformed ${fault.what} (${fault.value})`;
    case 'silent':
      return `didn't answer for ${fault.waitedMicros} microseconds: ${fault.what}`;
    case 'features':
      return (
        'refused the features of virtio 1 that we need (offered ' +
        `0x${fault.offeredHigh.toString(16)}:0x${fault.offeredLow.toString(16)})`
      );
    case 'needs reset':
      return 'reported an internal error (DEVICE_NEEDS_RESET)';
    case 'used overrun':
      return `completed ${fault.count} buffers of queue ${fault.queue}, more than it was given`;
    case 'used id':
      return `completed buffer ${fault.id} of queue ${fault.queue}, which it doesn't hold`;
    case 'used length':
      return `completed a buffer of queue ${fault.queue} with an impossible length (${fault.bytes})`;
    case 'status':
      return `ended a request with a status that there isn't (${fault.value})`;
  }
}
