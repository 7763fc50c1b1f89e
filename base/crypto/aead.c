/*
 * AEADs: one object for one key. AES-GCM by the CPU's instructions where it has them (gcm.c), else
 * Mbed TLS's; ChaCha20-Poly1305 (RFC 8439) is Mbed TLS's.
 */
#include "crypto.h"
#include <mbedtls/chachapoly.h>
#include <mbedtls/constant_time.h>
#include <mbedtls/gcm.h>
#include <stdlib.h>
#include <string.h>
#include "gcm.h"

#define NONCE_BYTES 12
#define TAG_BYTES 16

static JSClassID aead_class;

enum aead_kind { AEAD_DESTROYED, AEAD_GCM, AEAD_GCM_PORTABLE, AEAD_CHACHAPOLY };
struct aead {
    enum aead_kind kind;
    union {
        struct gcm gcm;
        mbedtls_gcm_context portable;
        mbedtls_chachapoly_context chachapoly;
    };
};

static void destroy(struct aead *aead) {
    if (aead->kind == AEAD_GCM_PORTABLE) mbedtls_gcm_free(&aead->portable);
    if (aead->kind == AEAD_CHACHAPOLY) mbedtls_chachapoly_free(&aead->chachapoly);
    mbedtls_platform_zeroize(aead, sizeof(*aead));
}

static void finalize(JSRuntime *rt, JSValue object) {
    (void)rt;
    struct aead *aead = JS_GetOpaque(object, aead_class);
    if (aead == NULL) return;
    destroy(aead);
    free(aead);
}

static bool begin(struct aead *aead, uint64_t name, struct view key) {
    if (name == 2) {
        mbedtls_chachapoly_init(&aead->chachapoly);
        aead->kind = AEAD_CHACHAPOLY;
        return mbedtls_chachapoly_setkey(&aead->chachapoly, key.bytes) == 0;
    }
    if (gcm_is_supported()) {
        aead->kind = AEAD_GCM;
        gcm_begin(&aead->gcm, key.bytes, key.count);
        return true;
    }
    mbedtls_gcm_init(&aead->portable);
    aead->kind = AEAD_GCM_PORTABLE;
    return mbedtls_gcm_setkey(&aead->portable, MBEDTLS_CIPHER_ID_AES, key.bytes,
        8 * key.count) == 0;
}

/* Names are AES-128-GCM (0), AES-256-GCM (1), CHACHA20-POLY1305 (2). */
static JSValue aead_js(ARGUMENTS) {
    struct view key;
    uint64_t name;
    if (!natural_of(argv[0], &name) || name > 2) return THROW_RANGE("not an AEAD");
    if (!bytes_of(argv[1], &key) || key.count != (name == 0 ? 16 : 32))
        return THROW_RANGE("a key of another length");
    struct aead *aead = calloc(1, sizeof(*aead)); /* On 16 bytes, as vectors want. */
    if (aead == NULL) return JS_ThrowOutOfMemory(ctx);
    JSValue object = begin(aead, name, key) ? crypto_new_object(ctx, aead_class, aead)
                                            : JS_ThrowOutOfMemory(ctx);
    if (JS_IsException(object)) {
        destroy(aead);
        free(aead);
    }
    return object;
}

/* The same place, or without a byte in common. */
static bool is_apart(struct range from, struct range to) {
    if (from.bytes == to.bytes) return true;
    return from.bytes + from.count <= to.bytes || to.bytes + to.count <= from.bytes;
}

static void seal(struct aead *aead, struct gcm_message m, uint8_t *tag) {
    switch (aead->kind) {
    case AEAD_GCM:
        gcm_seal(&aead->gcm, m, tag);
        break;
    case AEAD_GCM_PORTABLE:
        mbedtls_gcm_crypt_and_tag(&aead->portable, MBEDTLS_GCM_ENCRYPT, m.bytes, m.nonce,
            NONCE_BYTES, m.additional, m.additional_bytes, m.from, m.to, TAG_BYTES, tag);
        break;
    default:
        mbedtls_chachapoly_encrypt_and_tag(&aead->chachapoly, m.bytes, m.nonce, m.additional,
            m.additional_bytes, m.from, m.to, tag);
    }
}

/* Nothing of the plaintext stays when the tag is another. */
static bool open(struct aead *aead, struct gcm_message m, const uint8_t *tag) {
    if (aead->kind == AEAD_GCM_PORTABLE) {
        return mbedtls_gcm_auth_decrypt(&aead->portable, m.bytes, m.nonce, NONCE_BYTES,
            m.additional, m.additional_bytes, tag, TAG_BYTES, m.from, m.to) == 0;
    }
    if (aead->kind == AEAD_CHACHAPOLY) {
        return mbedtls_chachapoly_auth_decrypt(&aead->chachapoly, m.bytes, m.nonce, m.additional,
            m.additional_bytes, tag, m.from, m.to) == 0;
    }
    uint8_t own[TAG_BYTES];
    gcm_open(&aead->gcm, m, own);
    bool same = mbedtls_ct_memcmp(own, tag, TAG_BYTES) == 0;
    if (!same) mbedtls_platform_zeroize(m.to, m.bytes);
    return same;
}

/* seal (0) and open (1): nonce, additional, input, inAt, count, out, outAt. */
static JSValue run_js(MAGIC_ARGUMENTS) {
    struct aead *aead = JS_GetOpaque2(ctx, self, aead_class);
    struct view nonce, additional;
    struct range from, to;
    uint64_t at;
    if (aead == NULL) return JS_EXCEPTION;
    if (aead->kind == AEAD_DESTROYED) return DESTROYED;
    if (!bytes_of(argv[0], &nonce) || nonce.count != NONCE_BYTES)
        return THROW_RANGE("a nonce of another length");
    if (!bytes_of(argv[1], &additional)) return NO_BYTES;
    if (!range_at(argv[2], argv[3], argv[4], &from)) return OUTSIDE;
    if (magic == 1 && from.count < TAG_BYTES) return JS_FALSE;
    uint64_t count = magic == 0 ? (uint64_t)from.count + TAG_BYTES : from.count - TAG_BYTES;
    if (!natural_of(argv[6], &at) || !range_set(argv[5], at, at + count, &to)) return OUTSIDE;
    if (!is_apart(from, to)) return THROW_RANGE("input and output overlap");
    struct gcm_message message = {
        nonce.bytes, additional.bytes, additional.count, from.bytes, to.bytes,
        magic == 0 ? from.count : (size_t)count,
    };
    if (magic == 1) return JS_NewBool(ctx, open(aead, message, from.bytes + count));
    seal(aead, message, to.bytes + from.count);
    return JS_UNDEFINED;
}

static JSValue destroy_js(ARGUMENTS) {
    struct aead *aead = JS_GetOpaque2(ctx, self, aead_class);
    if (aead == NULL) return JS_EXCEPTION;
    destroy(aead); /* Zeroed: AEAD_DESTROYED. */
    return JS_UNDEFINED;
}

static const JSCFunctionListEntry methods[] = {
    MAGIC_METHOD("seal", 7, run_js, 0), MAGIC_METHOD("open", 7, run_js, 1),
    METHOD("destroy", 0, destroy_js),
};

void crypto_install_aead(JSContext *ctx, JSValueConst crypto) {
    static const JSCFunctionListEntry functions[] = {METHOD("aead", 2, aead_js)};
    crypto_new_class(ctx, &aead_class, "Aead", finalize, methods, COUNT_OF(methods));
    JS_SetPropertyFunctionList(ctx, crypto, functions, COUNT_OF(functions));
}
