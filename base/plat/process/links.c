/*
 * Links: Ethernet over a tap device (one read or write is a frame behind a virtio-net header) or
 * over a UNIX stream socket; and the control channel, a UNIX stream socket too. Opened before the sandbox; from then on only bytes pass here, and what
 * they mean is TypeScript's business (targets/process/).
 */
#include "process.h"
#include "engine.h"
#include "tap.h"
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_MTU_BYTES 1500u
#define SOCKET_BUFFER_BYTES (1024 * 1024)
/* What linkReceive and linkSend return in place of a count. */
#define LINK_LATER (-1)
#define LINK_GONE (-2)
#define LINK_LOST (-3)

struct link links[LINKS_MAX];
uint32_t link_count;

static const char *path_of(const struct link *link) { return strchr(link->name, ':') + 1; }
static bool is_kind(const struct link *link, const char *kind) {
    return strncmp(link->name, kind, strlen(kind)) == 0;
}

static void read_mac(struct link *link, const char *text) {
    unsigned m[6];
    char more;
    int n = sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5], &more);
    if (n != 6 || m[0] & 1) {
        fail(EXIT_USAGE, text, "not the address of a station", "give it mac=02:00:00:00:00:01");
    }
    for (int i = 0; i < 6; i++) link->mac[i] = (uint8_t)m[i];
    link->has_mac = true;
}

void links_add(char *spec, bool is_control) {
    uint32_t same = 0;
    for (uint32_t i = 0; i < link_count; i++) same += links[i].is_control == is_control;
    if (is_control && same == 1) fail(EXIT_USAGE, spec, "a second control channel", "give it one");
    if (same == LINKS_MAX - 1) fail(EXIT_USAGE, spec, "too many links", "give it 8 at most");
    struct link *link = &links[link_count++];
    *link = (struct link){.name = spec, .fd = -1, .listener = -1, .is_control = is_control};
    if (is_control && (!is_kind(link, "unix:") || !*path_of(link))) {
        fail(EXIT_USAGE, spec, "not a control channel", "give it unix:PATH");
    }
    char *mac = strstr(spec, ",mac=");
    if (mac != NULL) {
        *mac = 0;
        read_mac(link, mac + strlen(",mac="));
    }
    link->is_tap = is_kind(link, "tap:");
    bool known = link->is_tap || is_kind(link, "unix:") || is_kind(link, "unix-listen:");
    if (!known || !*path_of(link)) {
        fail(EXIT_USAGE, spec, "not a link", "give it tap:NAME, unix:PATH or unix-listen:PATH");
    }
}

static _Noreturn void cannot(const struct link *link, int error, const char *mend) {
    fail(EXIT_UNAVAILABLE, link->name, strerror(error), mend);
}

/* The largest packet, and an address of ours that stays the same for as long as the device does. */
static void ask_tap(struct link *link) {
    struct ifreq request = {0};
    strncpy(request.ifr_name, path_of(link), sizeof(request.ifr_name) - 1);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || ioctl(fd, SIOCGIFMTU, &request) < 0) cannot(link, errno, "is it still there?");
    link->mtu_bytes = (uint32_t)request.ifr_mtu;
    if (ioctl(fd, SIOCGIFHWADDR, &request) < 0) cannot(link, errno, "is it still there?");
    close(fd);
    if (link->has_mac) return;
    memcpy(link->mac, request.ifr_hwaddr.sa_data, sizeof(link->mac));
    link->mac[0] = (uint8_t)((link->mac[0] | 2) & ~1);
    link->mac[5] ^= 0x80;
}

static void open_tap(struct link *link) {
    link->fd = tap_open(path_of(link), VNET_HEADER_BYTES, TAP_CSUM_BIT | TAP_TSO4_BIT | TAP_TSO6_BIT);
    const char *mend = "see --help";
    switch (-link->fd) {
    case ENODEV: mend = "make it: ip tuntap add dev NAME mode tap; ip link set NAME up"; break;
    case EBUSY: mend = "end the process that uses it"; break;
    case EPERM: case EACCES: mend = "be root, or make it with: ip tuntap add ... user YOU"; break;
    case EINVAL: mend = "name a tap device"; break;
    case ENOENT: mend = "this system has no /dev/net/tun: modprobe tun"; break;
    }
    if (link->fd < 0) cannot(link, -link->fd, mend);
    ask_tap(link);
}

static struct sockaddr_un address_of(const struct link *link) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path_of(link)) >= sizeof(address.sun_path)) {
        fail(EXIT_USAGE, link->name, "the path is too long", "107 bytes are the most");
    }
    strcpy(address.sun_path, path_of(link));
    return address;
}

static int new_socket(struct link *link) {
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0) cannot(link, errno, "see --help");
    return fd;
}

/* Whether any socket of this network namespace is bound to `path`. */
static bool is_bound(const char *path) {
    char line[512];
    bool found = false;
    FILE *sockets = fopen("/proc/net/unix", "r");
    while (sockets != NULL && !found && fgets(line, sizeof(line), sockets) != NULL) {
        line[strcspn(line, "\n")] = 0;
        const char *place = strstr(line, path); /* It may have spaces in it. */
        while (place != NULL && strcmp(place, path) != 0) place = strstr(place + 1, path);
        found = place != NULL && place > line && place[-1] == ' ';
    }
    if (sockets != NULL) fclose(sockets);
    return found;
}

/* What an earlier process left behind goes; a socket in use, or a file, stays. */
static void listen_at(struct link *link) {
    struct sockaddr_un address = address_of(link);
    const struct sockaddr *name = (const struct sockaddr *)&address;
    struct stat old;
    bool is_socket = lstat(address.sun_path, &old) == 0 && S_ISSOCK(old.st_mode);
    if (is_socket && !is_bound(address.sun_path)) unlink(address.sun_path);
    link->listener = new_socket(link);
    if (bind(link->listener, name, sizeof(address)) < 0 || listen(link->listener, 1) < 0) {
        cannot(link, errno, "name a path that is free, in a directory that exists");
    }
}

static void connect_to(struct link *link) {
    struct sockaddr_un address = address_of(link);
    link->fd = new_socket(link);
    if (connect(link->fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        cannot(link, errno, "start the peer that listens there first");
    }
}

static void meet_peer(struct link *link) {
    link->fd = accept(link->listener, NULL, NULL);
    if (link->fd < 0) cannot(link, errno, "start it again");
    close(link->listener);
    unlink(path_of(link));
}

static void prepare_socket(struct link *link) {
    int bytes = SOCKET_BUFFER_BYTES;
    setsockopt(link->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    if (fcntl(link->fd, F_SETFL, O_NONBLOCK) < 0) cannot(link, errno, "start it again");
    link->mtu_bytes = SOCKET_MTU_BYTES;
    if (link->has_mac) return;
    random_bytes(link->mac, sizeof(link->mac));
    link->mac[0] = (uint8_t)((link->mac[0] | 2) & ~1);
}

/* Listens everywhere before it waits anywhere: a process may be its own peer. */
void links_open(void) {
    for (uint32_t i = 0; i < link_count; i++) {
        if (is_kind(&links[i], "unix-listen:")) listen_at(&links[i]);
    }
    for (uint32_t i = 0; i < link_count; i++) {
        if (links[i].is_tap) open_tap(&links[i]);
        else if (links[i].listener < 0) connect_to(&links[i]);
    }
    for (uint32_t i = 0; i < link_count; i++) {
        if (links[i].listener >= 0) meet_peer(&links[i]);
        if (!links[i].is_tap) prepare_socket(&links[i]);
        waits[i] = (struct pollfd){.fd = links[i].fd, .events = POLLIN};
    }
}

static struct link *link_of(JSValueConst value) {
    uint64_t index;
    return natural_of(value, &index) && index < link_count ? &links[index] : NULL;
}

static bool part_of(JSValueConst array, JSValueConst at, JSValueConst count, struct iovec *out) {
    struct view view;
    uint64_t from, bytes;
    if (!bytes_of(array, &view) || !natural_of(at, &from) || !natural_of(count, &bytes)) return false;
    *out = (struct iovec){.iov_base = view.bytes + from, .iov_len = bytes};
    return from <= view.count && bytes <= view.count - from;
}

/* linkReceive(link, into, at, bytes): one read. */
static JSValue link_receive_js(ARGUMENTS) {
    const struct link *link = link_of(argv[0]);
    struct iovec into;
    if (link == NULL || !part_of(argv[1], argv[2], argv[3], &into) || into.iov_len > LINK_BYTES_MAX
        || into.iov_len == 0) {
        return THROW_RANGE("link or range of bytes");
    }
    ssize_t got = read(link->fd, into.iov_base, into.iov_len);
    if (got > 0) return VALUE(got);
    return VALUE(got < 0 && (errno == EAGAIN || errno == EINTR) ? LINK_LATER : LINK_GONE);
}

/* The parts of a frame behind its head; -1 when they are not an array of few Uint8Arrays. */
static int read_parts(JSContext *ctx, JSValueConst parts, struct iovec *out) {
    uint32_t count;
    JSValue length = JS_GetPropertyStr(ctx, parts, "length");
    if (JS_ToUint32(ctx, &count, length) != 0 || count > PARTS_MAX) return -1;
    for (uint32_t i = 0; i < count; i++) {
        struct view view;
        JSValue part = JS_GetPropertyUint32(ctx, parts, i);
        bool good = bytes_of(part, &view);
        JS_FreeValue(ctx, part); /* The array holds it. */
        if (!good) return -1;
        out[i] = (struct iovec){.iov_base = view.bytes, .iov_len = view.count};
    }
    return (int)count;
}

/* linkSend(link, bytes, at, count, parts or null): one write. */
static JSValue link_send_js(ARGUMENTS) {
    const struct link *link = link_of(argv[0]);
    struct iovec pieces[1 + PARTS_MAX];
    if (link == NULL || !part_of(argv[1], argv[2], argv[3], pieces)) {
        return THROW_RANGE("link or range of bytes");
    }
    int parts = JS_IsNull(argv[4]) ? 0 : read_parts(ctx, argv[4], pieces + 1);
    if (parts < 0) return THROW_RANGE("parts of a frame");
    ssize_t sent = writev(link->fd, pieces, 1 + parts);
    if (sent >= 0) return VALUE(sent);
    if (errno == EAGAIN || errno == EINTR) return VALUE(LINK_LATER);
    /* A tap that is down, or a kernel short of memory: frames are lost, as on a wire. */
    bool gone = !link->is_tap || errno == EBADFD;
    return VALUE(gone ? LINK_GONE : LINK_LOST);
}

/* linkWaitsFor(link, 0, 1 or 2): what of it ends the idle wait: nothing, bytes, bytes or room. */
static JSValue link_waits_js(ARGUMENTS) {
    const struct link *link = link_of(argv[0]);
    uint64_t what;
    if (link == NULL || !natural_of(argv[1], &what) || what > 2) return THROW_RANGE("link or wait");
    waits[link - links] = (struct pollfd){
        .fd = what == 0 ? -1 : link->fd,
        .events = what == 2 ? POLLIN | POLLOUT : POLLIN,
    };
    return JS_UNDEFINED;
}

static JSValue describe_link(JSContext *ctx, struct link *link) {
    JSValue object = JS_NewObject(ctx);
    JS_SetPropertyStr(ctx, object, "name", JS_NewString(ctx, link->name));
    JS_SetPropertyStr(ctx, object, "isTap", JS_NewBool(ctx, link->is_tap));
    JS_SetPropertyStr(ctx, object, "isControl", JS_NewBool(ctx, link->is_control));
    JS_SetPropertyStr(ctx, object, "mtuBytes", JS_NewUint32(ctx, link->mtu_bytes));
    JS_SetPropertyStr(ctx, object, "mac", engine_new_bytes(ctx, link->mac, sizeof(link->mac), false));
    return object;
}

static const JSCFunctionListEntry functions[] = {
    METHOD("linkReceive", 4, link_receive_js), METHOD("linkSend", 5, link_send_js),
    METHOD("linkWaitsFor", 2, link_waits_js),
};

void links_install(JSContext *ctx, JSValueConst base) {
    JSValue array = JS_NewArray(ctx), arguments = JS_NewArray(ctx);
    for (uint32_t i = 0; i < link_count; i++) {
        JS_SetPropertyUint32(ctx, array, i, describe_link(ctx, &links[i]));
    }
    for (uint32_t i = 0; boot_arguments[i] != NULL; i++) {
        JS_SetPropertyUint32(ctx, arguments, i, JS_NewString(ctx, boot_arguments[i]));
    }
    JS_SetPropertyStr(ctx, base, "links", array);
    JS_SetPropertyStr(ctx, base, "bootArguments", arguments);
    JS_SetPropertyFunctionList(ctx, base, functions, COUNT_OF(functions));
}
