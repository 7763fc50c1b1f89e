/*
 * Clocks, both from the TSC. Its rate comes from, in this order: `tsc_khz=N` on the command line,
 * the hypervisor (CPUID 0x40000010), else from counting it against channel 2 of the interval timer
 * over the time that the engine takes to start, which costs nothing.
 * Wall time starts from `wall_ms=N` on the command line, else from the CMOS clock.
 */
#include "base.h"
#include "cpu.h"

#define PIT_HZ 1193182ull
#define PIT_CHANNEL2 0x42
#define PIT_COMMAND 0x43
#define PIT_GATE 0x61
#define PIT_OUTPUT_BIT 0x20
#define PIT_COUNT_MAX 0xffffu
#define CALIBRATE_US_MIN 5000ull
#define PIT_TRIES_MAX 100000u
#define CMOS_TRIES_MAX 10000u /* Above 2 ms, the longest update. */
#define YEAR_10000_MS 253402300800000ull

static uint64_t tsc_at_boot, tsc_khz;
static uint64_t us_per_tick_64; /* Microseconds a tick, times 2^64. */
static uint64_t wall_us_at_boot;

static void pit_start(void) {
    out8(PIT_GATE, (uint8_t)((in8(PIT_GATE) & ~2) | 1)); /* Gate on, speaker off. */
    out8(PIT_COMMAND, 0xb0);                             /* Channel 2, mode 0, both bytes. */
    out8(PIT_CHANNEL2, 0xff);
    out8(PIT_CHANNEL2, 0xff);
}

static uint32_t pit_elapsed(void) {
    out8(PIT_COMMAND, 0x80); /* Latch. */
    uint32_t low = in8(PIT_CHANNEL2);
    return PIT_COUNT_MAX - (low | (uint32_t)in8(PIT_CHANNEL2) << 8);
}

void clock_start(void) {
    pit_start();
    tsc_at_boot = read_tsc();
}

/* The tightest of a few readings of both counters: a descheduled host spoils only some. */
static uint64_t calibrate_khz(void) {
    uint64_t best_spread = UINT64_MAX, best_khz = 0;
    if (in8(PIT_GATE) & PIT_OUTPUT_BIT) clock_start(); /* Ran out: starting took above 55 ms. */
    for (uint32_t tries = 0; tries < PIT_TRIES_MAX; tries++) { /* A machine may have no timer. */
        if (pit_elapsed() >= CALIBRATE_US_MIN * PIT_HZ / 1000000) break;
    }
    for (int i = 0; i < 4; i++) {
        uint64_t before = read_tsc();
        uint32_t elapsed = pit_elapsed();
        uint64_t after = read_tsc();
        if (after - before >= best_spread || elapsed == 0) continue;
        best_spread = after - before;
        best_khz = (before + best_spread / 2 - tsc_at_boot) * PIT_HZ / elapsed / 1000;
    }
    return best_khz;
}

static uint64_t known_khz(void) {
    uint64_t khz;
    if (cmdline_number("tsc_khz", &khz) && khz >= 1000 && khz <= 100000000) return khz;
    if ((cpuid(1, 0).ecx >> 31) && cpuid(0x40000000, 0).eax >= 0x40000010) {
        khz = cpuid(0x40000010, 0).eax;
        if (khz != 0) return khz;
    }
    return 0;
}

static uint8_t cmos(uint8_t index) {
    out8(0x70, index);
    return in8(0x71);
}

/* Second, minute, hour, day, month, year, century. */
static void cmos_read(uint8_t out[7]) {
    static const uint8_t registers[] = {0, 2, 4, 7, 8, 9, 0x32};
    for (uint32_t tries = 0; (cmos(0x0a) & 0x80) && tries < CMOS_TRIES_MAX; tries++) cpu_pause();
    for (uint32_t i = 0; i < COUNT_OF(registers); i++) out[i] = cmos(registers[i]);
}

static uint64_t from_bcd(uint8_t value, bool binary) {
    return binary ? value : (uint64_t)(value >> 4) * 10 + (value & 15);
}

/* Days since 1970-01-01 of a Gregorian date (proleptic; H. Hinnant, days_from_civil). */
static uint64_t days_since_1970(uint64_t year, uint64_t month, uint64_t day) {
    year -= month <= 2;
    uint64_t era = year / 400, year_of_era = year % 400;
    uint64_t day_of_year = (153 * (month + (month > 2 ? -3ull : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year
        - 719468;
}

static uint64_t cmos_wall_us(void) {
    uint8_t t[7], again[7];
    cmos_read(again);
    do { /* Until no second passes between two readings. */
        for (uint32_t i = 0; i < sizeof(t); i++) t[i] = again[i];
        cmos_read(again);
    } while (t[0] != again[0]);
    uint8_t format = cmos(0x0b);
    if (format == 0xff) return clock_monotonic_us(); /* No such clock: 1970. */
    bool binary = format & 4;
    uint64_t hour = from_bcd(t[2] & 0x7f, binary), century = from_bcd(t[6], binary);
    if (!(format & 2)) hour = hour % 12 + (t[2] & 0x80 ? 12 : 0);
    if (century < 19 || century > 29) century = 20; /* A machine without that register. */
    uint64_t year = century * 100 + from_bcd(t[5], binary);
    uint64_t days = days_since_1970(year, from_bcd(t[4], binary), from_bcd(t[3], binary));
    uint64_t minutes = hour * 60 + from_bcd(t[1], binary);
    return (days * 86400 + minutes * 60 + from_bcd(t[0], binary)) * 1000000;
}

void clock_calibrate(void) {
    uint64_t wall_ms;
    tsc_khz = known_khz();
    if (tsc_khz == 0) tsc_khz = calibrate_khz();
    if (tsc_khz == 0) panic("the TSC's rate is unknown: give tsc_khz=N on the command line");
    us_per_tick_64 = (uint64_t)(((unsigned __int128)1000 << 64) / tsc_khz);
    bool given = cmdline_number("wall_ms", &wall_ms) && wall_ms < YEAR_10000_MS;
    wall_us_at_boot = given ? wall_ms * 1000 : cmos_wall_us() - clock_monotonic_us();
}

uint64_t clock_monotonic_us(void) {
    return (uint64_t)(((unsigned __int128)(read_tsc() - tsc_at_boot) * us_per_tick_64) >> 64);
}

uint64_t clock_wall_us(void) { return wall_us_at_boot + clock_monotonic_us(); }

uint64_t clock_tsc_khz(void) { return tsc_khz; }
