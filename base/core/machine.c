/* What the platform found at the start: memory and command line. */
#include "base.h"
struct machine machine;

bool is_ram(uint64_t address, uint64_t bytes) {
    for (uint32_t i = 0; i < machine.ram_count; i++)
        if (address < machine.ram[i].end && address + bytes > machine.ram[i].start) return true;
    return false;
}

uint64_t ram_end_of(uint64_t address) {
    for (uint32_t i = 0; i < machine.ram_count; i++) {
        const struct ram_region *region = &machine.ram[i];
        if (region->start <= address && address < region->end) return region->end;
    }
    return 0;
}

bool cmdline_number(const char *name, uint64_t *value) {
    for (const char *at = machine.cmdline; *at; at++) {
        const char *word = at, *expected = name;
        while (*expected && *word == *expected) word++, expected++;
        bool starts = at == machine.cmdline || at[-1] == ' ';
        if (starts && at[0] == '-' && at[1] == '-' && (at[2] == ' ' || !at[2])) return false;
        if (*expected || !starts || *word++ != '=') continue;
        uint64_t number = 0;
        uint32_t digits = 0;
        for (; *word >= '0' && *word <= '9' && digits < 19; word++, digits++)
            number = number * 10 + (uint64_t)(*word - '0');
        if (digits == 0 || (*word && *word != ' ')) return false;
        *value = number;
        return true;
    }
    return false;
}
