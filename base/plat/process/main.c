/*
 * The start of an image as a Linux process: reads its arguments, opens links and disks, takes its
 * memory, shuts itself in (sandbox.c), then runs the engine on a stack of its own. Nothing is
 * opened, mapped or allocated from Linux after that. Read first: process.h.
 */
#include "process.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MEMORY_MIB_MIN 3ull
#define MEMORY_MIB_MAX 4095ull /* The heap counts pages below 4 GiB. */
#define MEMORY_MIB_DEFAULT 16ull
#define MIB (1024ull * 1024)
#define MAP_FIXED_NOREPLACE_BIT 0x100000 /* linux/mman.h */

__asm__(".section .stacks, \"aw\", @nobits\n.balign 4096\n"
        ".globl base_stack_guard, base_stack_bottom, base_stack_top\n"
        "base_stack_guard: .skip 4096\nbase_stack_bottom: .skip 256 * 1024\nbase_stack_top:\n"
        ".text\n");

static const char help[] =
    "usage: IMAGE [--mem=MIB] [--link=LINK]... [--disk=NAME=FILE[,readonly]]... [-- boot-time arguments]\n\n"
    "  --mem=MIB               memory, 3 to 4095 (default 16)\n"
    "  --link=tap:NAME         an Ethernet interface: a tap device that exists\n"
    "  --link=unix:PATH        the same over a UNIX stream socket: connects to it\n"
    "  --link=unix-listen:PATH the same: makes the socket and waits for one peer\n"
    "                          ,mac=02:00:00:00:00:01 behind any of them sets the address\n"
    "  --control=unix:PATH     whoever listens there may look into it (docs/cli.md)\n"
    "  --disk=NAME=FILE        a block device: a file or block device, read only with ,readonly\n"
    "  --profile=HZ            samples where the time goes (base/README.md)\n"
    "  --profile-s=N           prints the profile every N seconds\n\n"
    "\"IMAGE -- --help\" prints the boot-time arguments of the program.\n";

char **boot_arguments;
bool may_profile;
static uint64_t memory_mib = MEMORY_MIB_DEFAULT;

_Noreturn void fail(int code, const char *what, const char *why, const char *mend) {
    fprintf(stderr, "error: %s: %s; %s\n", what, why, mend);
    _exit(code);
}

static uint64_t number_of(const char *word, const char *text, uint64_t least, uint64_t most) {
    uint64_t value = 0;
    const char *digit = text;
    for (; *digit >= '0' && *digit <= '9' && digit - text < 9; digit++) {
        value = value * 10 + (uint64_t)(*digit - '0');
    }
    char range[64];
    snprintf(range, sizeof(range), "give it %llu to %llu", (unsigned long long)least,
        (unsigned long long)most);
    if (digit == text || *digit || value < least || value > most) {
        fail(EXIT_USAGE, word, "not a number in its range", range);
    }
    return value;
}

/* What follows `name` in `word`, or NULL when it does not begin so. */
static char *value_of(char *word, const char *name) {
    size_t bytes = strlen(name);
    return strncmp(word, name, bytes) == 0 ? word + bytes : NULL;
}

static void read_argument(char *word) {
    char *value;
    uint64_t seconds = 0, hz = 0;
    if ((value = value_of(word, "--mem="))) {
        memory_mib = number_of(word, value, MEMORY_MIB_MIN, MEMORY_MIB_MAX);
    } else if ((value = value_of(word, "--link="))) {
        links_add(value, false);
    } else if ((value = value_of(word, "--control="))) {
        links_add(value, true);
        may_profile = true;
    } else if ((value = value_of(word, "--disk="))) {
        disks_add(value);
    } else if ((value = value_of(word, "--profile="))) {
        hz = number_of(word, value, 20, 20000);
        may_profile = true;
    } else if ((value = value_of(word, "--profile-s="))) {
        seconds = number_of(word, value, 1, 86400);
    } else if (strcmp(word, "--help") == 0) {
        fputs(help, stdout);
        exit(0);
    } else {
        fail(EXIT_USAGE, word, "no such argument", "see --help");
    }
    /* These two are read where they are on every platform. */
    char *line = machine.cmdline + strlen(machine.cmdline);
    if (seconds) snprintf(line, 64, "profile_s=%llu ", (unsigned long long)seconds);
    if (hz) snprintf(line, 64, "profile=%llu ", (unsigned long long)hz);
}

static void read_arguments(char **word) {
    while (*++word && strcmp(*word, "--") != 0) {
        if (strlen(machine.cmdline) > BASE_CMDLINE_BYTES_MAX - 64) {
            fail(EXIT_USAGE, *word, "given too often", "see --help");
        }
        read_argument(*word);
    }
    boot_arguments = *word ? word + 1 : word;
}

/* The segment that Linux mapped behind the base's own; payload_check() judges what is in it. */
static void find_payload(void) {
    const Elf64_Phdr *header = (const Elf64_Phdr *)getauxval(AT_PHDR);
    machine.payload_start = machine.payload_end = (uint64_t)base_end;
    for (uint64_t i = 0; i < getauxval(AT_PHNUM); i++, header++) {
        if (header->p_type != PT_LOAD || header->p_vaddr != machine.payload_start) continue;
        const struct base_payload_header *payload = (const void *)header->p_vaddr;
        if (header->p_memsz < sizeof(*payload)
            || memcmp(payload->magic, BASE_PAYLOAD_MAGIC, sizeof(payload->magic)) != 0) continue;
        if (payload->total_bytes < sizeof(*payload) || payload->total_bytes > header->p_memsz) {
            refuse_image("its payload is cut short", "", 0);
        }
        machine.payload_end = ROUND_UP(machine.payload_start + header->p_memsz, PAGE_BYTES);
    }
}

/* One mapping, behind the payload: base, payload and heap are `--mem` together, as in a machine. */
static void take_memory(void) {
    uint64_t start = ROUND_DOWN((uint64_t)base_text_start, PAGE_BYTES);
    uint64_t end = start + memory_mib * MIB, at = machine.payload_end;
    if (end < at + MIB) refuse_image("it needs more memory: give it a larger --mem", "", 0);
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE_BIT;
    void *got = mmap((void *)at, end - at, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (got != (void *)at) {
        fail(EXIT_UNAVAILABLE, "memory", strerror(errno), "give it a smaller --mem");
    }
    /* Large pages would make a heap that is mostly empty resident. */
    madvise(got, end - at, MADV_NOHUGEPAGE);
    machine.ram[0] = (struct ram_region){.start = start, .end = end};
    machine.ram_count = 1;
    machine.ram_bytes = end - start;
    if (mprotect(base_stack_guard, PAGE_BYTES, PROT_NONE) != 0) panic("no guard page");
}

static __attribute__((used)) _Noreturn void run(void) {
    machine_exit(engine_run());
}

int main(int argc, char **argv) {
    (void)argc;
    static char *environment[] = {"TZ=UTC0", NULL}; /* Else the C library would look for a file. */
    environ = environment;
    if (syscall(SYS_close_range, 3u, ~0u, 0u) != 0) { /* Before Linux 5.9. */
        for (int fd = 3; fd < 1024; fd++) close(fd);
    }
    for (int fd = 0; fd < 3; fd++) { /* Nothing that is opened below may become the console. */
        if (fcntl(fd, F_GETFD) < 0) open("/dev/null", O_RDWR);
    }
    read_arguments(argv);
    find_payload();
    payload_check();
    take_memory();
    heap_init();
    clock_start();
    host_init();
    links_open();
    sandbox_enter();
    __asm__ volatile("mov %0, %%rsp\n xor %%ebp, %%ebp\n call *%1" : : "r"((char *)base_stack_top), "r"(run));
    __builtin_unreachable();
}
