/*
 * Page protections: text executes and cannot be written, constants can be read, data never
 * executes, page zero and the stack's guard page are not there, device memory is uncached; the
 * page tables and the CPU's other tables are read-only too (CR0.WP).
 * entry.S has mapped the first 4 GiB, writable and executable, in 2 MiB pages; this refines it.
 */
#include "base.h"
#include "cpu.h"

#define LARGE_BYTES 0x200000ull
#define LARGE_PAGES_LOW 2048u
#define ADDRESS_MASK 0x000ffffffffff000ull
#define TABLE_ENTRIES 512u
/* Six boundaries inside 2 MiB pages at most, ten giant windows of device memory. */
#define SPARE_TABLES 16u

#define CR0_WRITE_PROTECT_BIT 0x10000ull

extern uint64_t base_pd[LARGE_PAGES_LOW], base_pdpt[TABLE_ENTRIES], base_pml4[TABLE_ENTRIES];
extern uint64_t base_spare_tables[SPARE_TABLES][TABLE_ENTRIES]; /* All four end at the guard. */
static uint32_t spare_used;

static uint64_t *take_table(void) {
    if (spare_used == SPARE_TABLES) panic("out of page tables");
    return base_spare_tables[spare_used++];
}

/* The 4 KiB table below a 2 MiB entry; a large page is split into pages of the same flags. */
static uint64_t *small_table(uint64_t *entry) {
    if (*entry & PTE_LARGE_BIT) {
        uint64_t *table = take_table();
        uint64_t flags = *entry & ~(ADDRESS_MASK | PTE_LARGE_BIT);
        uint64_t address = *entry & ADDRESS_MASK;
        for (uint32_t i = 0; i < TABLE_ENTRIES; i++) table[i] = (address + i * PAGE_BYTES) | flags;
        *entry = (uint64_t)table | PTE_PRESENT_BIT | PTE_WRITE_BIT;
    }
    return (uint64_t *)(*entry & ADDRESS_MASK);
}

/* Gives [start, end), page aligned and below 4 GiB, these flags; flags 0 unmaps. */
static void paging_set(uint64_t start, uint64_t end, uint64_t flags) {
    uint64_t at = start;
    while (at < end) {
        uint64_t *entry = &base_pd[at / LARGE_BYTES];
        if (at % LARGE_BYTES == 0 && end - at >= LARGE_BYTES && (*entry & PTE_LARGE_BIT)) {
            *entry = at | flags | PTE_LARGE_BIT;
            at += LARGE_BYTES;
        } else {
            small_table(entry)[at / PAGE_BYTES % TABLE_ENTRIES] = flags ? at | flags : 0;
            at += PAGE_BYTES;
        }
    }
    write_cr3(read_cr3()); /* Forgets what the CPU has cached. */
}

void paging_init(void) {
    const uint64_t constant = PTE_PRESENT_BIT | PTE_NO_EXECUTE_BIT;
    const uint64_t data = constant | PTE_WRITE_BIT;
    uint64_t image_end = machine.payload_end;
    for (uint64_t i = 0; i < LARGE_PAGES_LOW; i++) {
        uint64_t at = i * LARGE_BYTES;
        if (at < image_end) continue;
        base_pd[i] = at | data | PTE_LARGE_BIT | (is_ram(at, LARGE_BYTES) ? 0 : PTE_UNCACHED_MASK);
    }
    paging_set(0, PAGE_BYTES, 0);
    paging_set(PAGE_BYTES, (uint64_t)base_text_start, data);
    paging_set((uint64_t)base_text_start, (uint64_t)base_rodata_start, PTE_PRESENT_BIT);
    paging_set((uint64_t)base_rodata_start, (uint64_t)base_data_start, constant);
    paging_set((uint64_t)base_data_start, (uint64_t)base_end, data);
    paging_set((uint64_t)base_pml4, (uint64_t)base_stack_guard, constant);
    paging_set((uint64_t)base_stack_guard, (uint64_t)base_stack_guard + PAGE_BYTES, 0);
    paging_set((uint64_t)base_end, image_end, constant);
    paging_set(image_end, ROUND_UP(image_end, LARGE_BYTES), data);
    if (cpuid(0, 0).eax >= 7) {
        struct cpuid features = cpuid(7, 0);
        uint64_t cr4 = read_cr4();
        if (features.ebx & (1u << 7)) cr4 |= 1u << 20;  /* SMEP */
        if (features.ecx & (1u << 2)) cr4 |= 1u << 11;  /* UMIP */
        write_cr4(cr4);
    }
    write_cr0(read_cr0() | CR0_WRITE_PROTECT_BIT);
}

bool paging_map_device(uint64_t address) {
    const uint64_t table_flags = PTE_PRESENT_BIT | PTE_WRITE_BIT;
    if (address < 1ull << 32) return true;
    if (address >= 1ull << 39) return false;
    uint64_t *directory_entry = &base_pdpt[address >> 30], cr0 = read_cr0();
    uint64_t index = address / LARGE_BYTES % TABLE_ENTRIES;
    if (*directory_entry && ((uint64_t *)(*directory_entry & ADDRESS_MASK))[index]) return true;
    write_cr0(cr0 & ~CR0_WRITE_PROTECT_BIT);
    if (*directory_entry == 0) *directory_entry = (uint64_t)take_table() | table_flags;
    ((uint64_t *)(*directory_entry & ADDRESS_MASK))[index] = ROUND_DOWN(address, LARGE_BYTES)
        | PTE_LARGE_BIT | PTE_NO_EXECUTE_BIT | table_flags | PTE_UNCACHED_MASK;
    write_cr0(cr0);
    return true;
}
