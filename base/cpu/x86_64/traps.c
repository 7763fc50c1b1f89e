/*
 * CPU exceptions end the image with a readable dump and BASE_EXIT_PANIC. They run on their own
 * stack (IST), so that an overflowed stack can still be reported. Interrupts go to interrupts.c.
 */
#include "base.h"
#include "cpu.h"

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

static SEALED struct idt_gate idt[TRAP_VECTORS];
static SEALED struct tss tss;
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
    for (uint32_t i = 0; i < COUNT_OF(fault_stacks); i++)
        tss.ist[i] = (uint64_t)fault_stacks[i] + FAULT_STACK_BYTES;
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
    if (address >= machine.payload_start && address < machine.payload_end)
        return "write to the image's read-only contents";
    return "write to a read-only page";
}

/* Words on the stack that point into code: mostly return addresses, for base.sym to name. */
static void dump_stack(uint64_t rsp) {
    uint64_t top = (uint64_t)base_stack_top;
    if (rsp % 8 != 0 || rsp < (uint64_t)base_stack_bottom || rsp >= top) return;
    console_text("stack");
    for (uint32_t shown = 0; rsp < top && shown < 16; rsp += 8) {
        uint64_t word = *(const uint64_t *)rsp;
        if (word < (uint64_t)base_text_start || word >= (uint64_t)base_rodata_start) continue;
        console_text(" ");
        console_hex(word, 6);
        shown++;
    }
    console_text("\n");
}

static _Noreturn void dump(const struct trap_frame *f) {
    if (dumping) machine_exit(BASE_EXIT_PANIC);
    dumping = true;
    const struct {
        const char *name;
        uint64_t value;
    } registers[] = {
        {"rip ", f->rip}, {"rsp ", f->rsp}, {"cr2 ", read_cr2()}, {"rax ", f->rax},
        {"rbx ", f->rbx}, {"rcx ", f->rcx}, {"rdx ", f->rdx}, {"rsi ", f->rsi},
        {"rdi ", f->rdi}, {"rbp ", f->rbp}, {"r8  ", f->r8}, {"r9  ", f->r9},
        {"r10 ", f->r10}, {"r11 ", f->r11}, {"r12 ", f->r12}, {"r13 ", f->r13},
        {"r14 ", f->r14}, {"r15 ", f->r15}, {"cs  ", f->cs}, {"ss  ", f->ss}, {"flg ", f->rflags},
    };
    console_text("\nbase: CPU exception: ");
    console_text(exception_names[f->vector]);
    if (f->vector == PAGE_FAULT_VECTOR) {
        console_text(": ");
        console_text(page_fault_reason(f, read_cr2()));
    }
    console_text("\nvector 0x");
    console_hex(f->vector, 2);
    console_text("  error code 0x");
    console_hex(f->error_code, 4);
    for (uint32_t i = 0; i < COUNT_OF(registers); i++) {
        console_text(i % 3 == 0 ? "\n" : "  ");
        console_text(registers[i].name);
        console_hex(registers[i].value, 16);
    }
    console_text("\n");
    dump_stack(f->rsp);
    machine_exit(BASE_EXIT_PANIC);
}

void base_trap(struct trap_frame *frame) {
    if (frame->vector < EXCEPTION_VECTORS) dump(frame);
    interrupt_arrived(frame);
}
