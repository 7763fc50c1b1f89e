/* Vectors of interrupts, and the one entry from traps.c. */
#ifndef INTERRUPTS_H
#define INTERRUPTS_H
#include "cpu.h"

#define VECTOR_WAKE_FIRST 0x30u /* One vector for each of BASE_WAKE_BITS. */
#define VECTOR_TIMER 0x4fu
#define VECTOR_PROFILE 0x50u
#define VECTOR_SPURIOUS 0x5fu
_Static_assert(VECTOR_WAKE_FIRST + BASE_WAKE_BITS == VECTOR_TIMER, "one vector a bit");

void interrupt_arrived(struct trap_frame *frame);
#endif
