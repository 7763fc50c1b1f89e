/*
 * The engine's start: a runtime on the base's heap, the standard globals, `__base`, then the
 * payload's section "main" as a global script, then the event loop (loop.c).
 */
#include "engine.h"
#include <string.h>

#define OUT_OF_MEMORY_RESERVE_BYTES (48 * 1024) /* A page of each size class that it takes. */
#define STACK_RESERVE_BYTES (40 * 1024) /* For native code below the deepest JavaScript call. */

static void *reserve;

void engine_keep_reserve(void) {
    if (reserve == NULL) reserve = heap_allocate(OUT_OF_MEMORY_RESERVE_BYTES);
}

/* The allocation fails, but the error that says so can be made from the reserve. */
static void *out_of_memory(void) {
    heap_free(reserve);
    reserve = NULL;
    return NULL;
}

static void *engine_malloc(JSMallocState *state, size_t bytes) {
    void *memory = heap_allocate(bytes);
    if (memory == NULL) return out_of_memory();
    state->malloc_count++;
    state->malloc_size += heap_size_of(memory);
    return memory;
}

static void engine_free(JSMallocState *state, void *memory) {
    if (memory == NULL) return;
    state->malloc_count--;
    state->malloc_size -= heap_size_of(memory);
    heap_free(memory);
    bool room = heap.total_bytes - heap.used_bytes > 4 * OUT_OF_MEMORY_RESERVE_BYTES;
    if (__builtin_expect(reserve == NULL, 0) && room) engine_keep_reserve();
}

static void *engine_realloc(JSMallocState *state, void *memory, size_t bytes) {
    if (memory == NULL) return bytes == 0 ? NULL : engine_malloc(state, bytes);
    if (bytes == 0) {
        engine_free(state, memory);
        return NULL;
    }
    size_t old_bytes = heap_size_of(memory);
    void *moved = heap_reallocate(memory, bytes);
    if (moved == NULL) return out_of_memory();
    state->malloc_size += heap_size_of(moved) - old_bytes;
    return moved;
}

static const JSMallocFunctions engine_allocator = {
    engine_malloc, engine_free, engine_realloc, heap_size_of,
};

static JSContext *new_context(void) {
    JSRuntime *rt = JS_NewRuntime2(&engine_allocator, NULL);
    if (rt == NULL) panic("out of memory: the engine needs a larger machine");
    JS_SetMaxStackSize(rt, (size_t)(base_stack_top - base_stack_bottom) - STACK_RESERVE_BYTES);
    JS_SetCanBlock(rt, 0);
    JSContext *ctx = JS_NewContext(rt);
    if (ctx == NULL) panic("out of memory: the engine needs a larger machine");
    return ctx;
}

static struct section find_main(void) {
    for (uint32_t i = 0; i < payload_section_count(); i++) {
        struct section s = payload_section(i);
        bool named = s.name_bytes == 4 && memcmp(s.name, "main", 4) == 0;
        if (named && s.kind != BASE_SECTION_CONTENT) return s;
    }
    refuse_image("its payload has no program: no section \"main\"", "", 0);
}

static JSValue read_bytecode(JSContext *ctx, struct section main) {
    const struct base_bytecode_header *stamp = (const void *)main.bytes;
    if (main.byte_count < sizeof(*stamp)
        || memcmp(stamp->magic, BASE_BYTECODE_MAGIC, sizeof(stamp->magic)) != 0) {
        refuse_image("its program is not bytecode of the base's compiler", "", 0);
    }
    if (stamp->abi_version != BASE_ABI_VERSION || stamp->engine_stamp != BASE_ENGINE_STAMP) {
        refuse_image("its program is bytecode for another engine: build it again", "", 0);
    }
    return JS_ReadObject(ctx, main.bytes + sizeof(*stamp), main.byte_count - sizeof(*stamp),
        JS_READ_OBJ_BYTECODE);
}

static JSValue compile_source(JSContext *ctx, struct section main) {
    return JS_Eval(ctx, (const char *)main.bytes, main.byte_count, "main.js",
        JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_COMPILE_ONLY);
}

int engine_run(void) {
    JSContext *ctx = new_context();
    clock_calibrate();
    engine_install_base(ctx);
    engine_keep_reserve();
    struct section main = find_main();
    JSValue function = main.kind == BASE_SECTION_BYTECODE
        ? read_bytecode(ctx, main) : compile_source(ctx, main);
    if (JS_IsException(function)) engine_uncaught(ctx);
    JSValue result = JS_EvalFunction(ctx, function);
    if (JS_IsException(result)) engine_uncaught(ctx);
    JS_FreeValue(ctx, result);
    engine_loop(ctx);
    return BASE_EXIT_OK;
}
