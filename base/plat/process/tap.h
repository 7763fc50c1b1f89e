/* Opening a tap device: for the process platform and for tools/tap_link.c. */
#ifndef TAP_H
#define TAP_H

/* What the kernel may leave to us in frames that it hands over, and do for those we hand it. */
#define TAP_CSUM_BIT 0x01u
#define TAP_TSO4_BIT 0x02u
#define TAP_TSO6_BIT 0x04u

/*
 * Attaches to the tap device `name` of this network namespace, which must exist: a name with a
 * typing error should not make a device. One read or write is one Ethernet frame, after
 * `vnet_header_bytes` of virtio-net header (0: none; 10 or 12), and neither waits. `offloads` are
 * TAP_*_BIT, with a header only. The descriptor, or -errno: ENODEV no such device, EBUSY attached
 * to already, EINVAL not a tap device.
 */
int tap_open(const char *name, int vnet_header_bytes, unsigned offloads);

#endif
