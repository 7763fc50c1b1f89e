/* What the files of the process platform share. Read in order: main.c, links.c, disks.c, sandbox.c, host.c. */
#ifndef PROCESS_H
#define PROCESS_H
#include "base.h"
#include <poll.h>
#include <sys/time.h>

#define LINKS_MAX 9u /* Eight interfaces and the control channel. */
#define DISKS_MAX 8u
#define VNET_HEADER_BYTES 12u
#define PARTS_MAX 16u
/* Bytes of one read or write at most: of a link, of a disk, of the console, of random bytes. */
#define LINK_BYTES_MAX (256u * 1024)
#define DISK_BYTES_MAX (1u * 1024 * 1024)
#define CONSOLE_BYTES_MAX (64u * 1024)
#define RANDOM_BYTES_MAX 256u

/* Exit codes before the program runs, of BSD's sysexits.h, as packages/morgana/run.ts has them. */
#define EXIT_USAGE 64
#define EXIT_UNAVAILABLE 69

struct link {
    const char *name; /* As given: tap:NAME, unix:PATH or unix-listen:PATH. */
    int fd, listener;
    bool is_tap, is_control, has_mac;
    uint32_t mtu_bytes;
    uint8_t mac[6];
};
struct disk {
    const char *name;
    int fd;
    bool read_only;
    uint64_t bytes;
};
extern struct link links[LINKS_MAX];
extern struct disk disks[DISKS_MAX];
extern uint32_t link_count, disk_count;
/* With --profile or --control: then the profiler's timer and its signal are allowed. */
extern bool may_profile;
extern struct itimerval profile_timer; /* Its address is pinned. */
extern char **boot_arguments; /* Ends with NULL. */

/* Prints "error: WHAT: WHY; MEND" and ends; before the sandbox only. */
_Noreturn void fail(int code, const char *what, const char *why, const char *mend);

/* links.c */
void links_add(char *spec, bool is_control);
void links_open(void);
/* disks.c */
void disks_add(char *spec);
/* host.c: signals, clock; prepares what the sandbox forbids to prepare. */
void host_init(void);
void random_bytes(uint8_t *out, size_t bytes);
/* The array that ppoll gets, one entry a link: its address is pinned. */
extern struct pollfd waits[LINKS_MAX];
/* sandbox.c: from here on only the calls of the program in sandbox.c. */
void sandbox_enter(void);
#endif
