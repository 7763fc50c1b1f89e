/*
 * What a bare machine has and a process borrows from Linux: console, clocks, random bytes, the idle
 * wait, faults, the end. Only the system calls of sandbox.c.
 */
#include "process.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define SIGNAL_STACK_BYTES (16 * 1024)
#define KERNEL_SIGSET_BYTES 8

struct pollfd waits[LINKS_MAX];
static uint64_t started_us;
static void (*volatile profile_sample)(uint64_t rip, bool idle);

/* Output that nobody takes is lost, as on a serial line. */
void console_write(const char *text, size_t bytes) {
    while (bytes != 0) {
        ssize_t n = write(STDOUT_FILENO, text, bytes > CONSOLE_BYTES_MAX ? CONSOLE_BYTES_MAX : bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return;
        text += n;
        bytes -= (size_t)n;
    }
}

int console_read(void) { return -1; }

_Noreturn void machine_exit(int code) { _exit(code); }

/* In place of the C library's, whose system calls would end the process without a word. */
_Noreturn void abort(void) { panic("the engine or the C library gave up"); }

/* From the vDSO: no system call. */
static uint64_t read_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void clock_start(void) { started_us = read_clock(CLOCK_MONOTONIC); }
void clock_calibrate(void) {}
uint64_t clock_monotonic_us(void) { return read_clock(CLOCK_MONOTONIC) - started_us; }
uint64_t clock_wall_us(void) { return read_clock(CLOCK_REALTIME); }

bool entropy_fill(uint8_t *out, size_t bytes) {
    for (size_t done = 0; done < bytes;) {
        size_t some = bytes - done < RANDOM_BYTES_MAX ? bytes - done : RANDOM_BYTES_MAX;
        ssize_t n = getrandom(out + done, some, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        done += (size_t)n;
    }
    return true;
}

void random_bytes(uint8_t *out, size_t bytes) {
    if (entropy_fill(out, bytes)) return;
    fail(BASE_EXIT_NO_ENTROPY, "random bytes", "this system has no getrandom", "take a newer Linux");
}

uint32_t idle_until(uint64_t deadline_us) {
    uint64_t now = clock_monotonic_us(), wait = deadline_us > now ? deadline_us - now : 0;
    struct timespec time = {(time_t)(wait / 1000000), (long)(wait % 1000000 * 1000)};
    long ready = syscall(SYS_ppoll, waits, (long)link_count, deadline_us == UINT64_MAX ? NULL : &time,
        NULL, (long)KERNEL_SIGSET_BYTES);
    uint32_t woken = 0;
    for (uint32_t i = 0; ready > 0 && i < link_count; i++) woken |= (waits[i].revents != 0) << i;
    return woken;
}

uint32_t interrupts_poll(void) { return 0; } /* Links are looked at in each turn. */

static void on_fault(int number, siginfo_t *info, void *context) {
    const greg_t *registers = ((const ucontext_t *)context)->uc_mcontext.gregs;
    const char *name = number == SIGILL ? "invalid opcode" : number == SIGFPE ? "divide error"
        : number == SIGBUS ? "bus error: was the image's file cut short?" : "page fault";
    uint64_t at = (uint64_t)info->si_addr;
    console_text("\nbase: CPU exception: ");
    console_text(name);
    if (at >= (uint64_t)base_stack_guard && at < (uint64_t)base_stack_bottom) {
        console_text(": stack overflow");
    }
    console_text("\naddress ");
    console_hex(at, 16);
    console_text("  rip ");
    console_hex((uint64_t)registers[REG_RIP], 16);
    console_text("  rsp ");
    console_hex((uint64_t)registers[REG_RSP], 16);
    console_text("\n");
    machine_exit(BASE_EXIT_PANIC);
}

static void on_sample(int number, siginfo_t *info, void *context) {
    (void)number, (void)info;
    if (profile_sample == NULL) return;
    int error = errno;
    profile_sample((uint64_t)((const ucontext_t *)context)->uc_mcontext.gregs[REG_RIP], false);
    errno = error;
}

struct itimerval profile_timer;

bool interrupts_profile(uint32_t hz, void (*sample)(uint64_t rip, bool idle)) {
    if (!may_profile) return false;
    struct timeval period = {0, hz == 0 ? 0 : 1000000 / (suseconds_t)hz};
    profile_timer = (struct itimerval){period, period};
    profile_sample = sample;
    return syscall(SYS_setitimer, (long)ITIMER_PROF, &profile_timer, NULL) == 0;
}

static void handle(int number, void (*handler)(int, siginfo_t *, void *), int flags) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | flags};
    sigaction(number, &action, NULL);
}

void host_init(void) {
    static uint8_t signal_stack[SIGNAL_STACK_BYTES];
    stack_t stack = {.ss_sp = signal_stack, .ss_size = sizeof(signal_stack)};
    sigaltstack(&stack, NULL);
    handle(SIGSEGV, on_fault, 0);
    handle(SIGBUS, on_fault, 0);
    handle(SIGILL, on_fault, 0);
    handle(SIGFPE, on_fault, 0);
    signal(SIGPIPE, SIG_IGN);
    uint8_t probe;
    random_bytes(&probe, 1);
    if (may_profile) handle(SIGPROF, on_sample, SA_RESTART);
}
