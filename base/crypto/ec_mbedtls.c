/* The curves of ec.h by Mbed TLS: P-256 and P-384, and Curve25519 by its Everest part (verified C). */
#include "ec.h"
#include <mbedtls/ecdsa.h>
#include <mbedtls/ecp.h>
#include <string.h>

/* Everest's only function; its own headers name nothing else that we use. */
void Hacl_Curve25519_crypto_scalarmult(uint8_t *out, uint8_t *scalar, uint8_t *point);

static mbedtls_ecp_group *group_of(enum ec_group group) {
    static mbedtls_ecp_group groups[EC_GROUPS];
    mbedtls_ecp_group *g = &groups[group];
    mbedtls_ecp_group_id id = group == EC_P256 ? MBEDTLS_ECP_DP_SECP256R1 : MBEDTLS_ECP_DP_SECP384R1;
    if (g->id == MBEDTLS_ECP_DP_NONE && mbedtls_ecp_group_load(g, id) != 0)
        panic("out of memory: no room for a curve");
    return g;
}

/* What one call computes with; all of it is wiped at its end. */
struct work {
    mbedtls_ecp_group *group;
    mbedtls_mpi d, r, s;
    mbedtls_ecp_point p, q;
    size_t size;
};

static void begin(struct work *w, enum ec_group group) {
    w->group = group_of(group);
    w->size = (w->group->nbits + 7) / 8;
    mbedtls_mpi_init(&w->d), mbedtls_mpi_init(&w->r), mbedtls_mpi_init(&w->s);
    mbedtls_ecp_point_init(&w->p), mbedtls_ecp_point_init(&w->q);
}

static bool end(struct work *w, bool result) {
    mbedtls_mpi_free(&w->d), mbedtls_mpi_free(&w->r), mbedtls_mpi_free(&w->s);
    mbedtls_ecp_point_free(&w->p), mbedtls_ecp_point_free(&w->q);
    return result;
}

static bool read_scalar(struct work *w, const uint8_t *scalar) {
    return mbedtls_mpi_read_binary(&w->d, scalar, w->size) == 0
        && mbedtls_ecp_check_privkey(w->group, &w->d) == 0;
}

static bool read_point(struct work *w, const uint8_t *point) {
    return mbedtls_ecp_point_read_binary(w->group, &w->q, point, 1 + 2 * w->size) == 0
        && mbedtls_ecp_check_pubkey(w->group, &w->q) == 0;
}

/* Blinding for what brings no chance of its own: from the secret, so that nobody else knows it. */
static void chance_of(struct chance *chance, const uint8_t *scalar, size_t bytes) {
    uint8_t seed[SEED_BYTES];
    mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), scalar, bytes, seed);
    chance_begin(chance, seed);
    mbedtls_platform_zeroize(seed, sizeof(seed));
}

/* p = scalar times `by`. */
static bool multiply(struct work *w, const uint8_t *scalar, const mbedtls_ecp_point *by) {
    struct chance chance;
    chance_of(&chance, scalar, w->size);
    int result = mbedtls_ecp_mul(w->group, &w->p, &w->d, by, chance_draw, &chance);
    chance_end(&chance);
    return result == 0;
}

bool ec_public(enum ec_group group, const uint8_t *scalar, uint8_t *point) {
    struct work w;
    size_t written;
    begin(&w, group);
    return end(&w, read_scalar(&w, scalar) && multiply(&w, scalar, &w.group->G)
        && mbedtls_ecp_point_write_binary(w.group, &w.p, MBEDTLS_ECP_PF_UNCOMPRESSED, &written, point,
            1 + 2 * w.size) == 0);
}

bool ec_is_point(enum ec_group group, const uint8_t *point) {
    struct work w;
    begin(&w, group);
    return end(&w, read_point(&w, point));
}

bool ec_agree(enum ec_group group, const uint8_t *scalar, const uint8_t *point, uint8_t *secret) {
    struct work w;
    begin(&w, group);
    return end(&w, read_scalar(&w, scalar) && read_point(&w, point) && multiply(&w, scalar, &w.q)
        && mbedtls_mpi_write_binary(&w.p.private_X, secret, w.size) == 0);
}

bool ec_sign(enum ec_group group, const uint8_t *scalar, struct view digest, struct chance *chance,
             uint8_t *halves) {
    struct work w;
    begin(&w, group);
    return end(&w, read_scalar(&w, scalar)
        && mbedtls_ecdsa_sign(w.group, &w.r, &w.s, &w.d, digest.bytes, digest.count, chance_draw, chance) == 0
        && mbedtls_mpi_write_binary(&w.r, halves, w.size) == 0
        && mbedtls_mpi_write_binary(&w.s, halves + w.size, w.size) == 0);
}

bool ec_verify(enum ec_group group, const uint8_t *point, struct view digest, const uint8_t *halves) {
    struct work w;
    begin(&w, group);
    return end(&w, read_point(&w, point) && mbedtls_mpi_read_binary(&w.r, halves, w.size) == 0
        && mbedtls_mpi_read_binary(&w.s, halves + w.size, w.size) == 0
        && mbedtls_ecdsa_verify(w.group, digest.bytes, digest.count, &w.q, &w.r, &w.s) == 0);
}

bool x25519(const uint8_t scalar[32], const uint8_t point[32], uint8_t out[32]) {
    uint8_t k[32], u[32], any = 0;
    memcpy(k, scalar, 32);
    memcpy(u, point, 32);
    Hacl_Curve25519_crypto_scalarmult(out, k, u); /* Clamps a copy. */
    mbedtls_platform_zeroize(k, sizeof(k));
    for (int i = 0; i < 32; i++) any |= out[i];
    return any != 0;
}
