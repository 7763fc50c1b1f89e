/* The global `__base` of targets/base/base.ts, but for `hot` (hot.c) and the platform's devices. */
#include "engine.h"
#include <string.h>

static JSValue console_write_js(ARGUMENTS) {
    size_t bytes;
    const char *text = JS_ToCStringLen(ctx, &bytes, argv[0]);
    if (text == NULL) return JS_EXCEPTION;
    console_write(text, bytes);
    JS_FreeCString(ctx, text);
    return JS_UNDEFINED;
}

static JSValue console_read_js(ARGUMENTS) { return VALUE(console_read()); }

static JSValue exit_js(ARGUMENTS) {
    uint64_t code;
    if (!natural_of(argv[0], &code) || code > BASE_EXIT_MAX) return THROW_RANGE("exit code");
    machine_exit((int)code);
}

/* clockMonotonic (0), clockWall (1), usedBytes (2), heapBytes (3). */
static JSValue number_js(MAGIC_ARGUMENTS) {
    if (magic == 0) return JS_NewInt64(ctx, (int64_t)clock_monotonic_us());
    if (magic == 1) return JS_NewInt64(ctx, (int64_t)clock_wall_us());
    if (magic == 3) return JS_NewInt64(ctx, (int64_t)engine_heap_used(JS_GetRuntime(ctx)));
    return JS_NewInt64(ctx, (int64_t)(machine.ram_bytes - heap.total_bytes + heap.used_bytes));
}

/* The fields of JSMemoryUsage in their order: targets/base/heap.ts names them. */
static JSValue usage_js(ARGUMENTS) {
    union { JSMemoryUsage of; int64_t numbers[26]; } usage;
    _Static_assert(sizeof(usage.of) == sizeof(usage.numbers), "targets/base/heap.ts");
    JS_ComputeMemoryUsage(JS_GetRuntime(ctx), &usage.of);
    engine_count_buffers(JS_GetRuntime(ctx), &usage.numbers[24], &usage.numbers[25]);
    JSValue array = JS_NewArray(ctx);
    for (uint32_t i = 0; i < 26; i++) JS_SetPropertyUint32(ctx, array, i, JS_NewInt64(ctx, usage.numbers[i]));
    return array;
}

static JSValue function_name_js(ARGUMENTS) {
    uint64_t address;
    if (!natural_of(argv[0], &address)) return THROW_RANGE("address");
    return engine_function_name(ctx, address);
}

static JSValue entropy_fill_js(ARGUMENTS) {
    struct view out;
    if (!bytes_of(argv[0], &out)) return JS_ThrowTypeError(ctx, "entropyFill needs a Uint8Array");
    return JS_NewBool(ctx, entropy_fill(out.bytes, out.count));
}

static void free_bytes(JSRuntime *rt, void *opaque, void *bytes) {
    (void)opaque;
    js_free_rt(rt, bytes);
}

JSValue engine_new_bytes(JSContext *ctx, uint8_t *bytes, size_t count, bool owned) {
    JSValue buffer = count > INT32_MAX ? THROW_RANGE("more than 2 GiB in one array")
        : JS_NewArrayBuffer(ctx, bytes, count, owned ? free_bytes : NULL, NULL, 0);
    if (JS_IsException(buffer) && owned) js_free(ctx, bytes);
    if (JS_IsException(buffer)) return buffer;
    JSValue arguments[] = {buffer, JS_UNDEFINED, JS_UNDEFINED}; /* The engine reads all three. */
    JSValue view = JS_NewTypedArray(ctx, 3, arguments, JS_TYPED_ARRAY_UINT8);
    JS_FreeValue(ctx, buffer);
    return view;
}

static JSValue payload_array(JSContext *ctx) {
    JSValue array = JS_NewArray(ctx);
    uint32_t next = 0;
    for (uint32_t i = 0; i < payload_section_count(); i++) {
        struct section section = payload_section(i);
        if (section.kind != BASE_SECTION_CONTENT) continue;
        JSValue entry = JS_NewObject(ctx);
        uint8_t *bytes = (uint8_t *)(uint64_t)section.bytes;
        JS_SetPropertyStr(ctx, entry, "name",
            JS_NewStringLen(ctx, section.name, section.name_bytes));
        JS_SetPropertyStr(ctx, entry, "bytes",
            engine_new_bytes(ctx, bytes, section.byte_count, false));
        JS_SetPropertyUint32(ctx, array, next++, entry);
    }
    return array;
}

static const JSCFunctionListEntry functions[] = {
    METHOD("consoleWrite", 1, console_write_js), METHOD("consoleRead", 0, console_read_js),
    METHOD("exit", 1, exit_js), MAGIC_METHOD("clockMonotonic", 0, number_js, 0),
    MAGIC_METHOD("clockWall", 0, number_js, 1), METHOD("entropyFill", 1, entropy_fill_js),
    METHOD("profile", 2, engine_profile_js), METHOD("functionName", 1, function_name_js),
};

static const JSCFunctionListEntry memory_functions[] = {
    MAGIC_METHOD("usedBytes", 0, number_js, 2), MAGIC_METHOD("heapBytes", 0, number_js, 3),
    METHOD("usage", 0, usage_js),
};

void engine_install_base(JSContext *ctx) {
    JSValue base = JS_NewObject(ctx), memory = JS_NewObject(ctx), global = JS_GetGlobalObject(ctx);
    JS_SetPropertyStr(ctx, base, "abiVersion", VALUE(BASE_ABI_VERSION));
    JS_SetPropertyStr(ctx, base, "cmdline", JS_NewString(ctx, machine.cmdline));
    JS_SetPropertyStr(ctx, base, "payload", payload_array(ctx));
    JS_SetPropertyFunctionList(ctx, base, functions, COUNT_OF(functions));
    JS_SetPropertyStr(ctx, memory, "totalBytes", JS_NewInt64(ctx, (int64_t)machine.ram_bytes));
    JS_SetPropertyFunctionList(ctx, memory, memory_functions, COUNT_OF(memory_functions));
    JS_SetPropertyStr(ctx, base, "memory", memory);
    engine_install_devices(ctx, base);
    engine_install_hot(ctx, base);
    engine_loop_install(ctx, base);
#ifdef BASE_CRYPTO
    engine_install_crypto(ctx, base);
#endif
#ifdef BASE_TEST
    engine_install_fault(ctx, base);
#endif
    JS_SetPropertyStr(ctx, global, "__base", base);
    JS_FreeValue(ctx, global);
}
