/* From linux/{audit,capability,filter,seccomp}.h, which musl's headers do not have. */
#ifndef SECCOMP_H
#define SECCOMP_H
#include <stdint.h>

#define AUDIT_ARCH_X86_64 0xc000003eu
#define CAPABILITY_VERSION_3 0x20080522u
#define SECCOMP_SET_MODE_FILTER 1
#define SECCOMP_FILTER_FLAG_SPEC_ALLOW 4u
#define SECCOMP_RET_KILL_PROCESS 0x80000000u
#define SECCOMP_RET_ALLOW 0x7fff0000u

/* Classic BPF: one instruction, and the codes in use. */
struct sock_filter {
    uint16_t code;
    uint8_t if_true, if_false;
    uint32_t k;
};
struct sock_fprog {
    uint16_t length;
    struct sock_filter *filter;
};
#define BPF_LOAD 0x20u          /* A = word k of struct seccomp_data. */
#define BPF_LOAD_SCRATCH 0x60u  /* A = scratch[k] */
#define BPF_STORE_SCRATCH 0x02u /* scratch[k] = A */
#define BPF_COPY_TO_X 0x07u     /* X = A */
#define BPF_ADD 0x04u           /* A += k */
#define BPF_ADD_X 0x0cu         /* A += X */
#define BPF_IF_EQUAL 0x15u      /* A == k */
#define BPF_IF_GREATER 0x25u    /* A > k, unsigned */
#define BPF_IF_NOT_LESS_X 0x3du /* A >= X, unsigned */
#define BPF_RETURN 0x06u

struct seccomp_data {
    int32_t number;
    uint32_t arch;
    uint64_t instruction_pointer;
    uint64_t arguments[6];
};
_Static_assert(sizeof(struct seccomp_data) == 64, "the kernel's");
_Static_assert(sizeof(struct sock_filter) == 8, "the kernel's");
#endif
