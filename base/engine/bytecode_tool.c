/*
 * The host's compiler: `bytecode INPUT.js OUTPUT [NAME]` writes the global script as bytecode of
 * the base's engine, stamped (base_abi.h). Source text is stripped, line numbers stay.
 * Exit status: 0, 1 for wrong arguments, 2 for an error in the script or in writing.
 */
#include "base_abi.h"
#include "quickjs.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define SOURCE_BYTES_MAX (64 << 20)

static int fail(const char *what, const char *name) {
    fprintf(stderr, "error: bytecode: %s: %s\n", what, name);
    return 2;
}

static char source[SOURCE_BYTES_MAX + 1];

/* Fills `source`, zero-terminated; -1 when the file cannot be read or is too large. */
static long read_source(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) return -1;
    size_t bytes = fread(source, 1, sizeof(source), file);
    bool whole = !ferror(file) && bytes < sizeof(source);
    fclose(file);
    return whole ? (long)bytes : -1;
}

static int print_exception(JSContext *ctx) {
    JSValue error = JS_GetException(ctx);
    JSValue stack = JS_GetPropertyStr(ctx, error, "stack");
    const char *message = JS_ToCString(ctx, error), *place = JS_ToCString(ctx, stack);
    fprintf(stderr, "error: bytecode: %s\n%s", message ? message : "?", place ? place : "");
    return 2;
}

static int write_output(const char *path, const uint8_t *code, size_t bytes) {
    const struct base_bytecode_header stamp = {
        BASE_BYTECODE_MAGIC, BASE_ABI_VERSION, BASE_ENGINE_STAMP,
    };
    FILE *file = fopen(path, "wb");
    if (file == NULL) return fail("cannot write", path);
    bool whole = fwrite(&stamp, sizeof(stamp), 1, file) == 1;
    whole = whole && fwrite(code, 1, bytes, file) == bytes;
    if (fclose(file) != 0 || !whole) return fail("cannot write", path);
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: bytecode INPUT.js OUTPUT [NAME]\n");
        return 1;
    }
    size_t code_bytes;
    long source_bytes = read_source(argv[1]);
    if (source_bytes < 0) return fail("cannot read", argv[1]);
    JSRuntime *rt = JS_NewRuntime();
    JSContext *ctx = rt ? JS_NewContext(rt) : NULL;
    if (ctx == NULL) return fail("out of memory for", argv[1]);
    JS_SetStripInfo(rt, JS_STRIP_SOURCE);
    JSValue function = JS_Eval(ctx, source, (size_t)source_bytes, argc == 4 ? argv[3] : "main.js",
        JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_COMPILE_ONLY);
    if (JS_IsException(function)) return print_exception(ctx);
    uint8_t *code = JS_WriteObject(ctx, &code_bytes, function, JS_WRITE_OBJ_BYTECODE);
    if (code == NULL) return print_exception(ctx);
    return write_output(argv[2], code, code_bytes);
}
