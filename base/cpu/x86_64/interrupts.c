/*
 * Interrupts as wake-ups: each sets a bit and ends the idle wait, no more happens in a handler.
 * They are enabled only in idle_until() and interrupts_poll(); the handler returns with them
 * disabled again, so that a level that its device still holds cannot storm. Under the profiler
 * they are enabled throughout, and the task priority (CR8) lets only its own vector through.
 * Local APIC: Intel SDM vol. 3 ch. 11; I/O APIC: Intel 82093AA.
 */
#include "base.h"
#include "cpu.h"

#define IOAPIC_AT 0xfec00000ull
#define LAPIC_ENABLED_BIT (1ull << 11)
#define LAPIC_X2_BIT (1ull << 10)
#define LAPIC_ID 0x20u
#define LAPIC_EOI 0xb0u
#define LAPIC_SPURIOUS 0xf0u
#define LAPIC_TIMER_LVT 0x320u
#define LAPIC_TIMER_INITIAL 0x380u
#define LAPIC_TIMER_CURRENT 0x390u
#define LAPIC_TIMER_DIVIDE 0x3e0u
#define LVT_MASKED_BIT (1u << 16)
#define DIVIDE_BY_16 3u
#define MSR_X2APIC_FIRST 0x800u
#define MESSAGE_ADDRESS 0xfee00000u
#define PIT_HZ 1193182u
#define PROFILE_PIN 2u      /* The interval timer's line 0 is pin 2 of the I/O APIC. */
#define PROFILE_PRIORITY 4u /* Blocks vectors below VECTOR_PROFILE's class, 5. */
_Static_assert(VECTOR_TIMER >> 4 == PROFILE_PRIORITY && VECTOR_PROFILE >> 4 > PROFILE_PRIORITY, "");
#define LONGEST_SLEEP_US 60000000ull

static bool x2apic;
static uint64_t lapic_at;
static uint32_t lapic_id;
static volatile uint32_t woken_bits;
static volatile bool arrived;
static uint32_t wake_bits_used;
/* The timer's ticks are measured against the TSC between interrupts_init() and the first wait. */
static uint64_t timer_start_tsc, timer_khz;

static uint32_t lapic_read(uint32_t reg) {
    if (x2apic) return (uint32_t)read_msr(MSR_X2APIC_FIRST + (reg >> 4));
    return *(volatile uint32_t *)(lapic_at + reg);
}

static void lapic_write(uint32_t reg, uint32_t value) {
    if (x2apic) write_msr(MSR_X2APIC_FIRST + (reg >> 4), value);
    else *(volatile uint32_t *)(lapic_at + reg) = value;
}

static uint32_t ioapic_read(uint32_t reg) {
    *(volatile uint32_t *)IOAPIC_AT = reg;
    return *(volatile uint32_t *)(IOAPIC_AT + 0x10);
}

static void ioapic_write(uint32_t reg, uint32_t value) {
    *(volatile uint32_t *)IOAPIC_AT = reg;
    *(volatile uint32_t *)(IOAPIC_AT + 0x10) = value;
}

/* The two 8259s: moved off the exception vectors, then masked for good. */
static void silence_pic(void) {
    out8(0x20, 0x11), out8(0xa0, 0x11);
    out8(0x21, 0x20), out8(0xa1, 0x28);
    out8(0x21, 4), out8(0xa1, 2);
    out8(0x21, 1), out8(0xa1, 1);
    out8(0x21, 0xff), out8(0xa1, 0xff);
}

void interrupts_init(void) {
    silence_pic();
    uint64_t apic = read_msr(MSR_APIC_BASE);
    write_msr(MSR_APIC_BASE, apic | LAPIC_ENABLED_BIT);
    x2apic = apic & LAPIC_X2_BIT;
    lapic_at = apic & 0xfffff000;
    lapic_id = x2apic ? lapic_read(LAPIC_ID) : lapic_read(LAPIC_ID) >> 24;
    lapic_write(LAPIC_SPURIOUS, 0x100 | VECTOR_SPURIOUS);
    lapic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_16);
    lapic_write(LAPIC_TIMER_LVT, LVT_MASKED_BIT | VECTOR_TIMER);
    lapic_write(LAPIC_TIMER_INITIAL, UINT32_MAX);
    timer_start_tsc = read_tsc();
}

/* Called with the TSC's rate known: how fast the free-running timer has counted since boot. */
static void measure_timer(void) {
    uint64_t ticks = UINT32_MAX - lapic_read(LAPIC_TIMER_CURRENT);
    uint64_t tsc_ticks = read_tsc() - timer_start_tsc;
    timer_khz = ticks * clock_tsc_khz() / (tsc_ticks ? tsc_ticks : 1);
    if (timer_khz == 0) panic("the local APIC's timer does not count");
    lapic_write(LAPIC_TIMER_LVT, VECTOR_TIMER);
}

static int take_wake_bit(void) {
    if (wake_bits_used == BASE_WAKE_BITS) return -1;
    return (int)wake_bits_used++;
}

int interrupt_line(uint32_t gsi, bool level, bool low) {
    uint32_t entries = (ioapic_read(1) >> 16 & 0xff) + 1;
    if (gsi >= entries) return -1;
    int bit = take_wake_bit();
    if (bit < 0) return -1;
    ioapic_write(0x11 + 2 * gsi, lapic_id << 24);
    ioapic_write(0x10 + 2 * gsi,
        (VECTOR_WAKE_FIRST + (uint32_t)bit) | (low ? 1u << 13 : 0) | (level ? 1u << 15 : 0));
    return bit;
}

int interrupt_message(uint32_t *address, uint32_t *data) {
    int bit = take_wake_bit();
    *address = MESSAGE_ADDRESS | lapic_id << 12;
    *data = VECTOR_WAKE_FIRST + (uint32_t)bit;
    return bit;
}

static void (*profile_sample)(uint64_t rip, bool idle);
static bool idle;

/* Around every stretch where wake-ups may come in; nothing at all without the profiler. */
static void open_window(void) {
    __asm__ volatile("cli" : : : "memory");
    if (profile_sample != NULL) write_cr8(0);
    idle = true;
}

static void close_window(void) {
    idle = false;
    if (profile_sample == NULL) return;
    write_cr8(PROFILE_PRIORITY);
    __asm__ volatile("sti" : : : "memory");
}

bool interrupts_profile(uint32_t hz, void (*sample)(uint64_t rip, bool idle)) {
    __asm__ volatile("cli" : : : "memory");
    profile_sample = sample;
    ioapic_write(0x11 + 2 * PROFILE_PIN, lapic_id << 24);
    ioapic_write(0x10 + 2 * PROFILE_PIN, VECTOR_PROFILE | (sample == NULL ? LVT_MASKED_BIT : 0));
    uint32_t divisor = PIT_HZ / (hz == 0 ? 20 : hz);
    out8(0x43, 0x34); /* Channel 0, mode 2, both bytes. */
    out8(0x40, (uint8_t)divisor);
    out8(0x40, (uint8_t)(divisor >> 8));
    write_cr8(0);
    close_window();
    return true;
}

void interrupt_arrived(struct trap_frame *frame) {
    uint64_t vector = frame->vector;
    if (vector == VECTOR_PROFILE) {
        if (profile_sample != NULL) profile_sample(frame->rip, idle); /* One was on its way. */
        lapic_write(LAPIC_EOI, 0);
        return;
    }
    if (vector >= VECTOR_WAKE_FIRST && vector < VECTOR_TIMER)
        woken_bits |= 1u << (vector - VECTOR_WAKE_FIRST);
    arrived = true;
    frame->rflags &= ~RFLAGS_INTERRUPT_BIT;
    bool from_pic = vector >= 0x20 && vector < VECTOR_WAKE_FIRST;
    if (vector != VECTOR_SPURIOUS && !from_pic) lapic_write(LAPIC_EOI, 0);
}

static uint32_t take_woken(void) {
    uint32_t bits = woken_bits;
    woken_bits = 0;
    return bits;
}

uint32_t interrupts_poll(void) {
    uint32_t before;
    open_window();
    do {
        before = woken_bits;
        arrived = false;
        __asm__ volatile("sti\n nop\n nop\n cli" : : : "memory");
    } while (arrived && woken_bits != before);
    uint32_t bits = take_woken();
    close_window();
    return bits;
}

static void arm_timer(uint64_t now_us, uint64_t deadline_us) {
    uint64_t wait_us = deadline_us - now_us;
    if (wait_us > LONGEST_SLEEP_US) wait_us = LONGEST_SLEEP_US;
    lapic_write(LAPIC_TIMER_INITIAL, (uint32_t)(wait_us * timer_khz / 1000 + 1));
}

uint32_t idle_until(uint64_t deadline_us) {
    if (timer_khz == 0) measure_timer();
    bool timed = deadline_us != UINT64_MAX;
    open_window();
    while (woken_bits == 0) {
        uint64_t now_us = clock_monotonic_us();
        if (now_us >= deadline_us) break;
        if (timed) arm_timer(now_us, deadline_us);
        /* An interrupt that comes between sti and hlt is taken only after hlt: none is lost. */
        __asm__ volatile("sti\n hlt\n cli" : : : "memory");
    }
    if (timed) lapic_write(LAPIC_TIMER_INITIAL, 0);
    uint32_t bits = take_woken();
    close_window();
    return bits;
}
