/* Elliptic curves on bytes, big-endian; scalars and points of the group's size (ec_sizes). */
#ifndef EC_H
#define EC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "crypto.h"

#define EC_SCALAR_BYTES_MAX 48
#define EC_POINT_BYTES_MAX 97

enum ec_group { EC_X25519, EC_P256, EC_P384, EC_GROUPS };

/* The point of a private key: false for a scalar outside of 1..order-1. */
bool ec_public(enum ec_group group, const uint8_t *scalar, uint8_t *point);
/* Whether a point, which begins with 4, is on the curve. */
bool ec_is_point(enum ec_group group, const uint8_t *point);
/* The x of scalar times point: false unless the point is on the curve. */
bool ec_agree(enum ec_group group, const uint8_t *scalar, const uint8_t *point, uint8_t *secret);
/* r and s. `chance` is for nonce and blinding. */
bool ec_sign(enum ec_group group, const uint8_t *scalar, struct view digest, struct chance *chance,
             uint8_t *halves);
bool ec_verify(enum ec_group group, const uint8_t *point, struct view digest, const uint8_t *halves);
/* RFC 7748 §5: false for a result that is all zeros (§6.1). */
bool x25519(const uint8_t scalar[32], const uint8_t point[32], uint8_t out[32]);
#endif
