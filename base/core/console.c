/* Text on the console, with no allocation and no format strings: it works inside a fault. */
#include "base.h"

void console_text(const char *text) {
    size_t bytes = 0;
    while (text[bytes]) bytes++;
    console_write(text, bytes);
}

void console_hex(uint64_t value, int digits) {
    for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4)
        console_write(&"0123456789abcdef"[(value >> shift) & 15], 1);
}

_Noreturn void panic(const char *message) {
    console_text("base: ");
    console_text(message);
    console_text("\n");
    machine_exit(BASE_EXIT_PANIC);
}

_Noreturn void refuse_image(const char *message, const char *detail, size_t detail_bytes) {
    console_text("base: this image cannot start: ");
    console_text(message);
    if (detail_bytes != 0) {
        console_text(": ");
        console_write(detail, detail_bytes);
    }
    console_text("\n");
    machine_exit(BASE_EXIT_BAD_IMAGE);
}
