/*
 * The walls: no capabilities, no new privileges, and a seccomp filter that allows the system calls
 * below with the arguments below. Anything else kills the process (SIGSYS), whoever asks for it.
 * Required reading: Linux's Documentation/userspace-api/seccomp_filter.rst.
 *
 *     read         a link; at most LINK_BYTES_MAX
 *     writev       a link; at most a frame's head and PARTS_MAX parts
 *     ppoll        the array `waits`, as long as there are links; no signal mask
 *     write        the console; at most CONSOLE_BYTES_MAX
 *     clock_gettime  the two clocks, should the vDSO be without them
 *     getrandom    without flags; at most RANDOM_BYTES_MAX
 *     pread64, pwrite64, fdatasync   a disk (one read only: pread64); never beyond its end
 *     exit_group
 *     setitimer    only with --profile or --control: the CPU time's, as `profile_timer` says
 *     rt_sigreturn only with these, too
 *
 * ppoll's array is in memory that the program could write, but after sandbox_enter() closed all
 * others there is no descriptor left to wait for but the console, the links and the disks.
 */
#include "process.h"
#include "seccomp.h"
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define INSTRUCTIONS_MAX 1024u
#define KERNEL_SIGSET_BYTES 8
#define NEXT_RULE 0xffu /* A jump to be resolved when the rule ends. */

static struct sock_filter program[INSTRUCTIONS_MAX];
static uint32_t length, rule_at;

static void emit(uint32_t code, uint32_t k, uint8_t if_true, uint8_t if_false) {
    if (length == INSTRUCTIONS_MAX) panic("the filter of system calls is too long");
    program[length++] = (struct sock_filter){(uint16_t)code, if_true, if_false, k};
}

static void load(uint32_t offset) { emit(BPF_LOAD, offset, 0, 0); }
static void load_low(uint32_t i) { load(offsetof(struct seccomp_data, arguments) + 8 * i); }
static void load_high(uint32_t i) { load(offsetof(struct seccomp_data, arguments) + 8 * i + 4); }
static void want(uint32_t word) { emit(BPF_IF_EQUAL, word, 0, NEXT_RULE); }
static void want_most(uint32_t word) { emit(BPF_IF_GREATER, word, NEXT_RULE, 0); }

static void rule_begin(uint32_t number) {
    rule_at = length;
    load(offsetof(struct seccomp_data, number));
    want(number);
}

static void rule_end(void) {
    emit(BPF_RETURN, SECCOMP_RET_ALLOW, 0, 0);
    for (uint32_t i = rule_at; i < length; i++) {
        uint8_t to_end = (uint8_t)(length - i - 1);
        if (program[i].if_true == NEXT_RULE) program[i].if_true = to_end;
        if (program[i].if_false == NEXT_RULE) program[i].if_false = to_end;
    }
}

static void argument_is(uint32_t index, uint64_t value) {
    load_low(index);
    want((uint32_t)value);
    load_high(index);
    want((uint32_t)(value >> 32));
}

static void argument_at_most(uint32_t index, uint32_t most) {
    load_low(index);
    want_most(most);
    load_high(index);
    want(0);
}

/* Argument 2 bytes from offset argument 3 on: none of them behind `end`. */
static void range_ends_by(uint64_t end) {
    load_high(3);
    want_most((uint32_t)(end >> 32)); /* The carry below cannot overflow. */
    emit(BPF_STORE_SCRATCH, 0, 0, 0);
    load_low(2); /* At most DISK_BYTES_MAX: checked before. */
    emit(BPF_COPY_TO_X, 0, 0, 0);
    load_low(3);
    emit(BPF_ADD_X, 0, 0, 0);
    emit(BPF_STORE_SCRATCH, 1, 0, 0);
    emit(BPF_IF_NOT_LESS_X, 0, 3, 0); /* Smaller than what was added: a carry. */
    emit(BPF_LOAD_SCRATCH, 0, 0, 0);
    emit(BPF_ADD, 1, 0, 0);
    emit(BPF_STORE_SCRATCH, 0, 0, 0);
    emit(BPF_LOAD_SCRATCH, 0, 0, 0);
    want_most((uint32_t)(end >> 32));
    emit(BPF_IF_EQUAL, (uint32_t)(end >> 32), 0, 2);
    emit(BPF_LOAD_SCRATCH, 1, 0, 0);
    want_most((uint32_t)end);
}

static void allow_link(int fd) {
    rule_begin(SYS_read);
    argument_is(0, (uint64_t)fd);
    argument_at_most(2, LINK_BYTES_MAX);
    rule_end();
    rule_begin(SYS_writev);
    argument_is(0, (uint64_t)fd);
    argument_at_most(2, 1 + PARTS_MAX);
    rule_end();
}

static void allow_disk(const struct disk *disk) {
    static const uint32_t transfers[] = {SYS_pread64, SYS_pwrite64};
    for (uint32_t i = 0; i < (disk->read_only ? 1 : 2); i++) {
        rule_begin(transfers[i]);
        argument_is(0, (uint64_t)disk->fd);
        argument_at_most(2, DISK_BYTES_MAX);
        range_ends_by(disk->bytes);
        rule_end();
    }
    if (disk->read_only) return;
    rule_begin(SYS_fdatasync);
    argument_is(0, (uint64_t)disk->fd);
    rule_end();
}

static void allow_the_rest(void) {
    rule_begin(SYS_ppoll);
    argument_is(0, (uint64_t)waits);
    argument_is(1, link_count);
    argument_is(3, 0);
    argument_is(4, KERNEL_SIGSET_BYTES);
    rule_end();
    rule_begin(SYS_write);
    argument_is(0, STDOUT_FILENO);
    argument_at_most(2, CONSOLE_BYTES_MAX);
    rule_end();
    rule_begin(SYS_clock_gettime);
    argument_at_most(0, CLOCK_MONOTONIC); /* 1; CLOCK_REALTIME is 0. */
    rule_end();
    rule_begin(SYS_getrandom);
    argument_at_most(1, RANDOM_BYTES_MAX);
    argument_is(2, 0);
    rule_end();
    rule_begin(SYS_exit_group);
    rule_end();
    if (!may_profile) return;
    rule_begin(SYS_setitimer);
    argument_is(0, ITIMER_PROF);
    argument_is(1, (uint64_t)&profile_timer);
    argument_is(2, 0);
    rule_end();
    rule_begin(SYS_rt_sigreturn);
    rule_end();
}

/* The most frequent first. */
static void write_filter(void) {
    load(offsetof(struct seccomp_data, arch));
    emit(BPF_IF_EQUAL, AUDIT_ARCH_X86_64, 1, 0);
    emit(BPF_RETURN, SECCOMP_RET_KILL_PROCESS, 0, 0);
    for (uint32_t i = 0; i < link_count; i++) allow_link(links[i].fd);
    allow_the_rest();
    for (uint32_t i = 0; i < disk_count; i++) allow_disk(&disks[i]);
    emit(BPF_RETURN, SECCOMP_RET_KILL_PROCESS, 0, 0);
}

/* Each may fail where the process has no right to it, and then has nothing to lose by it. */
static void drop_privileges(void) {
    uint32_t header[2] = {CAPABILITY_VERSION_3, 0}; /* Of this process. */
    uint32_t none[6] = {0};                          /* Effective, permitted, inheritable; twice. */
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    for (unsigned long i = 0; prctl(PR_CAPBSET_DROP, i, 0, 0, 0) == 0; i++) continue;
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    syscall(SYS_capset, header, none);
}

void sandbox_enter(void) {
    close(STDIN_FILENO);
    close(STDERR_FILENO);
    drop_privileges();
    write_filter();
    struct sock_fprog filter = {.length = (uint16_t)length, .filter = program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) panic("no_new_privs can't be set");
    /* No foreign code here to hide from by slower branches; Linux before 4.17 knows no such flag. */
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &filter) != 0
        && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0) {
        panic("this system has no seccomp filters");
    }
}
