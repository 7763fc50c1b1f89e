/*
 * The 16550 serial port COM1, polled: writing waits for the transmitter, but never for ever; and
 * the end of the machine: base_abi.h says how a virtual machine monitor reads the exit code.
 */
#include "base.h"
#include "cpu.h"

#define COM1 0x3f8
#define LINE_STATUS (COM1 + 5)
#define DATA_READY_BIT 0x01
#define TRANSMIT_EMPTY_BIT 0x20
#define FIFO_BYTES 16
#define WAIT_ROUNDS_MAX 200000
#define KEYBOARD_CONTROLLER 0x64
#define RESET_CONTROL 0xcf9

static bool present;
static uint32_t fifo_room;

void uart_init(void) {
    out8(COM1 + 7, 0x5a); /* Scratch register: reads back only where there is a UART. */
    present = in8(COM1 + 7) == 0x5a;
    out8(COM1 + 1, 0);    /* No interrupts. */
    out8(COM1 + 3, 0x80);
    out8(COM1 + 0, 1);    /* 115,200 baud */
    out8(COM1 + 1, 0);
    out8(COM1 + 3, 0x03); /* 8N1 */
    out8(COM1 + 2, 0x07); /* FIFOs on and empty. */
    out8(COM1 + 4, 0x0b); /* DTR, RTS, OUT2 */
}

static void uart_write(uint8_t byte) {
    if (!present) return;
    if (fifo_room == 0) {
        uint32_t rounds = 0;
        while (!(in8(LINE_STATUS) & TRANSMIT_EMPTY_BIT) && rounds++ < WAIT_ROUNDS_MAX) cpu_pause();
        fifo_room = FIFO_BYTES;
    }
    out8(COM1, byte);
    fifo_room--;
}

void console_write(const char *text, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '\n') uart_write('\r');
        uart_write((uint8_t)text[i]);
    }
}

int console_read(void) {
    if (!present || !(in8(LINE_STATUS) & DATA_READY_BIT)) return -1;
    return in8(COM1);
}

_Noreturn void machine_exit(int code) {
    if (code != BASE_EXIT_OK) out32(BASE_DEBUG_EXIT_PORT, (uint32_t)code);
    /* Reset, by whichever way this machine has: keyboard controller, chipset, triple fault. */
    out8(KEYBOARD_CONTROLLER, 0xfe);
    out8(RESET_CONTROL, 0x06);
    const uint8_t nothing[10] = {0}; /* An empty descriptor table. */
    __asm__ volatile("cli\n lidt %0\n int3" : : "m"(nothing));
    for (;;) __asm__ volatile("hlt");
}
