/*
 * CPU exceptions end the image with a readable dump and BASE_EXIT_PANIC. They run on their own
 * stack (IST), so that an overflowed stack can still be reported. Interrupts go to interrupts.c.
 */
#include "base.h"
#include "cpu.h"
#include "interrupts.h"

#define TRAP_STUB_BYTES 16
#define TRAP_VECTORS 96
#define EXCEPTION_VECTORS 32
#define FAULT_STACK_BYTES 8192
#define PAGE_FAULT_VECTOR 14
#define PAGE_FAULT_PRESENT_BIT 1u
#define PAGE_FAULT_WRITE_BIT 2u
#define PAGE_FAULT_FETCH_BIT 16u

struct idt_gate {
    uint16_t address_low, selector;
    uint8_t stack, type;
    uint16_t address_middle;
    uint32_t address_high, reserved;
};
_Static_assert(sizeof(struct idt_gate) == 16, "64-bit interrupt gate");

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3], reserved1, ist[7], reserved2;
    uint16_t reserved3, io_map;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "64-bit task state segment");

extern char base_trap_stubs[];
extern uint64_t base_gdt_tss[2];
void base_trap(struct trap_frame *frame);

static struct idt_gate idt[TRAP_VECTORS];
static struct tss tss;
/* One for faults, one for a double fault or machine check, one for the profiler's interrupt. */
static uint8_t fault_stacks[3][FAULT_STACK_BYTES] __attribute__((aligned(16)));
static bool dumping;

static const char *const exception_names[EXCEPTION_VECTORS] = {
    "divide error", "debug", "non-maskable interrupt", "breakpoint", "overflow", "bound range",
    "invalid opcode", "device not available", "double fault", "coprocessor overrun", "invalid TSS",
    "segment not present", "stack segment fault", "general protection", "page fault", "reserved",
    "x87 floating point", "alignment check", "machine check", "SIMD floating point",
    "virtualization", "control protection", "reserved", "reserved", "reserved", "reserved",
    "reserved", "reserved", "hypervisor injection", "VMM communication", "security", "reserved",
};

static void set_gate(uint32_t vector, uint8_t stack) {
    uint64_t address = (uint64_t)base_trap_stubs + vector * TRAP_STUB_BYTES;
    idt[vector] = (struct idt_gate){
        .address_low = (uint16_t)address,
        .selector = 8,
        .stack = stack,
        .type = 0x8e,
        .address_middle = (uint16_t)(address >> 16),
        .address_high = (uint32_t)(address >> 32),
    };
}

void traps_init(void) {
    for (uint32_t vector = 0; vector < TRAP_VECTORS; vector++) {
        bool severe = vector == 2 || vector == 8 || vector == 18;
        uint8_t stack = severe ? 2 : vector < EXCEPTION_VECTORS ? 1 : 0;
        set_gate(vector, vector == VECTOR_PROFILE ? 3 : stack);
    }
    for (uint32_t i = 0; i < COUNT_OF(fault_stacks); i++) {
        tss.ist[i] = (uint64_t)fault_stacks[i] + FAULT_STACK_BYTES;
    }
    tss.io_map = sizeof(tss);
    uint64_t at = (uint64_t)&tss;
    base_gdt_tss[0] = (sizeof(tss) - 1) | (at & 0xffffff) << 16 | 0x89ull << 40
        | (at >> 24 & 0xff) << 56;
    base_gdt_tss[1] = at >> 32;
    const struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = {sizeof(idt) - 1, (uint64_t)idt};
    __asm__ volatile("lidt %0" : : "m"(pointer));
    __asm__ volatile("ltr %w0" : : "r"(0x18));
}

static const char *page_fault_reason(const struct trap_frame *frame, uint64_t address) {
    uint64_t text = (uint64_t)base_text_start, rodata = (uint64_t)base_rodata_start;
    uint64_t guard = (uint64_t)base_stack_guard;
    if (address < PAGE_BYTES) return "null dereference";
    if (address >= guard && address < guard + PAGE_BYTES) return "stack overflow (guard page)";
    if (frame->error_code & PAGE_FAULT_FETCH_BIT) return "execution of a page that holds data";
    if (!(frame->error_code & PAGE_FAULT_PRESENT_BIT)) return "access to an unmapped page";
    if (!(frame->error_code & PAGE_FAULT_WRITE_BIT)) return "read of a protected page";
    if (address >= text && address < rodata) return "write to a page of code";
    if (address >= machine.payload_start && address < machine.payload_end) {
        return "write to the image's read-only contents";
    }
    return "write to a read-only page";
}

static void dump_register(const char *name, uint64_t value, bool line_end) {
    console_text(name);
    console_hex(value, 16);
    console_text(line_end ? "\n" : "  ");
}

static _Noreturn void dump(const struct trap_frame *f) {
    if (dumping) machine_exit(BASE_EXIT_PANIC);
    dumping = true;
    uint64_t cr2 = read_cr2();
    console_text("\nbase: CPU exception: ");
    console_text(exception_names[f->vector]);
    if (f->vector == PAGE_FAULT_VECTOR) {
        console_text(": ");
        console_text(page_fault_reason(f, cr2));
    }
    console_text("\nvector ");
    console_decimal(f->vector);
    console_text("  error code 0x");
    console_hex(f->error_code, 4);
    console_text("\n");
    dump_register("rip ", f->rip, false);
    dump_register("rsp ", f->rsp, false);
    dump_register("cr2 ", cr2, true);
    dump_register("rax ", f->rax, false);
    dump_register("rbx ", f->rbx, false);
    dump_register("rcx ", f->rcx, true);
    dump_register("rdx ", f->rdx, false);
    dump_register("rsi ", f->rsi, false);
    dump_register("rdi ", f->rdi, true);
    dump_register("rbp ", f->rbp, false);
    dump_register("r8  ", f->r8, false);
    dump_register("r9  ", f->r9, true);
    dump_register("r10 ", f->r10, false);
    dump_register("r11 ", f->r11, false);
    dump_register("r12 ", f->r12, true);
    dump_register("r13 ", f->r13, false);
    dump_register("r14 ", f->r14, false);
    dump_register("r15 ", f->r15, true);
    dump_register("cs  ", f->cs, false);
    dump_register("ss  ", f->ss, false);
    dump_register("flg ", f->rflags, true);
    machine_exit(BASE_EXIT_PANIC);
}

void base_trap(struct trap_frame *frame) {
    if (frame->vector < EXCEPTION_VECTORS) dump(frame);
    interrupt_arrived(frame);
}
