/*
 * RSA keys (RFC 8017) by Mbed TLS: PKCS#1 v1.5 and PSS signatures, no encryption. The numbers are
 * those of key-format.ts, which checked sizes and the private ones' relations.
 */
#include "crypto.h"
#include <mbedtls/rsa.h>
#include <stdlib.h>
#include <string.h>

#define BITS_MIN 1024
#define BITS_MAX 8192
#define EXPONENT_BYTES_MAX 4
#define GENERATE_BITS_MAX 4096
#define EXPONENT 65537

static JSClassID rsa_class;

struct rsa {
    bool is_live, is_private;
    mbedtls_rsa_context key;
};

static void destroy(struct rsa *rsa) {
    if (rsa->is_live) mbedtls_rsa_free(&rsa->key); /* Wipes the numbers. */
    rsa->is_live = false;
}

static void finalize(JSRuntime *rt, JSValue object) {
    (void)rt;
    struct rsa *rsa = JS_GetOpaque(object, rsa_class);
    if (rsa == NULL) return;
    destroy(rsa);
    free(rsa);
}

static struct rsa *new_rsa(bool is_private) {
    struct rsa *rsa = calloc(1, sizeof(*rsa));
    if (rsa == NULL) return NULL;
    mbedtls_rsa_init(&rsa->key);
    rsa->is_live = true;
    rsa->is_private = is_private;
    return rsa;
}

/* The object of a good key; `rsa` is given up otherwise, for null. */
static JSValue finish(JSContext *ctx, struct rsa *rsa, bool good) {
    JSValue object = good ? crypto_new_object(ctx, rsa_class, rsa) : JS_NULL;
    if (good && !JS_IsException(object)) return object;
    destroy(rsa);
    free(rsa);
    return object;
}

/* modulus, exponent; p and q for a private key, else undefined. */
static JSValue rsa_key_js(ARGUMENTS) {
    struct view n, e, p = {0}, q = {0};
    bool is_private = !JS_IsUndefined(argv[2]);
    if (!bytes_of(argv[0], &n) || n.count < BITS_MIN / 8 || n.count > BITS_MAX / 8)
        return THROW_RANGE("not a modulus");
    if (!bytes_of(argv[1], &e) || e.count > EXPONENT_BYTES_MAX)
        return THROW_RANGE("not an exponent");
    if (is_private && (!bytes_of(argv[2], &p) || !bytes_of(argv[3], &q))) return NO_BYTES;
    if (p.count > n.count || q.count > n.count) return THROW_RANGE("not factors");
    struct rsa *rsa = new_rsa(is_private);
    if (rsa == NULL) return JS_ThrowOutOfMemory(ctx);
    mbedtls_rsa_context *key = &rsa->key;
    bool good = mbedtls_rsa_import_raw(key, n.bytes, n.count, is_private ? p.bytes : NULL, p.count,
        is_private ? q.bytes : NULL, q.count, NULL, 0, e.bytes, e.count) == 0;
    good = good && mbedtls_rsa_complete(key) == 0;
    good = good && mbedtls_rsa_check_pubkey(key) == 0;
    good = good && (!is_private || mbedtls_rsa_check_privkey(key) == 0);
    return finish(ctx, rsa, good);
}

static JSValue rsa_generate_js(ARGUMENTS) {
    uint64_t bits;
    struct view seed;
    if (!natural_of(argv[0], &bits) || bits < BITS_MIN || bits > GENERATE_BITS_MAX || bits % 128)
        return THROW_RANGE("not a size");
    if (!seed_of(argv[1], &seed)) return BAD_SEED;
    struct rsa *rsa = new_rsa(true);
    if (rsa == NULL) return JS_ThrowOutOfMemory(ctx);
    struct chance chance;
    chance_begin(&chance, seed.bytes);
    bool good = mbedtls_rsa_gen_key(&rsa->key, chance_draw, &chance, (unsigned)bits, EXPONENT) == 0;
    chance_end(&chance);
    JSValue object = finish(ctx, rsa, good);
    return JS_IsNull(object) ? JS_ThrowOutOfMemory(ctx) : object;
}

static struct rsa *rsa_of(JSContext *ctx, JSValueConst self, bool needs_private) {
    struct rsa *rsa = JS_GetOpaque2(ctx, self, rsa_class);
    if (rsa == NULL || (rsa->is_live && (rsa->is_private || !needs_private))) return rsa;
    if (rsa->is_live) JS_ThrowTypeError(ctx, "not a private key");
    else DESTROYED;
    return NULL;
}

/* What sign and verify take first: hash, digest, and the salt's length, or -1 for PKCS#1 v1.5. */
struct scheme {
    mbedtls_md_type_t hash;
    struct view digest;
    int salt;
};

static bool scheme_of(mbedtls_rsa_context *key, JSValueConst *argv, struct scheme *out) {
    const mbedtls_md_info_t *info = crypto_hash_of(argv[0]);
    uint64_t salt = 0;
    bool is_pss = !JS_IsUndefined(argv[2]);
    if (info == NULL || !bytes_of(argv[1], &out->digest)) return false;
    if (out->digest.count != mbedtls_md_get_size(info)) return false;
    if (is_pss && (!natural_of(argv[2], &salt) || salt > BITS_MAX / 8)) return false;
    out->hash = mbedtls_md_get_type(info);
    out->salt = is_pss ? (int)salt : -1;
    return mbedtls_rsa_set_padding(key, is_pss ? MBEDTLS_RSA_PKCS_V21 : MBEDTLS_RSA_PKCS_V15,
        is_pss ? out->hash : MBEDTLS_MD_NONE) == 0;
}

/* hash, digest, salt, seed. */
static JSValue sign_js(ARGUMENTS) {
    struct rsa *rsa = rsa_of(ctx, self, true);
    struct scheme scheme;
    struct view seed;
    struct chance chance;
    JSValue result;
    if (rsa == NULL) return JS_EXCEPTION;
    if (!scheme_of(&rsa->key, argv, &scheme)) return BAD_DIGEST;
    if (!seed_of(argv[3], &seed)) return BAD_SEED;
    uint8_t *out = crypto_new_bytes(ctx, mbedtls_rsa_get_len(&rsa->key), &result);
    if (out == NULL) return result;
    chance_begin(&chance, seed.bytes);
    int failed = scheme.salt < 0
        ? mbedtls_rsa_pkcs1_sign(&rsa->key, chance_draw, &chance, scheme.hash, scheme.digest.count,
            scheme.digest.bytes, out)
        : mbedtls_rsa_rsassa_pss_sign_ext(&rsa->key, chance_draw, &chance, scheme.hash,
            scheme.digest.count, scheme.digest.bytes, scheme.salt, out);
    chance_end(&chance);
    if (!failed) return result;
    JS_FreeValue(ctx, result);
    return THROW_RANGE("the key can't sign this");
}

/* hash, digest, salt, signature. */
static JSValue verify_js(ARGUMENTS) {
    struct rsa *rsa = rsa_of(ctx, self, false);
    struct scheme scheme;
    struct view signature;
    if (rsa == NULL) return JS_EXCEPTION;
    if (!scheme_of(&rsa->key, argv, &scheme)) return BAD_DIGEST;
    if (!bytes_of(argv[3], &signature)) return NO_BYTES;
    if (signature.count != mbedtls_rsa_get_len(&rsa->key)) return JS_FALSE;
    int failed = scheme.salt < 0
        ? mbedtls_rsa_rsassa_pkcs1_v15_verify(&rsa->key, scheme.hash, scheme.digest.count,
            scheme.digest.bytes, signature.bytes)
        : mbedtls_rsa_rsassa_pss_verify_ext(&rsa->key, scheme.hash, scheme.digest.count,
            scheme.digest.bytes, scheme.hash, scheme.salt, signature.bytes);
    return JS_NewBool(ctx, !failed);
}

static JSValue number_js(JSContext *ctx, const mbedtls_mpi *number) {
    JSValue bytes;
    size_t count = mbedtls_mpi_size(number);
    uint8_t *out = crypto_new_bytes(ctx, count, &bytes);
    if (out != NULL) mbedtls_mpi_write_binary(number, out, count);
    return bytes;
}

/* n, e, and of a private key d, p, q, d mod p-1, d mod q-1, 1/q mod p. */
static JSValue numbers_js(ARGUMENTS) {
    struct rsa *rsa = rsa_of(ctx, self, false);
    if (rsa == NULL) return JS_EXCEPTION;
    mbedtls_rsa_context *key = &rsa->key;
    const mbedtls_mpi *all[] = {
        &key->private_N, &key->private_E, &key->private_D, &key->private_P, &key->private_Q,
        &key->private_DP, &key->private_DQ, &key->private_QP,
    };
    JSValue array = JS_NewArray(ctx);
    for (uint32_t i = 0; i < (rsa->is_private ? COUNT_OF(all) : 2) && !JS_IsException(array); i++) {
        JSValue bytes = number_js(ctx, all[i]);
        if (!JS_IsException(bytes) && JS_SetPropertyUint32(ctx, array, i, bytes) >= 0) continue;
        JS_FreeValue(ctx, array);
        array = JS_EXCEPTION;
    }
    return array;
}

static JSValue destroy_js(ARGUMENTS) {
    struct rsa *rsa = JS_GetOpaque2(ctx, self, rsa_class);
    if (rsa == NULL) return JS_EXCEPTION;
    destroy(rsa);
    return JS_UNDEFINED;
}

static const JSCFunctionListEntry methods[] = {
    METHOD("sign", 4, sign_js), METHOD("verify", 4, verify_js), METHOD("numbers", 0, numbers_js),
    METHOD("destroy", 0, destroy_js),
};

static const JSCFunctionListEntry functions[] = {
    METHOD("rsaKey", 4, rsa_key_js), METHOD("rsaGenerate", 2, rsa_generate_js),
};

void crypto_install_rsa(JSContext *ctx, JSValueConst crypto) {
    crypto_new_class(ctx, &rsa_class, "Rsa", finalize, methods, COUNT_OF(methods));
    JS_SetPropertyFunctionList(ctx, crypto, functions, COUNT_OF(functions));
}
