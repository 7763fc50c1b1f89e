/*
 * The boot, from 64-bit entry to the engine: reads what the virtual machine monitor tells (PVH
 * start information), sets protections, faults and interrupts, then enters musl's start-up code.
 * Read first: cpu/x86_64/entry.S. Specification: Xen's x86/HVM direct boot ABI.
 */
#include "base.h"
#include "cpu.h"
#include <elf.h>

#define START_MAGIC 0x336ec578u
#define MEMORY_TYPE_RAM 1u

struct start_info {
    uint32_t magic, version, flags, module_count;
    uint64_t modules_at, cmdline_at, rsdp_at;
    uint64_t memory_map_at; /* Version 1 and later. */
    uint32_t memory_map_count, reserved;
};
_Static_assert(sizeof(struct start_info) == 56, "hvm_start_info, version 1");

struct memory_map_entry {
    uint64_t start, bytes;
    uint32_t type, reserved;
};
_Static_assert(sizeof(struct memory_map_entry) == 24, "hvm_memmap_table_entry");

_Noreturn void base_start_libc(uint64_t *stack);
void base_syscall_entry(void);
int base_main(void);

static void read_cmdline(uint64_t at) {
    const char *from = (const char *)at;
    uint32_t i = 0;
    if (at != 0) {
        for (; i < BASE_CMDLINE_BYTES_MAX && from[i]; i++) machine.cmdline[i] = from[i];
    }
    machine.cmdline[i] = 0;
    if (at != 0 && from[i]) refuse_image("the command line is longer than 4,095 bytes", "", 0);
}

static void read_memory_map(const struct start_info *info) {
    const struct memory_map_entry *map = (const struct memory_map_entry *)info->memory_map_at;
    for (uint32_t i = 0; i < info->memory_map_count; i++) {
        uint64_t start = ROUND_UP(map[i].start, PAGE_BYTES);
        uint64_t end = ROUND_DOWN(map[i].start + map[i].bytes, PAGE_BYTES);
        if (map[i].type != MEMORY_TYPE_RAM || start >= 1ull << 32) continue;
        if (end > 1ull << 32) end = 1ull << 32;
        if (start == 0) start = PAGE_BYTES;
        if (start >= end || machine.ram_count == RAM_REGIONS_MAX) continue;
        if (is_ram(start, end - start)) continue; /* Memory listed twice is used once. */
        machine.ram[machine.ram_count++] = (struct ram_region){.start = start, .end = end};
        machine.ram_bytes += end - start;
    }
}

/* Where the payload is, if its header is plausible; payload_check() judges the rest. */
static void find_payload(void) {
    const struct base_payload_header *header = (const struct base_payload_header *)base_end;
    machine.payload_start = machine.payload_end = (uint64_t)base_end;
    if (!is_ram((uint64_t)base_end, sizeof(*header))) return;
    for (uint32_t i = 0; i < sizeof(header->magic); i++) {
        if (header->magic[i] != BASE_PAYLOAD_MAGIC[i]) return;
    }
    uint64_t room = ram_end_of(machine.payload_start) - machine.payload_start;
    if (header->total_bytes < sizeof(*header) || header->total_bytes > room) {
        refuse_image("it needs more memory than the machine has", "", 0);
    }
    machine.payload_end = ROUND_UP(machine.payload_start + header->total_bytes, PAGE_BYTES);
}

void base_boot(uint32_t start_info_at) {
    clock_start();
    uart_init();
    const struct start_info *info = (const struct start_info *)(uint64_t)start_info_at;
    if (info->magic != START_MAGIC) panic("not booted through PVH: no start information");
    if (info->version < 1) panic("the PVH start information has no memory map (version 0)");
    read_cmdline(info->cmdline_at);
    read_memory_map(info);
    find_payload();
    traps_init();
    paging_init();
    payload_check();
    interrupts_init();
    heap_init();
    write_msr(MSR_STAR, (uint64_t)0x08 << 32);
    write_msr(MSR_LSTAR, (uint64_t)base_syscall_entry);
    write_msr(MSR_FMASK, 0);
    /* As a Linux exec leaves it: argc, argv, environment, auxiliary vector. */
    static uint64_t stack[] = {0, 0, 0, AT_PAGESZ, PAGE_BYTES, AT_NULL, 0, 0};
    uint64_t *top = (uint64_t *)((uint64_t)base_stack_top - sizeof(stack));
    for (uint32_t i = 0; i < COUNT_OF(stack); i++) top[i] = stack[i];
    base_start_libc(top);
}

int base_main(void) { machine_exit(engine_run()); }
