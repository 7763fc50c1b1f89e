/* `__base.crypto` itself, and what its parts share (crypto.h). */
#include "crypto.h"
#include <mbedtls/build_info.h>
#include <stdlib.h>
#include <string.h>

const mbedtls_md_info_t *crypto_hash_of(JSValueConst index) {
    static const mbedtls_md_type_t types[] = {
        MBEDTLS_MD_SHA1, MBEDTLS_MD_SHA256, MBEDTLS_MD_SHA384, MBEDTLS_MD_SHA512,
    };
    uint64_t i;
    if (!natural_of(index, &i) || i >= COUNT_OF(types)) return NULL;
    return mbedtls_md_info_from_type(types[i]);
}

uint8_t *crypto_new_bytes(JSContext *ctx, size_t count, JSValue *out) {
    uint8_t *bytes = js_malloc(ctx, count + 1);
    *out = bytes == NULL ? JS_EXCEPTION : engine_new_bytes(ctx, bytes, count, true);
    return JS_IsException(*out) ? NULL : bytes;
}

void crypto_new_class(JSContext *ctx, JSClassID *id, const char *name, JSClassFinalizer *finalizer,
                      const JSCFunctionListEntry *functions, int count) {
    JSClassDef definition = {.class_name = name, .finalizer = finalizer};
    JS_NewClassID(id);
    JSValue prototype = JS_NewObject(ctx);
    if (JS_NewClass(JS_GetRuntime(ctx), *id, &definition) != 0 || JS_IsException(prototype))
        panic("out of memory: the engine needs a larger machine");
    JS_SetPropertyFunctionList(ctx, prototype, functions, count);
    JS_SetClassProto(ctx, *id, prototype);
}

JSValue crypto_new_object(JSContext *ctx, JSClassID id, void *opaque) {
    JSValue object = JS_NewObjectClass(ctx, (int)id);
    if (!JS_IsException(object)) JS_SetOpaque(object, opaque);
    return object;
}

void crypto_free(void *memory, size_t bytes) {
    if (memory != NULL) mbedtls_platform_zeroize(memory, bytes);
    free(memory);
}

bool seed_of(JSValueConst value, struct view *out) {
    return bytes_of(value, out) && out->count == SEED_BYTES;
}

void chance_begin(struct chance *chance, const uint8_t seed[SEED_BYTES]) {
    static const uint8_t nonce[12] = {0};
    mbedtls_chacha20_init(&chance->stream);
    mbedtls_chacha20_setkey(&chance->stream, seed);
    mbedtls_chacha20_starts(&chance->stream, nonce, 0);
}

int chance_draw(void *chance, unsigned char *out, size_t count) {
    memset(out, 0, count);
    return mbedtls_chacha20_update(&((struct chance *)chance)->stream, count, out, out);
}

void chance_end(struct chance *chance) { mbedtls_chacha20_free(&chance->stream); }

void engine_install_crypto(JSContext *ctx, JSValueConst base) {
    JSValue crypto = JS_NewObject(ctx);
    JS_SetPropertyStr(ctx, crypto, "version", JS_NewString(ctx, MBEDTLS_VERSION_STRING_FULL));
    crypto_install_hash(ctx, crypto);
    crypto_install_aead(ctx, crypto);
    crypto_install_ec(ctx, crypto);
    crypto_install_rsa(ctx, crypto);
    JS_SetPropertyStr(ctx, base, "crypto", crypto);
}
