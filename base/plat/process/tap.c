/* See tap.h. Specification: Linux's Documentation/networking/tuntap.rst. */
#include "tap.h"
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* From linux/if_tun.h, which musl's headers do not have; the kernel never changes them. */
#define TUNSETIFF _IOW('T', 202, int)
#define TUNSETOFFLOAD _IOW('T', 208, unsigned)
#define TUNSETVNETHDRSZ _IOW('T', 216, int)
#define IFF_TAP_BIT 0x0002
#define IFF_NO_PI_BIT 0x1000
#define IFF_VNET_HDR_BIT 0x4000

static int has_interface(struct ifreq *request) {
    int socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket_fd < 0) return -errno;
    int result = ioctl(socket_fd, SIOCGIFINDEX, request) < 0 ? -errno : 0;
    close(socket_fd);
    return result;
}

int tap_open(const char *name, int vnet_header_bytes, unsigned offloads) {
    struct ifreq request;
    memset(&request, 0, sizeof(request));
    size_t name_bytes = strlen(name);
    if (name_bytes == 0 || name_bytes >= sizeof(request.ifr_name)) return -ENODEV;
    memcpy(request.ifr_name, name, name_bytes);
    int missing = has_interface(&request);
    if (missing < 0) return missing;
    int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tap < 0) return -errno;
    int flags = IFF_TAP_BIT | IFF_NO_PI_BIT | (vnet_header_bytes > 0 ? IFF_VNET_HDR_BIT : 0);
    request.ifr_flags = (short)flags;
    int failed = ioctl(tap, TUNSETIFF, &request) < 0;
    if (!failed && vnet_header_bytes > 0) {
        failed = ioctl(tap, TUNSETVNETHDRSZ, &vnet_header_bytes) < 0;
    }
    /* Set without a header too: a device that lasts keeps what its last user asked for. */
    if (!failed) failed = ioctl(tap, TUNSETOFFLOAD, (unsigned long)offloads) < 0;
    if (!failed) return tap;
    int error = errno;
    close(tap);
    return -error;
}
