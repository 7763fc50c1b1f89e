/*
 * The system calls of Linux that musl makes for this image, served in ring 0: output, time, thread
 * pointer, end. Memory is not among them: core/heap.c replaces musl's malloc. Anything else is
 * counted and answered with -ENOSYS. Compiled without SSE: the entry preserves no vector register.
 */
#include "base.h"
#include "cpu.h"

#define SYS_WRITEV 20
#define SYS_ARCH_PRCTL 158
#define SYS_SET_TID_ADDRESS 218
#define SYS_CLOCK_GETTIME 228
#define SYS_EXIT_GROUP 231
#define ARCH_SET_FS 0x1002
#define MSR_FS_BASE 0xc0000100
#define ERROR_NO_SYSCALL (-38)
#define ERROR_INVALID (-22)
#define CLOCK_REALTIME_ID 0
#define CLOCK_MONOTONIC_ID 1

struct io_vector {
    const char *base;
    uint64_t bytes;
};

uint32_t syscalls_unknown;

/* In place of musl's, which ends in `hlt`: here that would halt for ever, without a word. */
_Noreturn void abort(void) { panic("the engine or the C library gave up"); }

static int64_t read_clock(uint64_t clock, int64_t *out) {
    if (clock != CLOCK_REALTIME_ID && clock != CLOCK_MONOTONIC_ID) return ERROR_INVALID;
    uint64_t us = clock == CLOCK_REALTIME_ID ? clock_wall_us() : clock_monotonic_us();
    out[0] = (int64_t)(us / 1000000);
    out[1] = (int64_t)(us % 1000000 * 1000);
    return 0;
}

int64_t base_syscall(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2) {
    int64_t written = 0;
    switch (number) {
    case SYS_WRITEV:
        for (uint64_t i = 0; i < a2; i++) {
            const struct io_vector *vector = (const struct io_vector *)a1 + i;
            console_write(vector->base, vector->bytes);
            written += (int64_t)vector->bytes;
        }
        return written;
    case SYS_CLOCK_GETTIME:
        return read_clock(a0, (int64_t *)a1);
    case SYS_ARCH_PRCTL:
        if (a0 != ARCH_SET_FS) return ERROR_INVALID;
        write_msr(MSR_FS_BASE, a1);
        return 0;
    case SYS_SET_TID_ADDRESS:
        return 1;
    case SYS_EXIT_GROUP:
        machine_exit((int)a0 & 127);
    default:
        syscalls_unknown++;
        return ERROR_NO_SYSCALL;
    }
}
