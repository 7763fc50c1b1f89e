/* The first process of the rival Linux VM: loads the network driver's modules, configures eth0 by
 * DHCP and becomes the web server. As small and as quick as we can make it, so that the rival's
 * boot time is the kernel's and the server's, not a distribution's. The kernel command line gives
 * everything: `-- MODULE.ko ... [disk] exec SERVER ARGUMENT ...`; `disk` makes /dev/vda the root.
 * Read first: RFC 2131 §3.1, §4.4.1.
 * Not here: lease renewal (a bench machine lives for less than a lease). */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

enum { DISCOVER = 1, OFFER = 2, REQUEST = 3, ACK = 5 };

struct dhcp {
    uint8_t op, htype, hlen, hops;
    uint32_t xid;
    uint16_t secs, flags;
    uint32_t ciaddr, yiaddr, siaddr, giaddr;
    uint8_t chaddr[16], sname[64], file[128];
    uint32_t cookie;
    uint8_t options[312];
};

static void die(const char *what) {
    perror(what);
    _exit(1);
}

static void load(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) != 0) die(path);
    close(fd);
}

/* The value of option `code`, of at least 4 bytes, or 0 where the message lacks it. */
static uint32_t option(const struct dhcp *m, uint8_t code, uint32_t bytes) {
    const uint8_t *p = m->options, *end = m->options + sizeof m->options;
    uint32_t value = 0;
    while (end - p >= 2 && *p != 255) {
        if (*p == 0) { p++; continue; }
        if (end - p < 2 + p[1]) break;
        if (*p == code && p[1] >= bytes) { memcpy(&value, p + 2, bytes); break; }
        p += 2 + p[1];
    }
    return value;
}

static void send_dhcp(int fd, const uint8_t *mac, uint8_t type, uint32_t address, uint32_t server) {
    struct dhcp m = {.op = 1, .htype = 1, .hlen = 6, .xid = 0x6d6f7267, .flags = htons(0x8000),
                     .cookie = htonl(0x63825363)};
    memcpy(m.chaddr, mac, 6);
    uint8_t *p = m.options;
    *p++ = 53; *p++ = 1; *p++ = type;
    if (type == REQUEST) {
        *p++ = 50; *p++ = 4; memcpy(p, &address, 4); p += 4;
        *p++ = 54; *p++ = 4; memcpy(p, &server, 4); p += 4;
    }
    *p++ = 55; *p++ = 2; *p++ = 1; *p++ = 3;
    *p = 255;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(67),
                             .sin_addr.s_addr = INADDR_BROADCAST};
    if (sendto(fd, &m, sizeof m, 0, (struct sockaddr *)&to, sizeof to) < 0) die("dhcp send");
}

/* Waits up to the socket's receive timeout for a message of this type; 1 when one arrived. */
static int receive(int fd, uint8_t type, struct dhcp *m) {
    for (;;) {
        memset(m, 0, sizeof *m);
        if (recv(fd, m, sizeof *m, 0) < 0) return 0;
        if (m->xid == 0x6d6f7267 && option(m, 53, 1) == type) return 1;
    }
}

static void set_address(int fd, struct ifreq *ifr, unsigned long request, uint32_t value) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = value};
    memcpy(&ifr->ifr_addr, &a, sizeof a);
    if (ioctl(fd, request, ifr) != 0) die("address");
}

static void configure(int fd, const uint8_t *mac) {
    struct dhcp m;
    struct ifreq ifr = {.ifr_name = "eth0"};
    for (int tries = 0;; tries++) {
        if (tries == 50) die("dhcp gave no lease");
        send_dhcp(fd, mac, DISCOVER, 0, 0);
        if (!receive(fd, OFFER, &m)) continue;
        send_dhcp(fd, mac, REQUEST, m.yiaddr, option(&m, 54, 4));
        if (receive(fd, ACK, &m)) break;
    }
    set_address(fd, &ifr, SIOCSIFADDR, m.yiaddr);
    set_address(fd, &ifr, SIOCSIFNETMASK, option(&m, 1, 4));
    uint32_t router = option(&m, 3, 4);
    if (router == 0) return;
    struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY};
    struct sockaddr_in any = {.sin_family = AF_INET};
    struct sockaddr_in gateway = {.sin_family = AF_INET, .sin_addr.s_addr = router};
    memcpy(&route.rt_dst, &any, sizeof any);
    memcpy(&route.rt_genmask, &any, sizeof any);
    memcpy(&route.rt_gateway, &gateway, sizeof gateway);
    if (ioctl(fd, SIOCADDRT, &route) != 0) die("route");
}

static void enter_disk(void) {
    if (mount("devtmpfs", "/dev", "devtmpfs", 0, 0) != 0) die("/dev");
    if (mount("/dev/vda", "/root", "ext4", MS_RDONLY, 0) != 0) die("/dev/vda");
    if (mount("/dev", "/root/dev", 0, MS_MOVE, 0) != 0) die("/root/dev");
    if (chroot("/root") != 0 || chdir("/") != 0) die("/root");
}

int main(int argc, char **argv) {
    int i = 1, on_disk = 0;
    for (; i < argc && strcmp(argv[i], "exec") != 0; i++) {
        if (strcmp(argv[i], "disk") == 0) on_disk = 1;
        else load(argv[i]);
    }
    if (i + 1 >= argc) die("usage: MODULE.ko ... exec SERVER");
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1;
    struct ifreq ifr = {.ifr_name = "eth0"};
    uint8_t mac[6];
    if (ioctl(fd, SIOCGIFHWADDR, &ifr) != 0) die("eth0");
    memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
    ifr.ifr_flags = IFF_UP;
    if (ioctl(fd, SIOCSIFFLAGS, &ifr) != 0) die("eth0 up");
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(68)};
    struct timeval patience = {.tv_usec = 200000};
    setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "eth0", 5) != 0) die("bind to eth0");
    if (bind(fd, (struct sockaddr *)&from, sizeof from) != 0) die("bind");
    if (fork() == 0) {
        configure(fd, mac);
        _exit(0); /* The lease outlives the bench: nobody renews it. */
    }
    if (on_disk) enter_disk();
    execv(argv[i + 1], argv + i + 1);
    die(argv[i + 1]);
}
