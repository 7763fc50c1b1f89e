/* Elliptic curves on bytes, big-endian: scalars of the curve's size, points as 4, x, y. */
#ifndef EC_H
#define EC_H
#include "crypto.h"

#define EC_SCALAR_BYTES_MAX 48
#define EC_POINT_BYTES_MAX 97

struct curve {
    size_t scalar_bytes, point_bytes;
    /* The point of a private key: false for a scalar outside of 1..order-1. */
    bool (*make_public)(const uint8_t *scalar, uint8_t *point);
    bool (*is_point)(const uint8_t *point);
    /* The x of scalar times point: false unless the point is on the curve. */
    bool (*agree)(const uint8_t *scalar, const uint8_t *point, uint8_t *secret);
    /* r and s. `chance` is for nonce and blinding. */
    bool (*sign)(const uint8_t *scalar, struct view digest, struct chance *chance, uint8_t *halves);
    bool (*verify)(const uint8_t *point, struct view digest, const uint8_t *halves);
};
extern const struct curve p256, p384;

/* RFC 7748 §5: false for a result that is all zeros (§6.1). */
bool x25519(const uint8_t scalar[32], const uint8_t point[32], uint8_t out[32]);
#endif
