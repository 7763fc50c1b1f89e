/* The end of the machine. base_abi.h says how a virtual machine monitor reads the exit code. */
#include "base.h"
#include "cpu.h"

#define KEYBOARD_CONTROLLER 0x64
#define RESET_CONTROL 0xcf9

_Noreturn void machine_exit(int code) {
    if (code != BASE_EXIT_OK) out32(BASE_DEBUG_EXIT_PORT, (uint32_t)code);
    /* Reset, by whichever way this machine has: keyboard controller, chipset, triple fault. */
    out8(KEYBOARD_CONTROLLER, 0xfe);
    out8(RESET_CONTROL, 0x06);
    const struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) nothing = {0, 0};
    __asm__ volatile("cli\n lidt %0\n int3" : : "m"(nothing));
    for (;;) __asm__ volatile("hlt");
}
