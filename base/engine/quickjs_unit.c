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

/* A sampled function may be gone when its name is wanted. Names stand in function objects. */
static bool find_function(JSRuntime *rt, const JSFunctionBytecode *script, JSObject **object) {
    bool is_live = false;
    struct list_head *entry;
    list_for_each(entry, &rt->gc_obj_list) {
        JSObject *found = (JSObject *)list_entry(entry, JSGCObjectHeader, link);
        if (&found->header == &script->header) is_live = true;
        else if (found->header.gc_obj_type == JS_GC_OBJ_TYPE_JS_OBJECT &&
            js_class_has_bytecode(found->class_id) && found->u.func.function_bytecode == script)
            *object = found;
    }
    return is_live;
}

JSValue engine_function_name(JSContext *ctx, uint64_t script) {
    JSFunctionBytecode *function = (JSFunctionBytecode *)script;
    JSObject *object = NULL;
    if (!find_function(JS_GetRuntime(ctx), function, &object)) return JS_NewString(ctx, "<gone>");
    int column, line = find_line_num(ctx, function, -1, &column);
    char name_room[128], file_room[128], text[300];
    JSAtom file_atom = function->has_debug ? function->debug.filename : JS_ATOM_empty_string;
    const char *file = JS_AtomGetStr(ctx, file_room, sizeof(file_room), file_atom);
    JSProperty *own = NULL;
    if (object != NULL) find_own_property(&own, object, JS_ATOM_name);
    const char *name = own && JS_IsString(own->u.value) ? JS_ToCString(ctx, own->u.value) : NULL;
    const char *shown = name ? name : "";
    if (!name && function->func_name)
        shown = JS_AtomGetStr(ctx, name_room, sizeof(name_room), function->func_name);
    if (shown[0] == 0) shown = "<anonymous>";
    snprintf(text, sizeof(text), "%.120s %.120s:%d:%d", shown, file, line, column);
    JS_FreeCString(ctx, name);
    return JS_NewString(ctx, text);
}

void engine_count_buffers(JSRuntime *rt, int64_t *count, int64_t *bytes) {
    struct list_head *entry;
    list_for_each(entry, &rt->gc_obj_list) {
        JSObject *object = (JSObject *)list_entry(entry, JSGCObjectHeader, link);
        if (object->header.gc_obj_type == JS_GC_OBJ_TYPE_JS_OBJECT &&
            object->class_id == JS_CLASS_ARRAY_BUFFER &&
            object->u.array_buffer->free_func == js_array_buffer_free)
            *count += 1, *bytes += object->u.array_buffer->byte_length;
    }
}
