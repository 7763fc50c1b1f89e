/*
 * QuickJS as it is, in one unit with the few helpers that need its private layout (layout.h).
 * Nothing of QuickJS is changed or copied.
 */
#include "quickjs.c"
#include "layout.h"

_Static_assert(offsetof(JSObject, class_id) == LAYOUT_OBJECT_CLASS_AT, "layout.h");
_Static_assert(offsetof(JSObject, u.array.u.uint8_ptr) == LAYOUT_OBJECT_POINTER_AT, "layout.h");
_Static_assert(offsetof(JSObject, u.array.count) == LAYOUT_OBJECT_COUNT_AT, "layout.h");
_Static_assert((int)JS_CLASS_UINT8_ARRAY == LAYOUT_CLASS_UINT8_ARRAY, "layout.h");
_Static_assert((int)JS_CLASS_INT32_ARRAY == LAYOUT_CLASS_INT32_ARRAY, "layout.h");
_Static_assert(offsetof(JSString, u.str8) == sizeof(struct engine_string), "layout.h");

uint8_t *engine_new_string8(JSContext *ctx, uint32_t length, JSValue *out) {
    JSString *string = js_alloc_string(ctx, (int)length, 0);
    if (string == NULL) {
        *out = JS_EXCEPTION;
        return NULL;
    }
    string->u.str8[length] = 0;
    *out = JS_MKPTR(JS_TAG_STRING, string);
    return string->u.str8;
}

uint16_t *engine_new_string16(JSContext *ctx, uint32_t length, JSValue *out) {
    JSString *string = js_alloc_string(ctx, (int)length, 1);
    *out = string ? JS_MKPTR(JS_TAG_STRING, string) : JS_EXCEPTION;
    return string ? string->u.str16 : NULL;
}

JSValue engine_flat_string(JSContext *ctx, JSValueConst text) {
    if (JS_VALUE_GET_TAG(text) == JS_TAG_STRING_ROPE) {
        return js_linearize_string_rope(ctx, JS_DupValue(ctx, text));
    }
    return JS_DupValue(ctx, text);
}

size_t engine_heap_used(JSRuntime *rt) {
    return rt->malloc_state.malloc_size;
}

size_t engine_gc_threshold(JSRuntime *rt) {
    return rt->malloc_gc_threshold;
}
