/* Hashes, HMAC (RFC 2104) and HKDF-Expand (RFC 5869 §2.3). */
#include "crypto.h"
#include <stdlib.h>
#include <string.h>

static JSClassID hash_class;

#define BAD_HASH THROW_RANGE("not a hash")

static void free_hash(mbedtls_md_context_t *state) {
    if (state != NULL) mbedtls_md_free(state); /* Wipes the state. */
    free(state);
}

static void finalize_hash(JSRuntime *rt, JSValue object) {
    (void)rt;
    free_hash(JS_GetOpaque(object, hash_class));
}

/* An object with a copy of `from`, or a fresh state of `info`. */
static JSValue new_hash(JSContext *ctx, const mbedtls_md_info_t *info, mbedtls_md_context_t *from) {
    mbedtls_md_context_t *state = calloc(1, sizeof(*state));
    if (state == NULL || mbedtls_md_setup(state, info, 0) != 0) {
        free_hash(state);
        return JS_ThrowOutOfMemory(ctx);
    }
    if (from == NULL) mbedtls_md_starts(state);
    else mbedtls_md_clone(state, from);
    JSValue object = crypto_new_object(ctx, hash_class, state);
    if (JS_IsException(object)) free_hash(state);
    return object;
}

static JSValue hash_js(ARGUMENTS) {
    const mbedtls_md_info_t *info = crypto_hash_of(argv[0]);
    return info == NULL ? BAD_HASH : new_hash(ctx, info, NULL);
}

static JSValue update_js(ARGUMENTS) {
    mbedtls_md_context_t *state = JS_GetOpaque2(ctx, self, hash_class);
    struct view data;
    if (state == NULL) return JS_EXCEPTION;
    if (!bytes_of(argv[0], &data)) return NO_BYTES;
    mbedtls_md_update(state, data.bytes, data.count);
    return JS_UNDEFINED;
}

static JSValue copy_js(ARGUMENTS) {
    mbedtls_md_context_t *state = JS_GetOpaque2(ctx, self, hash_class);
    if (state == NULL) return JS_EXCEPTION;
    return new_hash(ctx, mbedtls_md_info_from_ctx(state), state);
}

/* Of a copy: the state goes on. */
static JSValue state_digest_js(ARGUMENTS) {
    mbedtls_md_context_t *state = JS_GetOpaque2(ctx, self, hash_class), copy;
    if (state == NULL) return JS_EXCEPTION;
    const mbedtls_md_info_t *info = mbedtls_md_info_from_ctx(state);
    JSValue result;
    mbedtls_md_init(&copy);
    if (mbedtls_md_setup(&copy, info, 0) != 0) return JS_ThrowOutOfMemory(ctx);
    uint8_t *out = crypto_new_bytes(ctx, mbedtls_md_get_size(info), &result);
    if (out != NULL && mbedtls_md_clone(&copy, state) == 0) mbedtls_md_finish(&copy, out);
    mbedtls_md_free(&copy);
    return result;
}

static JSValue digest_js(ARGUMENTS) {
    const mbedtls_md_info_t *info = crypto_hash_of(argv[0]);
    struct view data;
    JSValue result;
    if (info == NULL) return BAD_HASH;
    if (!bytes_of(argv[1], &data)) return NO_BYTES;
    uint8_t *out = crypto_new_bytes(ctx, mbedtls_md_get_size(info), &result);
    if (out != NULL) mbedtls_md(info, data.bytes, data.count, out);
    return result;
}

static JSValue hmac_js(ARGUMENTS) {
    const mbedtls_md_info_t *info = crypto_hash_of(argv[0]);
    struct view key, data;
    JSValue result;
    if (info == NULL) return BAD_HASH;
    if (!bytes_of(argv[1], &key) || !bytes_of(argv[2], &data)) return NO_BYTES;
    uint8_t mac[DIGEST_BYTES_MAX];
    if (mbedtls_md_hmac(info, key.bytes, key.count, data.bytes, data.count, mac) != 0)
        return JS_ThrowOutOfMemory(ctx);
    uint8_t *out = crypto_new_bytes(ctx, mbedtls_md_get_size(info), &result);
    if (out != NULL) memcpy(out, mac, mbedtls_md_get_size(info));
    mbedtls_platform_zeroize(mac, sizeof(mac));
    return result;
}

static JSValue hkdf_expand_js(ARGUMENTS) {
    const mbedtls_md_info_t *info = crypto_hash_of(argv[0]);
    struct view key, context;
    uint64_t length;
    JSValue result;
    if (info == NULL) return BAD_HASH;
    if (!bytes_of(argv[1], &key) || !bytes_of(argv[2], &context)) return NO_BYTES;
    uint32_t size = mbedtls_md_get_size(info);
    if (!natural_of(argv[3], &length) || length > 255 * size)
        return THROW_RANGE("more than 255 digests");
    mbedtls_md_context_t hmac;
    mbedtls_md_init(&hmac);
    if (mbedtls_md_setup(&hmac, info, 1) != 0) return JS_ThrowOutOfMemory(ctx);
    uint8_t block[DIGEST_BYTES_MAX], counter = 1;
    uint8_t *out = crypto_new_bytes(ctx, length, &result);
    if (out != NULL) mbedtls_md_hmac_starts(&hmac, key.bytes, key.count);
    for (size_t at = 0; out != NULL && at < length; at += size, counter++) {
        if (at > 0) mbedtls_md_hmac_update(&hmac, block, size);
        mbedtls_md_hmac_update(&hmac, context.bytes, context.count);
        mbedtls_md_hmac_update(&hmac, &counter, 1);
        mbedtls_md_hmac_finish(&hmac, block);
        memcpy(out + at, block, length - at < size ? length - at : size);
        mbedtls_md_hmac_reset(&hmac);
    }
    mbedtls_platform_zeroize(block, sizeof(block));
    mbedtls_md_free(&hmac);
    return result;
}

static const JSCFunctionListEntry methods[] = {
    METHOD("update", 1, update_js), METHOD("copy", 0, copy_js),
    METHOD("digest", 0, state_digest_js),
};

static const JSCFunctionListEntry functions[] = {
    METHOD("hash", 1, hash_js), METHOD("digest", 2, digest_js), METHOD("hmac", 3, hmac_js),
    METHOD("hkdfExpand", 4, hkdf_expand_js),
};

void crypto_install_hash(JSContext *ctx, JSValueConst crypto) {
    crypto_new_class(ctx, &hash_class, "Hash", finalize_hash, methods, COUNT_OF(methods));
    JS_SetPropertyFunctionList(ctx, crypto, functions, COUNT_OF(functions));
}
