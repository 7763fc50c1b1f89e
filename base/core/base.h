/*
 * What the base's parts offer each other. Read in boot order: plat/pvh/boot.c, cpu/x86_64/, core/,
 * engine/. Addresses are physical, which equals virtual: the first 4 GiB are mapped one to one.
 */
#ifndef BASE_H
#define BASE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base_abi.h"

#define PAGE_BYTES 4096ull
#define ROUND_UP(n, to) (((n) + (to) - 1) & ~(uint64_t)((to) - 1))
#define ROUND_DOWN(n, to) ((n) & ~(uint64_t)((to) - 1))
/* Written at boot, read-only from paging_init() on. */
#define SEALED __attribute__((section(".sealed")))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The linker script's marks. */
extern char base_text_start[], base_rodata_start[], base_data_start[];
extern char base_end[], base_stack_guard[], base_stack_bottom[], base_stack_top[];

/* plat/X/ and core/console.c: text to the console; no allocation, usable in a fault. */
void console_write(const char *text, size_t bytes);
int console_read(void); /* A byte, or -1 when none waits. */
_Noreturn void machine_exit(int code);
void console_text(const char *text);
void console_hex(uint64_t value, int digits);
/* Prints "base: <message>" and stops with BASE_EXIT_PANIC. */
_Noreturn void panic(const char *message);
_Noreturn void refuse_image(const char *message, const char *detail, size_t detail_bytes);

/* core/machine.c: what plat/X/ found at the start. */
#define RAM_REGIONS_MAX 16
struct ram_region {
    uint64_t start, end; /* Page aligned, below 4 GiB. */
};
struct machine {
    struct ram_region ram[RAM_REGIONS_MAX];
    uint32_t ram_count;
    uint64_t ram_bytes;
    char cmdline[BASE_CMDLINE_BYTES_MAX + 1];
    uint64_t payload_start, payload_end; /* Page aligned; equal when there is none. */
};
extern struct machine machine;
/* Value of `name=N` before a lone `--` on the command line, decimal; false without a number. */
bool cmdline_number(const char *name, uint64_t *value);
bool is_ram(uint64_t address, uint64_t bytes);
uint64_t ram_end_of(uint64_t address); /* End of its region, or 0. */

/* cpu/x86_64/paging.c */
#define PTE_PRESENT_BIT 0x1ull
#define PTE_WRITE_BIT 0x2ull
#define PTE_UNCACHED_MASK 0x18ull
#define PTE_LARGE_BIT 0x80ull
#define PTE_NO_EXECUTE_BIT (1ull << 63)
void paging_init(void);
/* Makes device memory at [address, address + 8) reachable; false above 512 GiB. */
bool paging_map_device(uint64_t address);

/* plat/pvh/uart_exit.c, cpu/x86_64/traps.c, interrupts.c */
void uart_init(void);
void traps_init(void);
void interrupts_init(void);
int interrupt_line(uint32_t gsi, bool level, bool low);
int interrupt_message(uint32_t *address, uint32_t *data);
/* Waiting, clocks and entropy: cpu/x86_64/ on bare machines, plat/process/host.c. */
/* Halts until an interrupt or the deadline (UINT64_MAX: none); returns the wake-up bits. */
uint32_t idle_until(uint64_t deadline_us);
/* The wake-up bits of interrupts that wait now, without halting. */
uint32_t interrupts_poll(void);
/* Calls `sample` `hz` times a second, from an interrupt, with where the CPU was; NULL ends that.
 * The rest of the base's interrupts stay where they were. False when this machine can't. */
bool interrupts_profile(uint32_t hz, void (*sample)(uint64_t rip, bool idle));
void clock_start(void);
void clock_calibrate(void); /* Called once the engine has started. */
uint64_t clock_monotonic_us(void);
uint64_t clock_wall_us(void);
uint64_t clock_tsc_khz(void);
bool entropy_fill(uint8_t *out, size_t bytes);

/* core/heap.c: the one allocator, of QuickJS, musl and DMA memory. */
struct heap_stats {
    uint64_t total_bytes, used_bytes;
};
extern struct heap_stats heap;
void heap_init(void);
void heap_give(uint64_t start, uint64_t end);
void *heap_allocate(size_t bytes);
void *heap_allocate_pages(size_t bytes, size_t align);
void *heap_reallocate(void *memory, size_t bytes);
void heap_free(void *memory);
size_t heap_size_of(const void *memory);

/* core/payload.c */
struct section {
    uint32_t kind;
    const char *name;
    uint32_t name_bytes;
    const uint8_t *bytes;
    uint64_t byte_count;
};
uint32_t payload_section_count(void);
struct section payload_section(uint32_t index);
/* Checks everything that the packer promised; stops the image on the first broken promise. */
void payload_check(void);

extern uint32_t syscalls_unknown;

/* engine/ */
int engine_run(void);
#endif
