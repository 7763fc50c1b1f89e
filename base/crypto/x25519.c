/* X25519 (RFC 7748) by Mbed TLS's Everest part, C that was made from a proof. */
#include "ec.h"
#include <string.h>

/* Everest's only function; it clamps a copy. */
void Hacl_Curve25519_crypto_scalarmult(uint8_t *out, uint8_t *scalar, uint8_t *point);

bool x25519(const uint8_t scalar[32], const uint8_t point[32], uint8_t out[32]) {
    uint8_t k[32], u[32], any = 0;
    memcpy(k, scalar, 32);
    memcpy(u, point, 32);
    Hacl_Curve25519_crypto_scalarmult(out, k, u);
    mbedtls_platform_zeroize(k, sizeof(k));
    for (int i = 0; i < 32; i++) any |= out[i];
    return any != 0;
}
