/*
 * Keys of elliptic curves (ec.h): one object for a private or a public key. A scalar is never
 * outside of an object but as the bytes that scalar() copies.
 */
#include "ec.h"
#include <stdlib.h>
#include <string.h>

static JSClassID key_class;

enum key_kind { KEY_DESTROYED, KEY_PUBLIC, KEY_PRIVATE };
struct key {
    enum key_kind kind;
    const struct curve *curve; /* NULL: x25519. */
    uint8_t scalar[EC_SCALAR_BYTES_MAX];
    uint8_t point[EC_POINT_BYTES_MAX]; /* RFC 7748's u, or 4, x, y. */
};

static const uint8_t base_point[32] = {9}; /* RFC 7748 §4.1. */

static size_t scalar_bytes(const struct curve *curve) { return curve ? curve->scalar_bytes : 32; }
static size_t point_bytes(const struct curve *curve) { return curve ? curve->point_bytes : 32; }

static void finalize(JSRuntime *rt, JSValue object) {
    (void)rt;
    crypto_free(JS_GetOpaque(object, key_class), sizeof(struct key));
}

/* Groups are x25519 (0), secp256r1 (1), secp384r1 (2). */
static bool group_of(JSValueConst value, const struct curve **out) {
    static const struct curve *const curves[] = {NULL, &p256, &p384};
    uint64_t group;
    if (!natural_of(value, &group) || group >= COUNT_OF(curves)) return false;
    *out = curves[group];
    return true;
}

/* An object with the key, or null: what isn't a key of the group is no mistake of ours. */
static JSValue new_key(JSContext *ctx, bool good, const struct key *from) {
    if (!good) return JS_NULL;
    struct key *key = calloc(1, sizeof(*key));
    if (key == NULL) return JS_ThrowOutOfMemory(ctx);
    *key = *from;
    JSValue object = crypto_new_object(ctx, key_class, key);
    if (JS_IsException(object)) crypto_free(key, sizeof(*key));
    return object;
}

static JSValue private_key_js(ARGUMENTS) {
    struct key key = {.kind = KEY_PRIVATE};
    struct view scalar;
    if (!group_of(argv[0], &key.curve)) return THROW_RANGE("not a group");
    if (!bytes_of(argv[1], &scalar)) return NO_BYTES;
    bool good = scalar.count == scalar_bytes(key.curve);
    if (good) memcpy(key.scalar, scalar.bytes, scalar.count);
    if (good && key.curve == NULL) x25519(key.scalar, base_point, key.point);
    else if (good) good = key.curve->make_public(key.scalar, key.point);
    JSValue object = new_key(ctx, good, &key);
    mbedtls_platform_zeroize(&key, sizeof(key));
    return object;
}

static JSValue public_key_js(ARGUMENTS) {
    struct key key = {.kind = KEY_PUBLIC};
    struct view point;
    if (!group_of(argv[0], &key.curve) || key.curve == NULL) return THROW_RANGE("not a curve");
    if (!bytes_of(argv[1], &point)) return NO_BYTES;
    if (point.count != point_bytes(key.curve) || point.bytes[0] != 4) return JS_NULL;
    memcpy(key.point, point.bytes, point.count);
    return new_key(ctx, key.curve->is_point(key.point), &key);
}

/* The object's key when it is at least of this kind, else NULL and an exception. */
static struct key *key_of(JSContext *ctx, JSValueConst self, enum key_kind least) {
    struct key *key = JS_GetOpaque2(ctx, self, key_class);
    if (key == NULL || key->kind >= least) return key;
    if (key->kind == KEY_DESTROYED) DESTROYED;
    else JS_ThrowTypeError(ctx, "not a private key");
    return NULL;
}

/* point (0) and scalar (1), copied. */
static JSValue bytes_js(MAGIC_ARGUMENTS) {
    struct key *key = key_of(ctx, self, magic == 0 ? KEY_PUBLIC : KEY_PRIVATE);
    JSValue result;
    if (key == NULL) return JS_EXCEPTION;
    size_t count = magic == 0 ? point_bytes(key->curve) : scalar_bytes(key->curve);
    uint8_t *out = crypto_new_bytes(ctx, count, &result);
    if (out != NULL) memcpy(out, magic == 0 ? key->point : key->scalar, count);
    return result;
}

static JSValue agree_js(ARGUMENTS) {
    struct key *key = key_of(ctx, self, KEY_PRIVATE);
    struct view peer;
    JSValue result;
    if (key == NULL) return JS_EXCEPTION;
    if (!bytes_of(argv[0], &peer)) return NO_BYTES;
    if (peer.count != point_bytes(key->curve)) return JS_NULL;
    if (key->curve != NULL && peer.bytes[0] != 4) return JS_NULL;
    uint8_t secret[EC_SCALAR_BYTES_MAX];
    bool good = key->curve == NULL ? x25519(key->scalar, peer.bytes, secret)
                                   : key->curve->agree(key->scalar, peer.bytes, secret);
    uint8_t *out = good ? crypto_new_bytes(ctx, scalar_bytes(key->curve), &result) : NULL;
    if (out != NULL) memcpy(out, secret, scalar_bytes(key->curve));
    mbedtls_platform_zeroize(secret, sizeof(secret));
    return good ? result : JS_NULL;
}

/*
 * The nonce comes from the caller's entropy, the key and the digest together: two messages never
 * share one, and nobody knows it, even should the entropy fail.
 */
static void nonce_chance(struct chance *chance, struct view seed, const struct key *key,
                         struct view digest) {
    const mbedtls_md_info_t *sha = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
    uint8_t input[SEED_BYTES + EC_SCALAR_BYTES_MAX + DIGEST_BYTES_MAX + 1] = {0}, mixed[SEED_BYTES];
    memcpy(input, seed.bytes, SEED_BYTES);
    memcpy(input + SEED_BYTES, key->scalar, sizeof(key->scalar));
    memcpy(input + SEED_BYTES + sizeof(key->scalar), digest.bytes, digest.count);
    input[sizeof(input) - 1] = (uint8_t)digest.count; /* A digest of 20 bytes isn't one of 21. */
    mbedtls_md(sha, input, sizeof(input), mixed);
    chance_begin(chance, mixed);
    mbedtls_platform_zeroize(input, sizeof(input));
    mbedtls_platform_zeroize(mixed, sizeof(mixed));
}

static JSValue sign_js(ARGUMENTS) {
    struct key *key = key_of(ctx, self, KEY_PRIVATE);
    struct view digest, seed;
    struct chance chance;
    JSValue result;
    if (key == NULL) return JS_EXCEPTION;
    if (key->curve == NULL) return JS_ThrowTypeError(ctx, "not a key for signatures");
    if (!bytes_of(argv[0], &digest) || digest.count > DIGEST_BYTES_MAX) return BAD_DIGEST;
    if (!seed_of(argv[1], &seed)) return BAD_SEED;
    uint8_t *out = crypto_new_bytes(ctx, 2 * scalar_bytes(key->curve), &result);
    if (out == NULL) return result;
    nonce_chance(&chance, seed, key, digest);
    bool good = key->curve->sign(key->scalar, digest, &chance, out);
    chance_end(&chance);
    if (good) return result;
    JS_FreeValue(ctx, result);
    return JS_ThrowOutOfMemory(ctx);
}

static JSValue verify_js(ARGUMENTS) {
    struct key *key = key_of(ctx, self, KEY_PUBLIC);
    struct view digest, halves;
    if (key == NULL) return JS_EXCEPTION;
    if (key->curve == NULL) return JS_ThrowTypeError(ctx, "not a key for signatures");
    if (!bytes_of(argv[0], &digest) || digest.count > DIGEST_BYTES_MAX) return BAD_DIGEST;
    if (!bytes_of(argv[1], &halves)) return NO_BYTES;
    if (halves.count != 2 * scalar_bytes(key->curve)) return JS_FALSE;
    return JS_NewBool(ctx, key->curve->verify(key->point, digest, halves.bytes));
}

static JSValue destroy_js(ARGUMENTS) {
    struct key *key = JS_GetOpaque2(ctx, self, key_class);
    if (key == NULL) return JS_EXCEPTION;
    mbedtls_platform_zeroize(key, sizeof(*key)); /* KEY_DESTROYED. */
    return JS_UNDEFINED;
}

static const JSCFunctionListEntry methods[] = {
    MAGIC_METHOD("point", 0, bytes_js, 0), MAGIC_METHOD("scalar", 0, bytes_js, 1),
    METHOD("agree", 1, agree_js), METHOD("sign", 2, sign_js), METHOD("verify", 2, verify_js),
    METHOD("destroy", 0, destroy_js),
};

static const JSCFunctionListEntry functions[] = {
    METHOD("privateKey", 2, private_key_js), METHOD("publicKey", 2, public_key_js),
};

void crypto_install_ec(JSContext *ctx, JSValueConst crypto) {
    crypto_new_class(ctx, &key_class, "Key", finalize, methods, COUNT_OF(methods));
    JS_SetPropertyFunctionList(ctx, crypto, functions, COUNT_OF(functions));
}
