/*
 * The parts of QuickJS's private layout that the shim reads directly, because the public way
 * (JS_GetTypedArrayBuffer) costs an allocation a call; quickjs_unit.c asserts each at compile time.
 */
#ifndef LAYOUT_H
#define LAYOUT_H
#include <stdbool.h>
#include <stdint.h>
#include "quickjs.h"

#define LAYOUT_OBJECT_CLASS_AT 6
#define LAYOUT_OBJECT_POINTER_AT 56
#define LAYOUT_OBJECT_COUNT_AT 64
#define LAYOUT_CLASS_UINT8_ARRAY 23
#define LAYOUT_CLASS_INT32_ARRAY 26

/* JSString's head; its characters follow. */
struct engine_string {
    int ref_count;
    uint32_t length : 31;
    uint32_t wide : 1;
    uint32_t private_words[2];
};

/* A fresh string of `length` characters to be filled by the caller; NULL and an exception in `out`
 * when memory is out or `length` above 2^30 - 1. It is 1 at least. */
uint8_t *engine_new_string8(JSContext *ctx, uint32_t length, JSValue *out);
uint16_t *engine_new_string16(JSContext *ctx, uint32_t length, JSValue *out);
/* A string value that is not a rope; the caller frees it. Shares memory when it can. */
JSValue engine_flat_string(JSContext *ctx, JSValueConst text);
/* What an address of the profiler is: a bytecode function, a native one, any code. Never 0. */
#define LAYOUT_FRAME_SCRIPT 1u
#define LAYOUT_FRAME_NATIVE 2u
#define LAYOUT_FRAME_CODE 3u
/* The functions that run, at most `most`, the innermost first: address << 2 | LAYOUT_FRAME_*.
 * Callable in an interrupt: uses no vector register and writes nothing of the engine's. */
uint32_t engine_frames(JSRuntime *rt, uint64_t *out, uint32_t most);
bool is_ram(uint64_t address, uint64_t bytes); /* base.h */
/* "name file:line:column" of a script's address; "<gone>" when it is no longer one. */
JSValue engine_function_name(JSContext *ctx, uint64_t script);
/* Array buffers on the heap; the payload's and those for devices are not. */
void engine_count_buffers(JSRuntime *rt, int64_t *count, int64_t *bytes);
size_t engine_heap_used(JSRuntime *rt);
size_t engine_gc_threshold(JSRuntime *rt);
#endif
