/* P-384 by Mbed TLS. Its generic arithmetic will do for a curve that few connections use. */
#include "ec.h"
#include <mbedtls/ecdsa.h>
#include <mbedtls/ecp.h>

#define BYTES 48
#define POINT_BYTES 97

static mbedtls_ecp_group *group(void) {
    static mbedtls_ecp_group group;
    if (group.id == MBEDTLS_ECP_DP_NONE
        && mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_SECP384R1) != 0)
        panic("out of memory: no room for a curve");
    return &group;
}

/* What one call computes with; all of it is wiped at its end. */
struct work {
    mbedtls_mpi d, r, s;
    mbedtls_ecp_point p, q;
};

static void begin(struct work *w) {
    mbedtls_mpi_init(&w->d), mbedtls_mpi_init(&w->r), mbedtls_mpi_init(&w->s);
    mbedtls_ecp_point_init(&w->p), mbedtls_ecp_point_init(&w->q);
}

static bool end(struct work *w, bool result) {
    mbedtls_mpi_free(&w->d), mbedtls_mpi_free(&w->r), mbedtls_mpi_free(&w->s);
    mbedtls_ecp_point_free(&w->p), mbedtls_ecp_point_free(&w->q);
    return result;
}

static bool read_scalar(struct work *w, const uint8_t *scalar) {
    return mbedtls_mpi_read_binary(&w->d, scalar, BYTES) == 0
        && mbedtls_ecp_check_privkey(group(), &w->d) == 0;
}

static bool read_point(struct work *w, const uint8_t *point) {
    return mbedtls_ecp_point_read_binary(group(), &w->q, point, POINT_BYTES) == 0
        && mbedtls_ecp_check_pubkey(group(), &w->q) == 0;
}

/* p = d times `by`. Blinding comes from the secret itself, so that nobody else knows it. */
static bool multiply(struct work *w, const uint8_t *scalar, const mbedtls_ecp_point *by) {
    struct chance chance;
    uint8_t seed[SEED_BYTES];
    mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), scalar, BYTES, seed);
    chance_begin(&chance, seed);
    mbedtls_platform_zeroize(seed, sizeof(seed));
    int result = mbedtls_ecp_mul(group(), &w->p, &w->d, by, chance_draw, &chance);
    chance_end(&chance);
    return result == 0;
}

static bool make_public(const uint8_t *scalar, uint8_t *point) {
    struct work w;
    size_t written;
    begin(&w);
    return end(&w, read_scalar(&w, scalar) && multiply(&w, scalar, &group()->G)
        && mbedtls_ecp_point_write_binary(group(), &w.p, MBEDTLS_ECP_PF_UNCOMPRESSED, &written,
            point, POINT_BYTES) == 0);
}

static bool is_point(const uint8_t *point) {
    struct work w;
    begin(&w);
    return end(&w, read_point(&w, point));
}

static bool agree(const uint8_t *scalar, const uint8_t *point, uint8_t *secret) {
    struct work w;
    begin(&w);
    return end(&w, read_scalar(&w, scalar) && read_point(&w, point) && multiply(&w, scalar, &w.q)
        && mbedtls_mpi_write_binary(&w.p.private_X, secret, BYTES) == 0);
}

static bool sign(const uint8_t *scalar, struct view digest, struct chance *chance,
                 uint8_t *halves) {
    struct work w;
    begin(&w);
    return end(&w, read_scalar(&w, scalar)
        && mbedtls_ecdsa_sign(group(), &w.r, &w.s, &w.d, digest.bytes, digest.count, chance_draw,
            chance) == 0
        && mbedtls_mpi_write_binary(&w.r, halves, BYTES) == 0
        && mbedtls_mpi_write_binary(&w.s, halves + BYTES, BYTES) == 0);
}

static bool verify(const uint8_t *point, struct view digest, const uint8_t *halves) {
    struct work w;
    begin(&w);
    return end(&w, read_point(&w, point) && mbedtls_mpi_read_binary(&w.r, halves, BYTES) == 0
        && mbedtls_mpi_read_binary(&w.s, halves + BYTES, BYTES) == 0
        && mbedtls_ecdsa_verify(group(), digest.bytes, digest.count, &w.q, &w.r, &w.s) == 0);
}

const struct curve p384 = {BYTES, POINT_BYTES, make_public, is_point, agree, sign, verify};
