/*
 * What the files of `__base.crypto` share. Its contract is targets/base/crypto-native.ts. Memory is
 * the base's heap through calloc; what may hold a secret is wiped before it is given back.
 */
#ifndef CRYPTO_H
#define CRYPTO_H
#include "engine.h"
#include <mbedtls/chacha20.h>
#include <mbedtls/md.h>
#include <mbedtls/platform_util.h>

#define DIGEST_BYTES_MAX 64
#define NO_BYTES JS_ThrowTypeError(ctx, "not a Uint8Array")
#define BAD_DIGEST THROW_RANGE("not a digest")
#define BAD_SEED THROW_RANGE("a seed of another length")
#define DESTROYED JS_ThrowTypeError(ctx, "the key was destroyed")

/* A hash by its index, SHA-1, SHA-256, SHA-384, SHA-512; NULL for anything else. */
const mbedtls_md_info_t *crypto_hash_of(JSValueConst index);

/* Fresh bytes for a result, and `*out` a view of them; without room NULL, and an exception. */
uint8_t *crypto_new_bytes(JSContext *ctx, size_t count, JSValue *out);

/* Registers a class whose objects have `functions`; `finalizer` gets an object's opaque memory. */
void crypto_new_class(JSContext *ctx, JSClassID *id, const char *name, JSClassFinalizer *finalizer,
                      const JSCFunctionListEntry *functions, int count);
/* An object of that class that owns `opaque`; frees neither when it can't be made. */
JSValue crypto_new_object(JSContext *ctx, JSClassID id, void *opaque);
/* Wipes and frees. */
void crypto_free(void *memory, size_t bytes);

/* Chance for one call, drawn from SEED_BYTES that the caller brought. */
#define SEED_BYTES 32
struct chance {
    mbedtls_chacha20_context stream;
};
void chance_begin(struct chance *chance, const uint8_t seed[SEED_BYTES]);
/* mbedtls's f_rng. */
int chance_draw(void *chance, unsigned char *out, size_t count);
void chance_end(struct chance *chance);
bool seed_of(JSValueConst value, struct view *out);

void crypto_install_hash(JSContext *ctx, JSValueConst crypto);
void crypto_install_aead(JSContext *ctx, JSValueConst crypto);
void crypto_install_ec(JSContext *ctx, JSValueConst crypto);
void crypto_install_rsa(JSContext *ctx, JSValueConst crypto);
#endif
