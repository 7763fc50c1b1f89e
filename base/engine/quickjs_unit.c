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

static JSString *new_string(JSContext *ctx, uint32_t length, int wide, JSValue *out) {
    JSString *string = NULL;
    if (length > JS_STRING_LEN_MAX) JS_ThrowInternalError(ctx, "string too long");
    else string = js_alloc_string(ctx, (int)length, wide);
    *out = string ? JS_MKPTR(JS_TAG_STRING, string) : JS_EXCEPTION;
    return string;
}

uint8_t *engine_new_string8(JSContext *ctx, uint32_t length, JSValue *out) {
    JSString *string = new_string(ctx, length, 0, out);
    if (string != NULL) string->u.str8[length] = 0;
    return string ? string->u.str8 : NULL;
}

uint16_t *engine_new_string16(JSContext *ctx, uint32_t length, JSValue *out) {
    JSString *string = new_string(ctx, length, 1, out);
    return string ? string->u.str16 : NULL;
}

JSValue engine_flat_string(JSContext *ctx, JSValueConst text) {
    if (JS_VALUE_GET_TAG(text) == JS_TAG_STRING_ROPE) {
        return js_linearize_string_rope(ctx, JS_DupValue(ctx, text));
    }
    return JS_DupValue(ctx, text);
}

size_t engine_heap_used(JSRuntime *rt) { return rt->malloc_state.malloc_size; }

size_t engine_gc_threshold(JSRuntime *rt) { return rt->malloc_gc_threshold; }

__attribute__((target("general-regs-only")))
uint32_t engine_frames(JSRuntime *rt, uint64_t *out, uint32_t most) {
    uint32_t count = 0;
    JSStackFrame *frame = rt->current_stack_frame;
    for (; frame && count < most && is_ram((uint64_t)frame, 1); frame = frame->prev_frame) {
        JSObject *function = JS_VALUE_GET_PTR(frame->cur_func);
        /* The frame on top may be half made: QuickJS links one in before it names its function. */
        if (JS_VALUE_GET_TAG(frame->cur_func) != JS_TAG_OBJECT) continue;
        if (!is_ram((uint64_t)function, 1)) continue;
        if (js_class_has_bytecode(function->class_id)) {
            out[count++] = (uint64_t)function->u.func.function_bytecode << 2 | LAYOUT_FRAME_SCRIPT;
        } else if (function->class_id == JS_CLASS_C_FUNCTION) {
            out[count++] = (uint64_t)function->u.cfunc.c_function.generic << 2 | LAYOUT_FRAME_NATIVE;
        }
    }
    return count;
}

/* A sampled function may be gone when its name is wanted: a script's own is, once it has run. */
static int is_live_function(JSRuntime *rt, const void *script) {
    struct list_head *entry;
    list_for_each(entry, &rt->gc_obj_list) {
        const JSGCObjectHeader *object = list_entry(entry, JSGCObjectHeader, link);
        if (object == script) return object->gc_obj_type == JS_GC_OBJ_TYPE_FUNCTION_BYTECODE;
    }
    return 0;
}

JSValue engine_function_name(JSContext *ctx, uint64_t script) {
    JSFunctionBytecode *function = (JSFunctionBytecode *)script;
    if (!is_live_function(JS_GetRuntime(ctx), function)) return JS_NewString(ctx, "<gone>");
    int column, line = find_line_num(ctx, function, -1, &column);
    char name_room[128], file_room[128];
    JSAtom file_atom = function->has_debug ? function->debug.filename : JS_ATOM_empty_string;
    const char *name = JS_AtomGetStr(ctx, name_room, sizeof(name_room), function->func_name);
    const char *file = JS_AtomGetStr(ctx, file_room, sizeof(file_room), file_atom);
    if (function->func_name == JS_ATOM_NULL) name = "<method>"; /* Its class has its name. */
    if (name[0] == 0) name = "<anonymous>";
    char text[300];
    snprintf(text, sizeof(text), "%.120s %.120s:%d:%d", name, file, line, column);
    return JS_NewString(ctx, text);
}

void engine_count_buffers(JSRuntime *rt, int64_t *count, int64_t *bytes) {
    struct list_head *entry;
    list_for_each(entry, &rt->gc_obj_list) {
        JSObject *object = (JSObject *)list_entry(entry, JSGCObjectHeader, link);
        if (object->header.gc_obj_type != JS_GC_OBJ_TYPE_JS_OBJECT) continue;
        if (object->class_id != JS_CLASS_ARRAY_BUFFER) continue;
        if (object->u.array_buffer->free_func != js_array_buffer_free) continue;
        *count += 1, *bytes += object->u.array_buffer->byte_length;
    }
}
