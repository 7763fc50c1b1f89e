/* The instructions that C has no word for, and the frame that every trap stub leaves. */
#ifndef CPU_H
#define CPU_H
#include <stdint.h>
#include "base_abi.h"

struct trap_frame {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t vector, error_code;
    uint64_t rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct trap_frame) == 22 * 8, "entry.S pushes these");

#define VECTOR_WAKE_FIRST 0x30u /* One vector for each of BASE_WAKE_BITS. */
#define VECTOR_TIMER 0x4fu
#define VECTOR_PROFILE 0x50u
#define VECTOR_SPURIOUS 0x5fu
_Static_assert(VECTOR_WAKE_FIRST + BASE_WAKE_BITS == VECTOR_TIMER, "one vector a bit");

void interrupt_arrived(struct trap_frame *frame);

#define MSR_APIC_BASE 0x1b
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_FMASK 0xc0000084
#define RFLAGS_INTERRUPT_BIT 0x200ull

#define PORT_ACCESS(bits, suffix)                                                        \
    static inline void out##bits(uint16_t port, uint##bits##_t value) {                  \
        __asm__ volatile("out" suffix " %0, %1" : : "a"(value), "Nd"(port));             \
    }                                                                                    \
    static inline uint##bits##_t in##bits(uint16_t port) {                               \
        uint##bits##_t value;                                                            \
        __asm__ volatile("in" suffix " %1, %0" : "=a"(value) : "Nd"(port));              \
        return value;                                                                    \
    }
PORT_ACCESS(8, "b")
PORT_ACCESS(16, "w")
PORT_ACCESS(32, "l")

static inline uint64_t read_tsc(void) {
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return ((uint64_t)high << 32) | low;
}
static inline uint64_t read_msr(uint32_t msr) {
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return ((uint64_t)high << 32) | low;
}
static inline void write_msr(uint32_t msr, uint64_t value) {
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}
struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};
static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf) {
    struct cpuid r;
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}
#define READ_CONTROL(name)                                                     \
    static inline uint64_t read_##name(void) {                                 \
        uint64_t value;                                                        \
        __asm__ volatile("mov %%" #name ", %0" : "=r"(value));                 \
        return value;                                                          \
    }                                                                          \
    static inline void write_##name(uint64_t value) {                          \
        __asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory");        \
    }
READ_CONTROL(cr0)
READ_CONTROL(cr2)
READ_CONTROL(cr3)
READ_CONTROL(cr4)
READ_CONTROL(cr8)

static inline void cpu_pause(void) { __asm__ volatile("pause"); }
#endif
