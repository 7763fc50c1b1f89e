/*
 * `tap-link TAP=PLACE...` carries Ethernet frames between tap devices and stream sockets, for
 * programs that cannot make the tap's system calls (Node, tests). A PLACE is `fd:N`, a descriptor
 * inherited from the parent, `unix:PATH`, a socket to connect to, or `unix-listen:PATH`, one to
 * wait at. On the socket a frame is its length, 4 bytes big-endian, and its bytes: QEMU's `-netdev
 * stream`. For a slow peer frames wait in the tap's own queue, which drops what is too much, as a
 * network card does. Exit status: 0 a peer left, 1 wrong arguments, 2 anything else.
 */
#include "tap.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LINKS_MAX 16
#define LENGTH_BYTES 4u
#define ETHERNET_HEADER_BYTES 14u
#define FRAME_BYTES_MAX (ETHERNET_HEADER_BYTES + 65535u)
#define BUFFER_BYTES (4u * (LENGTH_BYTES + FRAME_BYTES_MAX))

struct buffer {
    size_t from, end; /* What waits to be written. */
    uint8_t bytes[BUFFER_BYTES];
};

static struct link {
    const char *name;
    int tap, peer, listener;
    struct buffer up, down; /* From the tap, to the tap. */
} links[LINKS_MAX];

static _Noreturn void fail(int status, const char *what, const char *name, const char *why) {
    fprintf(stderr, "error: tap-link: %s %s: %s\n", what, name, why);
    exit(status);
}

static void open_socket(struct link *link, const char *path, int listens) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) fail(1, "socket", path, "the path is too long");
    memcpy(address.sun_path, path, strlen(path));
    const struct sockaddr *name = (const struct sockaddr *)&address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct stat old;
    if (listens && lstat(path, &old) == 0 && S_ISSOCK(old.st_mode)) unlink(path);
    int done = listens ? bind(fd, name, sizeof(address)) : connect(fd, name, sizeof(address));
    if (done < 0 || (listens && listen(fd, 1) < 0)) fail(2, "socket", path, strerror(errno));
    *(listens ? &link->listener : &link->peer) = fd;
}

static void open_link(struct link *link, char *word) {
    char *place = strchr(word, '=');
    if (place == NULL) fail(1, "argument", word, "expected TAP=PLACE");
    *place++ = 0;
    link->name = word;
    link->listener = link->peer = -1;
    if (strncmp(place, "unix:", 5) == 0) open_socket(link, place + 5, 0);
    else if (strncmp(place, "unix-listen:", 12) == 0) open_socket(link, place + 12, 1);
    else if (sscanf(place, "fd:%d", &link->peer) != 1 || fcntl(link->peer, F_GETFD) < 0)
        fail(1, "place", place, "expected fd:N, unix:PATH or unix-listen:PATH");
    link->tap = tap_open(word, 0, 0);
    if (link->tap < 0) fail(2, "device", word, strerror(-link->tap));
}

/* Waits for the peer of a listening link. */
static void meet(struct link *link) {
    if (link->listener >= 0) link->peer = accept(link->listener, NULL, NULL);
    if (link->peer < 0) fail(2, "peer of", link->name, strerror(errno));
    fcntl(link->peer, F_SETFL, fcntl(link->peer, F_GETFL) | O_NONBLOCK);
}

static void check(struct link *link, ssize_t done) {
    if (done == 0) exit(0);
    if (done > 0 || errno == EAGAIN) return;
    if (errno == EPIPE || errno == ECONNRESET) exit(0);
    fail(2, "peer of", link->name, strerror(errno));
}

/* All the frames that wait in the tap and fit, in one write. */
static void go_up(struct link *link) {
    struct buffer *up = &link->up;
    if (up->from == up->end) up->from = up->end = 0;
    while (up->from == 0 && BUFFER_BYTES - up->end >= LENGTH_BYTES + FRAME_BYTES_MAX) {
        uint8_t *at = up->bytes + up->end;
        ssize_t frame = read(link->tap, at + LENGTH_BYTES, FRAME_BYTES_MAX);
        if (frame < 0 && errno == EAGAIN) break;
        if (frame <= 0) fail(2, "device", link->name, strerror(errno));
        for (int i = 0; i < 4; i++) at[i] = (uint8_t)((uint32_t)frame >> (24 - 8 * i));
        up->end += LENGTH_BYTES + (size_t)frame;
    }
    if (up->from == up->end) return;
    ssize_t sent = send(link->peer, up->bytes + up->from, up->end - up->from, MSG_NOSIGNAL);
    check(link, sent);
    if (sent > 0) up->from += (size_t)sent;
}

/* Writes the whole frames in `down`. One that the kernel refuses is lost, as on a wire. */
static void deliver(struct link *link) {
    struct buffer *down = &link->down;
    while (down->end - down->from >= LENGTH_BYTES) {
        const uint8_t *at = down->bytes + down->from;
        uint32_t bytes = 0;
        for (int i = 0; i < 4; i++) bytes = bytes << 8 | at[i];
        if (bytes < ETHERNET_HEADER_BYTES || bytes > FRAME_BYTES_MAX)
            fail(2, "peer of", link->name, "it sent a length that no frame has");
        if (down->end - down->from < LENGTH_BYTES + bytes) break;
        if (write(link->tap, at + LENGTH_BYTES, bytes) < 0 && errno == EBADFD) exit(2);
        down->from += LENGTH_BYTES + bytes;
    }
    memmove(down->bytes, down->bytes + down->from, down->end - down->from);
    down->end -= down->from;
    down->from = 0;
}

static void go_down(struct link *link) {
    struct buffer *down = &link->down;
    ssize_t got = read(link->peer, down->bytes + down->end, BUFFER_BYTES - down->end);
    check(link, got);
    if (got > 0) down->end += (size_t)got;
    deliver(link);
}

int main(int argc, char **argv) {
    if (argc < 2 || argc - 1 > LINKS_MAX) fail(1, "usage", "tap-link", "TAP=PLACE...");
    int count = argc - 1;
    for (int i = 0; i < count; i++) open_link(&links[i], argv[1 + i]);
    for (int i = 0; i < count; i++) meet(&links[i]);
    struct pollfd polls[2 * LINKS_MAX];
    for (;;) {
        for (int i = 0; i < count; i++) {
            struct link *link = &links[i];
            int waits = link->up.from < link->up.end;
            short out = waits ? POLLOUT : 0, in = waits ? 0 : POLLIN;
            polls[2 * i] = (struct pollfd){link->tap, in, 0};
            polls[2 * i + 1] = (struct pollfd){link->peer, (short)(POLLIN | out), 0};
        }
        poll(polls, 2 * (nfds_t)count, -1);
        for (int i = 0; i < count; i++) {
            short tap = polls[2 * i].revents, peer = polls[2 * i + 1].revents;
            if (tap != 0 || (peer & POLLOUT)) go_up(&links[i]);
            if (peer & (POLLIN | POLLHUP | POLLERR)) go_down(&links[i]);
        }
    }
}
