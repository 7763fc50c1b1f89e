/*
 * Only in base-test.elf: `__base.fault(kind)` breaks one promise on purpose, so that the boot tests
 * can see that the machine notices. `fault("syscall")` returns what an unknown system call gives.
 */
#include "engine.h"
#include <stdlib.h>
#include <string.h>

static const uint8_t constant_byte = 1;
static uint8_t code_in_data[] = {0xc3}; /* ret */

static uint64_t overflow(uint64_t depth) {
    volatile uint8_t frame[1024];
    frame[0] = (uint8_t)depth;
    return depth == UINT64_MAX ? 0 : overflow(depth + 1) + frame[0];
}

static int64_t unknown_syscall(void) {
    int64_t result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(9999) : "rcx", "r11", "memory");
    return result;
}

static __attribute__((noinline, noipa)) void write_byte(uint64_t address) {
    *(volatile uint8_t *)address = 1;
}

static void double_free(void) {
    uint8_t *run = heap_allocate_pages(8 * PAGE_BYTES, PAGE_BYTES);
    heap_free(run); /* Runs come from above: the free run before this one takes it in. */
    heap_free(run);
}

static uint64_t idt_address(void) {
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer;
    __asm__ volatile("sidt %0" : "=m"(pointer));
    return pointer.base;
}

/* Whether the table entry of a device above 4 GiB can be made, and the tables stay read-only. */
static void write_page_table(void) {
    uint64_t pml4;
    __asm__ volatile("mov %%cr3, %0" : "=r"(pml4));
    if (paging_map_device(0x6000000000) && paging_map_device(0x6000000008)) write_byte(pml4);
}

static JSValue fault_js(ARGUMENTS) {
    const char *kind = JS_ToCString(ctx, argv[0]);
    if (kind == NULL) return JS_EXCEPTION;
    int64_t result = 0;
    if (strcmp(kind, "write-text") == 0) write_byte((uint64_t)base_text_start + 64);
    else if (strcmp(kind, "write-rodata") == 0) write_byte((uint64_t)&constant_byte);
    else if (strcmp(kind, "null") == 0) write_byte(8);
    else if (strcmp(kind, "unmapped") == 0) write_byte(1ull << 40);
    else if (strcmp(kind, "execute-data") == 0) __asm__ volatile("call *%0" : : "r"(code_in_data));
    else if (strcmp(kind, "stack-overflow") == 0) result = (int64_t)overflow(0);
    else if (strcmp(kind, "divide") == 0) {
        __asm__ volatile("xorl %%ecx, %%ecx\n divl %%ecx" : : : "eax", "ecx", "edx");
    } else if (strcmp(kind, "invalid-opcode") == 0) __asm__ volatile("ud2");
    else if (strcmp(kind, "nmi") == 0) __asm__ volatile("int $2");
    else if (strcmp(kind, "double-fault") == 0) __asm__ volatile("int $8");
    else if (strcmp(kind, "machine-check") == 0) __asm__ volatile("int $18");
    else if (strcmp(kind, "vector-high") == 0) __asm__ volatile("int $200");
    else if (strcmp(kind, "smashed-stack") == 0) {
        __asm__ volatile("movabsq $0x8000000000000000, %rsp\n pushq %rax");
    } else if (strcmp(kind, "abort") == 0) abort();
    else if (strcmp(kind, "double-free") == 0) double_free();
    else if (strcmp(kind, "write-idt") == 0) write_byte(idt_address());
    else if (strcmp(kind, "write-page-table") == 0) write_page_table();
    else if (strcmp(kind, "syscall") == 0) result = unknown_syscall() * 1000 - syscalls_unknown;
    else result = -1;
    JS_FreeCString(ctx, kind);
    return JS_NewInt64(ctx, result);
}

void engine_install_fault(JSContext *ctx, JSValueConst base) {
    JS_SetPropertyStr(ctx, base, "fault", JS_NewCFunction(ctx, fault_js, "fault", 1));
}
