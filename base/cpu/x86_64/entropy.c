/* Entropy from RDSEED, else RDRAND; none when the CPU has neither or they fail. No fallback. */
#include "base.h"
#include "cpu.h"

#define TRIES_MAX 100 /* Intel asks for 10 of RDRAND; RDSEED may need more under load. */

static bool draw(bool seed, uint64_t *word) {
    for (int i = 0; i < TRIES_MAX; i++) {
        uint8_t ok;
        if (seed) __asm__ volatile("rdseed %0; setc %1" : "=r"(*word), "=qm"(ok) : : "cc");
        else __asm__ volatile("rdrand %0; setc %1" : "=r"(*word), "=qm"(ok) : : "cc");
        if (ok) return true;
        cpu_pause();
    }
    return false;
}

bool entropy_fill(uint8_t *out, size_t bytes) {
    bool has_seed = cpuid(0, 0).eax >= 7 && (cpuid(7, 0).ebx & (1u << 18));
    bool has_random = cpuid(1, 0).ecx & (1u << 30);
    uint64_t word;
    if (!has_seed && !has_random) return false;
    /* `out` stays untouched unless all of it can be filled: draw once before the first store. */
    bool seed = has_seed && draw(true, &word);
    if (!seed && (!has_random || !draw(false, &word))) return false;
    for (size_t i = 0; i < bytes; i++) {
        if (i % 8 == 0 && !draw(seed, &word) && !(has_random && draw(false, &word))) panic("the CPU's random numbers ran dry");
        out[i] = (uint8_t)(word >> (i % 8 * 8));
    }
    return true;
}
