/* The instructions that C has no word for, and the frame that every trap stub leaves. */
#ifndef CPU_H
#define CPU_H
#include <stdint.h>

struct trap_frame {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t vector, error_code;
    uint64_t rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct trap_frame) == 22 * 8, "entry.S pushes these");

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
static inline uint64_t read_cr2(void) {
    uint64_t value;
    __asm__ volatile("mov %%cr2, %0" : "=r"(value));
    return value;
}
static inline uint64_t read_cr4(void) {
    uint64_t value;
    __asm__ volatile("mov %%cr4, %0" : "=r"(value));
    return value;
}
static inline void write_cr4(uint64_t value) {
    __asm__ volatile("mov %0, %%cr4" : : "r"(value));
}
static inline void flush_tlb(void) {
    uint64_t value;
    __asm__ volatile("mov %%cr3, %0\n mov %0, %%cr3" : "=r"(value) : : "memory");
}
static inline void cpu_pause(void) {
    __asm__ volatile("pause");
}
#endif
