/*
 * The parts of QuickJS's private layout that the shim reads directly, because the public way
 * (JS_GetTypedArrayBuffer) costs an allocation a call; quickjs_unit.c asserts each at compile time.
 */
#ifndef LAYOUT_H
#define LAYOUT_H
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
/* What runs now: the bytecode function on top, and the native function that it called, or 0.
 * Callable in an interrupt: uses no vector register and writes nothing. */
void engine_running(JSRuntime *rt, uint64_t *script, uint64_t *native);
/* "name file:line:column" of a `script` that engine_running gave and that is still alive. */
void engine_function_name(JSContext *ctx, uint64_t script, char *out, size_t bytes);
size_t engine_heap_used(JSRuntime *rt);
size_t engine_gc_threshold(JSRuntime *rt);
#endif
