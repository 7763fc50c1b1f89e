/*
 * `hot` of packages/core/hot-bytes.ts, natively: each function's contract is there. Every range is
 * checked before the first byte moves; a range outside an array throws a RangeError.
 */
#include "engine.h"
#include <string.h>

/* [at, end) of `array`. */
static bool range_to(JSValueConst array, JSValueConst at, JSValueConst end, struct range *out) {
    uint64_t from, to;
    return natural_of(at, &from) && natural_of(end, &to) && range_set(array, from, to, out);
}

/* The characters of a string, or NULL and an exception; `*held` is to be freed after use. */
static const struct engine_string *text_of(JSContext *ctx, JSValueConst value, JSValue *held) {
    *held = JS_IsString(value)
        ? engine_flat_string(ctx, value) : JS_ThrowTypeError(ctx, "not a string");
    return JS_IsException(*held) ? NULL : string_of(*held);
}

static inline uint32_t char_at(const struct engine_string *text, uint32_t index) {
    return text->wide ? string16(text)[index] : string8(text)[index];
}

static inline uint64_t load64(const uint8_t *from) {
    uint64_t word;
    __builtin_memcpy(&word, from, 8);
    return word;
}

/* The bytes past the last whole word, as a little-endian word padded with zeros. */
static inline uint64_t load_tail(const uint8_t *from, uint32_t count) {
    uint64_t word = 0;
    for (uint32_t i = 0; i < count; i++) word |= (uint64_t)from[i] << (8 * i);
    return word;
}

/* RFC 1071 §2 (B): the sum does not depend on byte order, so words are added as they lie. */
static inline uint64_t add_word(uint64_t total, uint64_t word) {
    return total + (word & UINT32_MAX) + (word >> 32);
}

/* Sums `from`, copying it to `to` unless that is NULL; `start` is the argument `sum`. */
static inline JSValue sum_range(JSContext *ctx, struct range from, uint8_t *to,
                                JSValueConst start) {
    uint64_t total;
    if (!natural_of(start, &total) || total > UINT16_MAX) return THROW_RANGE("not a 16-bit sum");
    total = __builtin_bswap16((uint16_t)total);
    uint32_t i = 0;
    for (; i + 8 <= from.count; i += 8) {
        uint64_t word = load64(from.bytes + i);
        if (to != NULL) __builtin_memcpy(to + i, &word, 8);
        total = add_word(total, word);
    }
    total = add_word(total, load_tail(from.bytes + i, from.count - i));
    for (; to != NULL && i < from.count; i++) to[i] = from.bytes[i];
    while (total > UINT16_MAX) total = (total & UINT16_MAX) + (total >> 16);
    return VALUE(__builtin_bswap16((uint16_t)total));
}

static JSValue copy_js(ARGUMENTS) {
    struct range to, from;
    if (!range_at(argv[0], argv[1], argv[4], &to)) return OUTSIDE;
    if (!range_at(argv[2], argv[3], argv[4], &from)) return OUTSIDE;
    memmove(to.bytes, from.bytes, to.count);
    return JS_UNDEFINED;
}

static JSValue fill_js(ARGUMENTS) {
    struct range to;
    uint64_t value;
    if (!range_at(argv[0], argv[1], argv[2], &to)) return OUTSIDE;
    if (!natural_of(argv[3], &value) || value > UINT8_MAX) return THROW_RANGE("not a byte");
    memset(to.bytes, (int)value, to.count);
    return JS_UNDEFINED;
}

static JSValue checksum_js(ARGUMENTS) {
    struct range of;
    if (!range_at(argv[0], argv[1], argv[2], &of)) return OUTSIDE;
    return sum_range(ctx, of, NULL, argv[3]);
}

static JSValue copy_checksum_js(ARGUMENTS) {
    struct range to, from;
    if (!range_at(argv[0], argv[1], argv[4], &to)) return OUTSIDE;
    if (!range_at(argv[2], argv[3], argv[4], &from)) return OUTSIDE;
    return sum_range(ctx, from, to.bytes, argv[5]);
}

static JSValue equal_js(ARGUMENTS) {
    struct range a, b;
    if (!range_at(argv[0], argv[1], argv[4], &a)) return OUTSIDE;
    if (!range_at(argv[2], argv[3], argv[4], &b)) return OUTSIDE;
    return JS_NewBool(ctx, memcmp(a.bytes, b.bytes, a.count) == 0);
}

static JSValue index_of_js(ARGUMENTS) {
    struct range in;
    uint64_t byte;
    if (!range_to(argv[0], argv[2], argv[3], &in)) return OUTSIDE;
    if (!natural_of(argv[1], &byte) || byte > UINT8_MAX) return THROW_RANGE("not a byte");
    const uint8_t *found = memchr(in.bytes, (int)byte, in.count);
    return VALUE(found == NULL ? -1 : (int64_t)in.at + (found - in.bytes));
}

static JSValue span_js(ARGUMENTS) {
    struct range in;
    struct view table;
    if (!range_to(argv[0], argv[1], argv[2], &in)) return OUTSIDE;
    if (!bytes_of(argv[3], &table) || table.count < 256) return THROW_RANGE("a short table");
    uint32_t i = 0;
    while (i < in.count && table.bytes[in.bytes[i]] != 0) i++;
    return VALUE(in.at + i);
}

/* latin1 (0) and latin1Lower (1). */
static JSValue latin1_js(MAGIC_ARGUMENTS) {
    struct range from;
    JSValue text;
    if (!range_to(argv[0], argv[1], argv[2], &from)) return OUTSIDE;
    if (from.count == 0) return JS_NewStringLen(ctx, "", 0);
    uint8_t *to = engine_new_string8(ctx, from.count, &text);
    if (to == NULL) return text;
    if (magic == 0) memcpy(to, from.bytes, from.count);
    for (uint32_t i = 0; magic == 1 && i < from.count; i++) {
        uint8_t c = from.bytes[i];
        to[i] = (uint8_t)(c + ((uint8_t)(c - 'A') < 26 ? 'a' - 'A' : 0));
    }
    return text;
}

static JSValue write_latin1_js(ARGUMENTS) {
    struct view to;
    uint64_t at;
    JSValue held;
    const struct engine_string *text = text_of(ctx, argv[2], &held);
    if (text == NULL) return JS_EXCEPTION;
    uint32_t length = text->length;
    bool fits = bytes_of(argv[0], &to) && natural_of(argv[1], &at) && at <= to.count
        && length <= to.count - at;
    if (fits && !text->wide) memcpy(to.bytes + at, string8(text), length);
    for (uint32_t i = 0; fits && text->wide && i < length; i++)
        to.bytes[at + i] = (uint8_t)string16(text)[i];
    JS_FreeValue(ctx, held);
    return fits ? VALUE(length) : OUTSIDE;
}

/* One code point from `*index` on; a surrogate without its other half becomes U+FFFD. */
static uint32_t next_code_point(const struct engine_string *text, uint32_t *index) {
    uint32_t c = char_at(text, (*index)++);
    if (c < 0xd800 || c > 0xdfff) return c;
    if (c > 0xdbff || *index == text->length) return 0xfffd;
    uint32_t low = char_at(text, *index);
    if (low < 0xdc00 || low > 0xdfff) return 0xfffd;
    (*index)++;
    return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}

/* UTF-8 of `text` at `out`, or only its length when `out` is NULL. */
static size_t encode_utf8(const struct engine_string *text, uint8_t *out) {
    size_t n = 0;
    for (uint32_t i = 0; i < text->length;) {
        uint32_t c = next_code_point(text, &i);
        uint32_t more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
        if (out != NULL) {
            static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
            out[n] = (uint8_t)(lead[more] | c >> (6 * more));
            for (uint32_t k = 1; k <= more; k++)
                out[n + k] = (uint8_t)(0x80 | (c >> (6 * (more - k)) & 0x3f));
        }
        n += 1 + more;
    }
    return n;
}

static JSValue utf8_encode_js(ARGUMENTS) {
    JSValue held;
    const struct engine_string *text = text_of(ctx, argv[0], &held);
    if (text == NULL) return JS_EXCEPTION;
    size_t count = encode_utf8(text, NULL);
    uint8_t *bytes = js_malloc(ctx, count + 1);
    if (bytes != NULL) encode_utf8(text, bytes);
    JS_FreeValue(ctx, held);
    if (bytes == NULL) return JS_EXCEPTION;
    return engine_new_bytes(ctx, bytes, count, true);
}

/*
 * One code point at [from, end), WHATWG Encoding §8.1.1: a malformed sequence is as long as its
 * longest valid start and gives U+FFFD with `*valid` false.
 */
static uint32_t decode_one(const uint8_t **from, const uint8_t *end, bool *valid) {
    uint32_t first = *(*from)++;
    uint32_t lower = 0x80, upper = 0xbf, more;
    if (first < 0x80) return first;
    if (first >= 0xc2 && first <= 0xdf) more = 1;
    else if (first >= 0xe0 && first <= 0xef) more = 2;
    else if (first >= 0xf0 && first <= 0xf4) more = 3;
    else more = 0;
    if (first == 0xe0) lower = 0xa0;
    if (first == 0xed) upper = 0x9f;
    if (first == 0xf0) lower = 0x90;
    if (first == 0xf4) upper = 0x8f;
    uint32_t c = first & (0x3fu >> more);
    for (uint32_t i = 0; i < more; i++) {
        if (*from == end || **from < lower || **from > upper) break;
        c = c << 6 | (*(*from)++ & 0x3f);
        lower = 0x80, upper = 0xbf;
        if (i + 1 == more) return c;
    }
    *valid = false;
    return 0xfffd;
}

static JSValue decode_wide(JSContext *ctx, struct range from, bool fatal) {
    const uint8_t *end = from.bytes + from.count;
    uint32_t length = 0;
    bool valid = true;
    JSValue text;
    for (const uint8_t *at = from.bytes; at < end;)
        length += decode_one(&at, end, &valid) < 0x10000 ? 1 : 2;
    if (fatal && !valid) return JS_NULL;
    uint16_t *to = engine_new_string16(ctx, length, &text);
    if (to == NULL) return text;
    for (const uint8_t *at = from.bytes; at < end;) {
        uint32_t c = decode_one(&at, end, &valid);
        if (c >= 0x10000) {
            *to++ = (uint16_t)(0xd7c0 + (c >> 10));
            c = 0xdc00 | (c & 0x3ff);
        }
        *to++ = (uint16_t)c;
    }
    return text;
}

static JSValue utf8_decode_js(ARGUMENTS) {
    struct range from;
    if (!range_to(argv[0], argv[1], argv[2], &from)) return OUTSIDE;
    uint32_t i = 0;
    while (i + 8 <= from.count && !(load64(from.bytes + i) & 0x8080808080808080ull)) i += 8;
    while (i < from.count && from.bytes[i] < 0x80) i++;
    if (i == from.count) return latin1_js(ctx, self, argc, argv, 0);
    return decode_wide(ctx, from, JS_ToBool(ctx, argv[3]));
}

/* Bytes that a layout takes in memory, and how many values; false at an unknown character. */
static bool measure_layout(const struct engine_string *layout, uint32_t *bytes, uint32_t *values) {
    if (layout->wide) return false;
    uint32_t b = 0, n = 0;
    for (uint32_t i = 0; i < layout->length; i++) {
        switch (string8(layout)[i]) {
        case 'b': b += 1, n++; break;
        case 'h': b += 2, n++; break;
        case 'w': b += 4, n++; break;
        case 'x': b += 1; break;
        default: return false;
        }
    }
    *bytes = b;
    *values = n;
    return true;
}

static inline uint32_t load_be(const uint8_t *from, uint32_t bytes) {
    uint32_t value = 0;
    for (uint32_t i = 0; i < bytes; i++) value = value << 8 | from[i];
    return value;
}

static inline void store_be(uint8_t *to, uint32_t bytes, uint32_t value) {
    for (uint32_t i = 0; i < bytes; i++) to[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
}

/* Both directions: `packing` writes the bytes from the values, else the values from the bytes. */
static JSValue layout_js(MAGIC_ARGUMENTS) {
    bool packing = magic == 1;
    struct view bytes, values;
    uint64_t at;
    uint32_t need_bytes, need_values;
    if (JS_VALUE_GET_TAG(argv[0]) != JS_TAG_STRING
        || !measure_layout(string_of(argv[0]), &need_bytes, &need_values)) {
        return THROW_RANGE("unknown layout");
    }
    if (!bytes_of(argv[1], &bytes) || !natural_of(argv[2], &at) || at > bytes.count
        || need_bytes > bytes.count - at
        || !view_of(argv[3], LAYOUT_CLASS_INT32_ARRAY, &values) || need_values > values.count) {
        return OUTSIDE;
    }
    const uint8_t *kind = string8(string_of(argv[0])), *end = kind + string_of(argv[0])->length;
    uint8_t *p = bytes.bytes + at;
    int32_t *v = (int32_t *)(void *)values.bytes;
    for (; kind < end; kind++) {
        if (*kind == 'x') {
            if (packing) *p = 0;
            p++;
            continue;
        }
        uint32_t width = *kind == 'h' ? 2 : *kind == 'w' ? 4 : 1;
        if (packing) store_be(p, width, (uint32_t)*v++);
        else *v++ = (int32_t)load_be(p, width);
        p += width;
    }
    return JS_NewInt64(ctx, (int64_t)(at + need_bytes));
}

static const JSCFunctionListEntry functions[] = {
    METHOD("copy", 5, copy_js), METHOD("fill", 4, fill_js), METHOD("checksum", 4, checksum_js),
    METHOD("copyChecksum", 6, copy_checksum_js), METHOD("equal", 5, equal_js),
    METHOD("indexOf", 4, index_of_js), METHOD("span", 4, span_js),
    MAGIC_METHOD("latin1", 3, latin1_js, 0),
    MAGIC_METHOD("latin1Lower", 3, latin1_js, 1), METHOD("writeLatin1", 3, write_latin1_js),
    METHOD("utf8Encode", 1, utf8_encode_js), METHOD("utf8Decode", 4, utf8_decode_js),
    MAGIC_METHOD("unpack", 4, layout_js, 0), MAGIC_METHOD("pack", 4, layout_js, 1),
};

void engine_install_hot(JSContext *ctx, JSValueConst base) {
    JSValue hot = JS_NewObject(ctx);
    JS_SetPropertyFunctionList(ctx, hot, functions, COUNT_OF(functions));
    JS_SetPropertyStr(ctx, base, "hot", hot);
}
