/*
 * The sampling profiler, on with `profile=HZ` on the command line: where the CPU was, as counts by
 * JavaScript function, by native function that JavaScript called, and by 64 bytes of native code.
 * base/profile.mjs gives the native addresses their names. Sampling an interrupted engine only
 * reads; names are resolved when the text is made.
 */
#include "engine.h"
#include <stdio.h>
#include <string.h>

#define TABLE_ENTRIES 2048u /* A power of two; further keys are counted as lost. */
#define TEXT_BYTES_MAX (256 * 1024)
#define RIP_BUCKET_BITS 6

struct entry {
    uint64_t key;
    uint64_t count;
};

struct profile {
    struct entry script[TABLE_ENTRIES], native[TABLE_ENTRIES], rip[TABLE_ENTRIES];
    uint64_t samples, idle, lost;
};

static struct profile *profile;
static JSRuntime *runtime;
static uint64_t print_every_us, print_at_us;

__attribute__((target("general-regs-only")))
static void count(struct entry *table, uint64_t key) {
    uint64_t slot = key * 0x9e3779b97f4a7c15ull >> 53;
    for (uint32_t tries = 0; tries < 16; tries++) {
        struct entry *entry = &table[(slot + tries) % TABLE_ENTRIES];
        if (entry->key != key && entry->key != 0) continue;
        entry->key = key;
        entry->count++;
        return;
    }
    profile->lost++;
}

__attribute__((target("general-regs-only")))
static void sample(uint64_t rip, bool idle) {
    uint64_t script, native;
    profile->samples++;
    if (idle) {
        profile->idle++;
        return;
    }
    engine_running(runtime, &script, &native);
    if (script != 0) count(profile->script, script);
    if (native != 0) count(profile->native, native);
    count(profile->rip, rip >> RIP_BUCKET_BITS << RIP_BUCKET_BITS);
}

static size_t print_table(JSContext *ctx, const char *kind, const struct entry *table, char *out,
                          size_t room) {
    size_t used = 0;
    for (uint32_t i = 0; i < TABLE_ENTRIES && room - used > 400; i++) {
        if (table[i].count == 0) continue;
        char name[300];
        if (table == profile->script) engine_function_name(ctx, table[i].key, name, sizeof(name));
        else snprintf(name, sizeof(name), "0x%llx", (unsigned long long)table[i].key);
        used += (size_t)snprintf(out + used, room - used, "%s %llu %s\n", kind,
            (unsigned long long)table[i].count, name);
    }
    return used;
}

/* The counts as text, one line each, then all counts start again. The caller frees it. */
static char *profile_text(JSContext *ctx, size_t *bytes) {
    char *text = heap_allocate(TEXT_BYTES_MAX);
    if (text == NULL) return NULL;
    size_t n = (size_t)snprintf(text, TEXT_BYTES_MAX, "samples %llu idle %llu lost %llu\n",
        (unsigned long long)profile->samples, (unsigned long long)profile->idle,
        (unsigned long long)profile->lost);
    n += print_table(ctx, "js", profile->script, text + n, TEXT_BYTES_MAX - n);
    n += print_table(ctx, "native", profile->native, text + n, TEXT_BYTES_MAX - n);
    n += print_table(ctx, "rip", profile->rip, text + n, TEXT_BYTES_MAX - n);
    memset(profile, 0, sizeof(*profile));
    *bytes = n;
    return text;
}

static JSValue profile_js(ARGUMENTS) {
    size_t bytes = 0;
    char *text = profile ? profile_text(ctx, &bytes) : NULL;
    JSValue result = JS_NewStringLen(ctx, text ? text : "", bytes);
    heap_free(text);
    return result;
}

void engine_profile_turn(JSContext *ctx) {
    if (print_every_us == 0 || clock_monotonic_us() < print_at_us) return;
    print_at_us = clock_monotonic_us() + print_every_us;
    size_t bytes;
    char *text = profile_text(ctx, &bytes);
    if (text != NULL) console_write(text, bytes);
    heap_free(text);
}

void engine_profile_install(JSContext *ctx, JSValueConst base) {
    uint64_t hz, seconds;
    JS_SetPropertyStr(ctx, base, "profile", JS_NewCFunction(ctx, profile_js, "profile", 0));
    if (!cmdline_number("profile", &hz)) return;
    profile = heap_allocate(sizeof(*profile));
    if (profile == NULL) panic("out of memory: the profiler needs a larger machine");
    memset(profile, 0, sizeof(*profile));
    runtime = JS_GetRuntime(ctx);
    if (cmdline_number("profile_s", &seconds)) print_every_us = seconds * 1000000;
    print_at_us = print_every_us;
    interrupts_profile((uint32_t)hz, sample);
}
