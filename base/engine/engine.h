/* What the shim's files share: the context, argument readers, and the parts of `__base`. */
#ifndef ENGINE_H
#define ENGINE_H
#include "base.h"
#include "layout.h"

#define VALUE(n) JS_NewInt32(ctx, (int32_t)(n))
#define THROW_RANGE(what) JS_ThrowRangeError(ctx, "%s", what)
/* QuickJS passes at least as many arguments as a function's length says, or undefined. */
#define UNUSED __attribute__((unused))
#define ARGUMENTS \
    UNUSED JSContext *ctx, UNUSED JSValueConst self, UNUSED int argc, UNUSED JSValueConst *argv
#define MAGIC_ARGUMENTS ARGUMENTS, int magic /* Tells apart the methods that share a function. */
#define METHOD(name, length, function) JS_CFUNC_DEF(name, length, function)
#define MAGIC_METHOD(name, length, function, n) JS_CFUNC_MAGIC_DEF(name, length, function, n)

/* A Uint8Array's or Int32Array's elements; `count` is 0 when its buffer is detached. */
struct view {
    uint8_t *bytes;
    uint32_t count;
};

static inline bool view_of(JSValueConst value, uint16_t class_id, struct view *out) {
    if (JS_VALUE_GET_TAG(value) != JS_TAG_OBJECT) return false;
    const uint8_t *object = JS_VALUE_GET_PTR(value);
    if (*(const uint16_t *)(object + LAYOUT_OBJECT_CLASS_AT) != class_id) return false;
    out->bytes = *(uint8_t *const *)(object + LAYOUT_OBJECT_POINTER_AT);
    out->count = *(const uint32_t *)(object + LAYOUT_OBJECT_COUNT_AT);
    return true;
}

static inline bool bytes_of(JSValueConst value, struct view *out) {
    return view_of(value, LAYOUT_CLASS_UINT8_ARRAY, out);
}

/* A non-negative integer below 2^53, given as an int or a double. */
static inline bool natural_of(JSValueConst value, uint64_t *out) {
    if (JS_VALUE_GET_TAG(value) == JS_TAG_INT) {
        *out = (uint64_t)JS_VALUE_GET_INT(value);
        return JS_VALUE_GET_INT(value) >= 0;
    }
    if (JS_VALUE_GET_TAG(value) != JS_TAG_FLOAT64) return false;
    double number = JS_VALUE_GET_FLOAT64(value);
    if (!(number >= 0 && number < 9007199254740992.0)) return false;
    *out = (uint64_t)number;
    return (double)*out == number;
}

#define OUTSIDE THROW_RANGE("range outside of the bytes")
/* A checked part of an array, which starts at index `at`. */
struct range {
    uint8_t *bytes;
    uint32_t count;
    uint64_t at;
};

static inline bool range_set(JSValueConst array, uint64_t at, uint64_t end, struct range *out) {
    struct view view;
    if (!bytes_of(array, &view) || at > end || end > view.count) return false;
    *out = (struct range){view.bytes + at, (uint32_t)(end - at), at};
    return true;
}

static inline bool range_at(JSValueConst array, JSValueConst at, JSValueConst count, struct range *out) {
    uint64_t from, n;
    return natural_of(at, &from) && natural_of(count, &n) && range_set(array, from, from + n, out);
}

static inline const struct engine_string *string_of(JSValueConst value) { return JS_VALUE_GET_PTR(value); }
static inline const uint8_t *string8(const struct engine_string *s) { return (const uint8_t *)(s + 1); }
static inline const uint16_t *string16(const struct engine_string *s) { return (const uint16_t *)(s + 1); }

void engine_install_base(JSContext *ctx);
void engine_install_hot(JSContext *ctx, JSValueConst base);
void engine_install_devices(JSContext *ctx, JSValueConst base);
/* A Uint8Array on `bytes`; those of js_malloc it may own: freed with it, or now if it can't be made. */
JSValue engine_new_bytes(JSContext *ctx, uint8_t *bytes, size_t count, bool owned);
/* In the -crypto.elf only (crypto/), and in the -test.elf only. */
void engine_install_crypto(JSContext *ctx, JSValueConst base);
void engine_install_fault(JSContext *ctx, JSValueConst base);
/* Prints an uncaught exception, taken from the context, and stops with BASE_EXIT_UNCAUGHT. */
_Noreturn void engine_uncaught(JSContext *ctx);
void engine_loop_install(JSContext *ctx, JSValueConst base);
void engine_loop(JSContext *ctx);
JSValue engine_profile_js(ARGUMENTS);
/* Takes back the reserve that lets an out-of-memory error be made and printed. */
void engine_keep_reserve(void);
#endif
