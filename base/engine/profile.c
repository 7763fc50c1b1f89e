/*
 * The sampling profiler: a tree of what called what, with the samples that found each on top. It
 * works in an interrupt that only reads the engine's frames, on a table that the program lent; what
 * the numbers mean is found out later (targets/base/profile.ts). Off, it costs nothing.
 */
#include "engine.h"

#define NODES_BITS 12 /* Samples without a place in the table are counted as lost. */
#define NODES_MAX (1u << NODES_BITS)
#define TRIES_MAX 16u
#define DEPTH_MAX 64u /* The callers of deeper frames are left out. */
#define CODE_BUCKET_BITS 6

/* Lent by the program, all zero. Node 0 is the root; a key of 0 is a free place. */
static struct profile {
    uint32_t samples, idle, lost, reserved;
    struct node {
        uint64_t key; /* The address << 2 | LAYOUT_FRAME_* (layout.h). */
        uint32_t parent, samples;
    } nodes[NODES_MAX];
} *profile;
_Static_assert(sizeof(struct profile) == 16 + 16 * NODES_MAX, "targets/base/profile.ts");

static JSValue table;
static JSRuntime *runtime;

__attribute__((target("general-regs-only")))
static uint32_t child_of(uint32_t parent, uint64_t key) {
    uint64_t slot = (key + ((uint64_t)parent << 40)) * 0x9e3779b97f4a7c15ull >> (64 - NODES_BITS);
    for (uint32_t tries = 0; tries < TRIES_MAX; tries++, slot++) {
        struct node *node = &profile->nodes[slot % NODES_MAX];
        if (node == profile->nodes) continue;
        if (node->key == 0) node->key = key, node->parent = parent;
        if (node->key == key && node->parent == parent) return (uint32_t)(node - profile->nodes);
    }
    return 0;
}

__attribute__((target("general-regs-only")))
static void sample(uint64_t rip, bool idle) {
    uint64_t frames[1 + DEPTH_MAX];
    profile->samples++;
    profile->idle += idle;
    if (idle) return;
    frames[0] = rip >> CODE_BUCKET_BITS << (CODE_BUCKET_BITS + 2) | LAYOUT_FRAME_CODE;
    uint32_t at = 0, depth = 1 + engine_frames(runtime, frames + 1, DEPTH_MAX);
    do at = child_of(at, frames[--depth]);
    while (at != 0 && depth != 0);
    if (at == 0) profile->lost++;
    else profile->nodes[at].samples++;
}

/* profile(hz, table): false when this machine can't. profile(0, null) ends it. */
JSValue engine_profile_js(ARGUMENTS) {
    uint64_t hz;
    struct view lent;
    if (!natural_of(argv[0], &hz) || hz > 20000 || (hz != 0 && hz < 20)) return THROW_RANGE("rate");
    if (profile != NULL) {
        interrupts_profile(0, NULL);
        JS_FreeValue(ctx, table);
        profile = NULL;
    }
    if (hz == 0) return JS_TRUE;
    if (!bytes_of(argv[1], &lent) || lent.count != sizeof(*profile)) return THROW_RANGE("table");
    runtime = JS_GetRuntime(ctx);
    profile = (struct profile *)lent.bytes;
    table = JS_DupValue(ctx, argv[1]);
    return JS_NewBool(ctx, interrupts_profile((uint32_t)hz, sample));
}
