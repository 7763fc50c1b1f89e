/*
 * P-256 (FIPS 186-5, SP 800-186), where Mbed TLS needs ten times as long. Numbers are four 64-bit
 * words, lowest first, in Montgomery's form. Points are projective (x = X/Z, y = Y/Z) and are added
 * by the complete formulas of Renes, Costello and Batina (2015, algorithms 4 and 6), which hold for
 * every pair of points: no branch, no table index and no address depends on a secret.
 */
#include "ec.h"
#include <mbedtls/platform_util.h>
#include <string.h>

#define WORDS 4
#define TEETH 16   /* Points of a window or a comb of four bits. */
#define COMBS 4    /* Tables of the base point, each for 16 of 64 columns. */
#define TRIES_MAX 64
#define INLINE static inline __attribute__((always_inline))

typedef unsigned __int128 wide;
struct number {
    uint64_t word[WORDS];
};
struct point {
    struct number x, y, z;
};

/* p = 2^256 - 2^224 + 2^192 + 2^96 - 1, and n, the order of the base point. */
static const struct number p = {{UINT64_MAX, 0xffffffff, 0, 0xffffffff00000001}};
static const struct number n = {{
    0xf3b9cac2fc632551, 0xbce6faada7179e84, UINT64_MAX, 0xffffffff00000000,
}};
#define N_INVERSE 0xccd1c8aaee00bc4f /* -1/n mod 2^64; that of p is 1. */
static const struct number one = {{1}};
/* 2^512, which brings a number into Montgomery's form. */
static const struct number p_square = {{3, 0xfffffffbffffffff, 0xfffffffffffffffe, 0x4fffffffd}};
static const struct number n_square = {{
    0x83244c95be79eea2, 0x4699799c49bd6fa6, 0x2845b2392b6bec59, 0x66e12d94f3d95620,
}};
/* b of the curve and the base point, big-endian. */
static const uint8_t curve_b[32] = {
    0x5a, 0xc6, 0x35, 0xd8, 0xaa, 0x3a, 0x93, 0xe7, 0xb3, 0xeb, 0xbd, 0x55, 0x76, 0x98, 0x86, 0xbc,
    0x65, 0x1d, 0x06, 0xb0, 0xcc, 0x53, 0xb0, 0xf6, 0x3b, 0xce, 0x3c, 0x3e, 0x27, 0xd2, 0x60, 0x4b,
};
static const uint8_t base_xy[64] = {
    0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2,
    0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96,
    0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16,
    0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
};

/* Four words as operands of an instruction, in registers and in memory. */
#define IN_REGISTERS(t, of) \
    [t##0] "+&r"((of)[0]), [t##1] "+&r"((of)[1]), [t##2] "+&r"((of)[2]), [t##3] "+&r"((of)[3])
#define IN_MEMORY(a, of) \
    [a##0] "m"((of)->word[0]), [a##1] "m"((of)->word[1]), [a##2] "m"((of)->word[2]), \
    [a##3] "m"((of)->word[3])

/* out = t - a, and whether that was negative. */
INLINE uint64_t subtract(struct number *out, const struct number *t, const struct number *a) {
    uint64_t borrow = 0;
    struct number d = *t;
    __asm__("subq %[a0], %[d0]\n\tsbbq %[a1], %[d1]\n\tsbbq %[a2], %[d2]\n\t"
            "sbbq %[a3], %[d3]\n\tadcq $0, %[borrow]"
            : IN_REGISTERS(d, d.word), [borrow] "+&r"(borrow) : IN_MEMORY(a, a) : "cc");
    *out = d;
    return borrow;
}

/* out = t modulo m, where t has a fifth word, `top`, and is below 2m. */
INLINE void reduce_once(struct number *out, const uint64_t t[WORDS], uint64_t top,
                        const struct number *m) {
    struct number less = {{t[0], t[1], t[2], t[3]}};
    __asm__("subq %[m0], %[u0]\n\tsbbq %[m1], %[u1]\n\tsbbq %[m2], %[u2]\n\t"
            "sbbq %[m3], %[u3]\n\tsbbq $0, %[top]\n\tcmovcq %[t0], %[u0]\n\t"
            "cmovcq %[t1], %[u1]\n\tcmovcq %[t2], %[u2]\n\tcmovcq %[t3], %[u3]"
            : IN_REGISTERS(u, less.word), [top] "+&r"(top)
            : IN_MEMORY(m, m), [t0] "r"(t[0]), [t1] "r"(t[1]), [t2] "r"(t[2]), [t3] "r"(t[3])
            : "cc");
    *out = less;
}

INLINE void add_modulo(struct number *out, const struct number *a, const struct number *b,
                       const struct number *m) {
    uint64_t carry = 0;
    struct number t = *a;
    __asm__("addq %[b0], %[t0]\n\tadcq %[b1], %[t1]\n\tadcq %[b2], %[t2]\n\t"
            "adcq %[b3], %[t3]\n\tadcq $0, %[carry]"
            : IN_REGISTERS(t, t.word), [carry] "+&r"(carry) : IN_MEMORY(b, b) : "cc");
    reduce_once(out, t.word, carry, m);
}

/* A number with a word for its carry, and one for that one's. */
struct sum {
    uint64_t word[WORDS + 2];
};

/* t += a b, for a word b. Compilers don't leave the carries where the CPU has them. */
INLINE void add_row(struct sum *t, const struct number *a, uint64_t b) {
    uint64_t carry;
#define STEP(i) "movq %[a" #i "], %%rax\n\tmulq %[b]\n\t"
#define CARRY(i) "addq %[carry], %[t" #i "]\n\tadcq $0, %%rdx\n\taddq %%rax, %[t" #i "]\n\t"
#define KEEP "adcq $0, %%rdx\n\tmovq %%rdx, %[carry]\n\t"
    __asm__(STEP(0) "addq %%rax, %[t0]\n\t" KEEP STEP(1) CARRY(1) KEEP STEP(2) CARRY(2) KEEP STEP(3)
            CARRY(3) "adcq %%rdx, %[t4]\n\tadcq $0, %[t5]"
            : IN_REGISTERS(t, t->word), [t4] "+&r"(t->word[4]), [t5] "+&r"(t->word[5]),
              [carry] "=&r"(carry)
            : IN_MEMORY(a, a), [b] "r"(b)
            : "rax", "rdx", "cc");
}

INLINE void shift_word(struct sum *t) {
#pragma GCC unroll 5
    for (int i = 0; i <= WORDS; i++) t->word[i] = t->word[i + 1];
    t->word[WORDS + 1] = 0;
}

/* One step of Montgomery's reduction: a multiple of p that makes the lowest word zero. */
INLINE void fold_p(struct sum *t) {
    uint64_t low = t->word[0] << 32, high = t->word[0] >> 32;
    wide product = (wide)t->word[0] * p.word[3];
    __asm__("addq %[low], %[t1]\n\tadcq %[high], %[t2]\n\tadcq %[product], %[t3]\n\t"
            "adcq %[top], %[t4]\n\tadcq $0, %[t5]"
            : [t1] "+&r"(t->word[1]), [t2] "+&r"(t->word[2]), [t3] "+&r"(t->word[3]),
              [t4] "+&r"(t->word[4]), [t5] "+&r"(t->word[5])
            : [low] "r"(low), [high] "r"(high), [product] "r"((uint64_t)product),
              [top] "r"((uint64_t)(product >> 64))
            : "cc");
    shift_word(t);
}

INLINE void fold_n(struct sum *t) {
    add_row(t, &n, t->word[0] * N_INVERSE);
    shift_word(t);
}

/* a b / 2^256 modulo m. */
INLINE void multiply_modulo(struct number *out, const struct number *a, const struct number *b,
                            const struct number *m, void (*fold)(struct sum *)) {
    struct sum t = {{0}};
#pragma GCC unroll 4
    for (int i = 0; i < WORDS; i++) {
        add_row(&t, a, b->word[i]);
        fold(&t);
    }
    reduce_once(out, t.word, t.word[4], m);
}

/* Operations modulo p, and mul_n modulo n: `out` may be an operand. */
#define OPERATION static __attribute__((noinline)) void
OPERATION mul(struct number *out, const struct number *a, const struct number *b) {
    multiply_modulo(out, a, b, &p, fold_p);
}
OPERATION mul_n(struct number *out, const struct number *a, const struct number *b) {
    multiply_modulo(out, a, b, &n, fold_n);
}
INLINE void add(struct number *out, const struct number *a, const struct number *b) {
    add_modulo(out, a, b, &p);
}
INLINE void sub(struct number *out, const struct number *a, const struct number *b) {
    struct number d;
    uint64_t mask = 0 - subtract(&d, a, b);
    __asm__("addq %[mask], %[d0]\n\tadcq %[p1], %[d1]\n\tadcq $0, %[d2]\n\tadcq %[p3], %[d3]"
            : IN_REGISTERS(d, d.word)
            : [mask] "r"(mask), [p1] "r"(mask & p.word[1]), [p3] "r"(mask & p.word[3])
            : "cc");
    *out = d;
}
static void triple(struct number *a) {
    struct number twice;
    add(&twice, a, a);
    add(a, a, &twice);
}

/* 1/a by Fermat: a to the power of the modulus less two. The exponent is no secret. */
static void invert(struct number *out, const struct number *a, const struct number *m,
                   void (*times)(struct number *, const struct number *, const struct number *)) {
    struct number exponent, power = *a;
    subtract(&exponent, m, &(struct number){{2}});
    for (int i = 254; i >= 0; i--) { /* The highest bit is in `power`. */
        times(&power, &power, &power);
        if (exponent.word[i / 64] >> (i % 64) & 1) times(&power, &power, a);
    }
    *out = power;
    mbedtls_platform_zeroize(&power, sizeof(power));
}

static struct number read_number(const uint8_t *from) {
    struct number out;
    for (int i = 0; i < WORDS; i++) {
        uint64_t word;
        memcpy(&word, from + 8 * (WORDS - 1 - i), 8);
        out.word[i] = __builtin_bswap64(word);
    }
    return out;
}

static void write_number(uint8_t *to, struct number a) {
    for (int i = 0; i < WORDS; i++) {
        uint64_t word = __builtin_bswap64(a.word[i]);
        memcpy(to + 8 * (WORDS - 1 - i), &word, 8);
    }
}

static bool is_zero(const struct number *a) {
    return (a->word[0] | a->word[1] | a->word[2] | a->word[3]) == 0;
}
static bool is_below(const struct number *a, const struct number *m) {
    struct number unused;
    return subtract(&unused, a, m) == 1;
}
/* Whether it is in 1..n-1. */
static bool is_scalar(const struct number *a) { return is_below(a, &n) & !is_zero(a); }

/* Of big-endian bytes, in Montgomery's form. */
static struct number read_field(const uint8_t *from) {
    struct number a = read_number(from);
    mul(&a, &a, &p_square);
    return a;
}

static struct point add_points(const struct point *a, const struct point *c,
                               const struct number *b) {
    struct number xx, yy, zz, xy, yz, xz, t, u, minus, plus;
    struct point sum;
    mul(&xx, &a->x, &c->x), mul(&yy, &a->y, &c->y), mul(&zz, &a->z, &c->z);
    add(&t, &a->x, &a->y), add(&u, &c->x, &c->y), mul(&xy, &t, &u);
    add(&t, &xx, &yy), sub(&xy, &xy, &t);
    add(&t, &a->y, &a->z), add(&u, &c->y, &c->z), mul(&yz, &t, &u);
    add(&t, &yy, &zz), sub(&yz, &yz, &t);
    add(&t, &a->x, &a->z), add(&u, &c->x, &c->z), mul(&xz, &t, &u);
    add(&t, &xx, &zz), sub(&xz, &xz, &t);
    mul(&t, b, &zz), sub(&t, &xz, &t), triple(&t);
    sub(&minus, &yy, &t), add(&plus, &yy, &t);
    triple(&zz);
    mul(&xz, b, &xz), sub(&xz, &xz, &zz), sub(&xz, &xz, &xx), triple(&xz);
    triple(&xx), sub(&xx, &xx, &zz);
    mul(&sum.x, &xy, &plus), mul(&t, &yz, &xz), sub(&sum.x, &sum.x, &t);
    mul(&sum.y, &plus, &minus), mul(&t, &xx, &xz), add(&sum.y, &sum.y, &t);
    mul(&sum.z, &yz, &minus), mul(&t, &xy, &xx), add(&sum.z, &sum.z, &t);
    return sum;
}

static void double_point(struct point *a, const struct number *b) {
    struct number xx, yy, zz, xy, xz, yz, t, minus, plus;
    mul(&xx, &a->x, &a->x), mul(&yy, &a->y, &a->y), mul(&zz, &a->z, &a->z);
    mul(&xy, &a->x, &a->y), add(&xy, &xy, &xy);
    mul(&xz, &a->x, &a->z), add(&xz, &xz, &xz);
    mul(&yz, &a->y, &a->z), add(&yz, &yz, &yz);
    mul(&t, b, &zz), sub(&t, &t, &xz), triple(&t);
    sub(&minus, &yy, &t), add(&plus, &yy, &t);
    triple(&zz);
    mul(&xz, b, &xz), sub(&xz, &xz, &zz), sub(&xz, &xz, &xx), triple(&xz);
    triple(&xx), sub(&xx, &xx, &zz);
    mul(&a->x, &minus, &xy), mul(&t, &yz, &xz), sub(&a->x, &a->x, &t);
    mul(&a->y, &minus, &plus), mul(&t, &xx, &xz), add(&a->y, &a->y, &t);
    mul(&a->z, &yz, &yy), add(&a->z, &a->z, &a->z), add(&a->z, &a->z, &a->z);
}

static struct point infinity(void) {
    struct point point = {0};
    mul(&point.y, &one, &p_square);
    return point;
}

/* Doubles by Bernstein's dbl-2001-b, x = X/Z^2 and y = Y/Z^3. */
static void double_jacobian(struct point *a) {
    struct number delta, gamma, beta, alpha, t;
    mul(&delta, &a->z, &a->z), mul(&gamma, &a->y, &a->y), mul(&beta, &a->x, &gamma);
    sub(&alpha, &a->x, &delta), add(&t, &a->x, &delta), mul(&alpha, &alpha, &t), triple(&alpha);
    mul(&a->z, &a->y, &a->z), add(&a->z, &a->z, &a->z);
    add(&beta, &beta, &beta), add(&beta, &beta, &beta), add(&t, &beta, &beta);
    mul(&a->x, &alpha, &alpha), sub(&a->x, &a->x, &t);
    mul(&gamma, &gamma, &gamma), add(&gamma, &gamma, &gamma), add(&gamma, &gamma, &gamma);
    add(&gamma, &gamma, &gamma);
    sub(&t, &beta, &a->x), mul(&t, &alpha, &t), sub(&a->y, &t, &gamma);
}

/* Doubles four times, in Jacobian coordinates: there and back takes six multiplications, and each
 * time saves five. Infinity would come back with a Y of zero: it gets its own. */
static void double_four_times(struct point *a) {
    struct number zz, y = infinity().y;
    mul(&zz, &a->z, &a->z), mul(&a->x, &a->x, &a->z), mul(&a->y, &a->y, &zz);
    for (int i = 0; i < 4; i++) double_jacobian(a);
    mul(&zz, &a->z, &a->z), mul(&a->x, &a->x, &a->z);
    uint64_t any = a->z.word[0] | a->z.word[1] | a->z.word[2] | a->z.word[3];
    uint64_t mask = ((any | (0 - any)) >> 63) - 1; /* All ones where Z is zero. */
    for (int w = 0; w < WORDS; w++) a->y.word[w] |= y.word[w] & mask;
    mul(&a->z, &a->z, &zz);
}

/* table[index], by reading all of it. */
static struct point look_up(const struct point table[TEETH], uint64_t index) {
    struct point found = {0};
    for (uint64_t i = 0; i < TEETH; i++) {
        uint64_t mask = 0 - (uint64_t)(((i ^ index) - 1) >> 63);
#pragma GCC unroll 4
        for (int w = 0; w < WORDS; w++) {
            found.x.word[w] |= table[i].x.word[w] & mask;
            found.y.word[w] |= table[i].y.word[w] & mask;
            found.z.word[w] |= table[i].z.word[w] & mask;
        }
    }
    return found;
}

/* Windows of four bits. */
static struct point multiply(const struct number *k, const struct point *a) {
    struct point table[TEETH] = {infinity(), *a}, sum = infinity(), found;
    struct number b = read_field(curve_b);
    for (int i = 2; i < TEETH; i++) table[i] = add_points(&table[i - 1], a, &b);
    for (int i = 252; i >= 0; i -= 4) {
        double_four_times(&sum);
        found = look_up(table, k->word[i / 64] >> (i % 64) & 15);
        sum = add_points(&sum, &found, &b);
    }
    mbedtls_platform_zeroize(&found, sizeof(found));
    return sum;
}

static struct point comb[COMBS][TEETH];

/* comb[j][i]: the sum of 2^(64 t + 16 j) times the base point over the bits t of i. */
static void make_combs(const struct number *b) {
    struct point power = infinity();
    power.x = read_field(base_xy), power.z = power.y, power.y = read_field(base_xy + 32);
    for (int t = 0; t < 4; t++) {
        for (int j = 0; j < COMBS; j++) {
            if (t == 0) comb[j][0] = infinity();
            for (int i = 0; i < 1 << t; i++)
                comb[j][i | 1 << t] = add_points(&comb[j][i], &power, b);
            for (int d = 0; d < 16; d++) double_point(&power, b);
        }
    }
}

/* Four bits at a time, one of each word: 16 doublings in all. */
static struct point multiply_base(const struct number *k) {
    struct number b = read_field(curve_b);
    struct point sum = infinity(), found;
    if (is_zero(&comb[0][0].y)) make_combs(&b);
    for (int column = 15; column >= 0; column--) {
        double_point(&sum, &b);
        for (int j = 0; j < COMBS; j++) {
            uint64_t index = 0;
            for (int t = 0; t < 4; t++) index |= (k->word[t] >> (16 * j + column) & 1) << t;
            found = look_up(comb[j], index);
            sum = add_points(&sum, &found, &b);
        }
    }
    mbedtls_platform_zeroize(&found, sizeof(found));
    return sum;
}

/* False when it isn't on the curve: y^2 = x^3 - 3x + b. */
static bool read_point(const uint8_t *from, struct point *out) {
    struct number x = read_number(from + 1), y = read_number(from + 33), t, b = read_field(curve_b);
    if (from[0] != 4 || !is_below(&x, &p) || !is_below(&y, &p)) return false;
    mul(&x, &x, &p_square), mul(&y, &y, &p_square);
    *out = (struct point){x, y, infinity().y};
    mul(&t, &x, &x), mul(&t, &t, &x), add(&t, &t, &b);
    triple(&x), sub(&t, &t, &x);
    mul(&y, &y, &y), sub(&t, &t, &y);
    return is_zero(&t);
}

/* Coordinates in plain form. `a` isn't infinity. */
static void write_point(const struct point *a, struct number *x, struct number *y) {
    struct number inverse;
    invert(&inverse, &a->z, &p, mul);
    mul(x, &a->x, &inverse), mul(x, x, &one);
    mul(y, &a->y, &inverse), mul(y, y, &one);
    mbedtls_platform_zeroize(&inverse, sizeof(inverse)); /* Z tells of the scalar. */
}

static bool make_public(const uint8_t *scalar, uint8_t *point) {
    struct number k = read_number(scalar), x, y;
    bool good = is_scalar(&k);
    if (good) {
        struct point product = multiply_base(&k);
        write_point(&product, &x, &y);
        point[0] = 4;
        write_number(point + 1, x);
        write_number(point + 33, y);
        mbedtls_platform_zeroize(&product, sizeof(product));
    }
    mbedtls_platform_zeroize(&k, sizeof(k));
    return good;
}

static bool is_point(const uint8_t *point) {
    struct point unused;
    return read_point(point, &unused);
}

static bool agree(const uint8_t *scalar, const uint8_t *point, uint8_t *secret) {
    struct number k = read_number(scalar), x, y;
    struct point peer;
    bool good = read_point(point, &peer);
    if (good) {
        peer = multiply(&k, &peer);
        write_point(&peer, &x, &y);
        write_number(secret, x);
    }
    mbedtls_platform_zeroize(&k, sizeof(k));
    mbedtls_platform_zeroize(&x, sizeof(x));
    mbedtls_platform_zeroize(&y, sizeof(y));
    mbedtls_platform_zeroize(&peer, sizeof(peer));
    return good;
}

/* The leftmost 256 bits modulo n (FIPS 186-5 §6.4). */
static struct number read_digest(struct view digest) {
    uint8_t bytes[32] = {0};
    size_t count = digest.count < 32 ? digest.count : 32;
    memcpy(bytes + 32 - count, digest.bytes, count);
    struct number e = read_number(bytes);
    reduce_once(&e, e.word, 0, &n);
    return e;
}

/* FIPS 186-5 §6.4.1 with k as the nonce. */
static bool sign_with(const struct number *k, const struct number *d, const struct number *e,
                      uint8_t *halves) {
    struct number r, s, y, inverse;
    struct point product = multiply_base(k);
    write_point(&product, &r, &y);
    reduce_once(&r, r.word, 0, &n);
    mul_n(&inverse, k, &n_square), invert(&inverse, &inverse, &n, mul_n);
    mul_n(&s, &r, &n_square), mul_n(&s, &s, d);
    add_modulo(&s, &s, e, &n), mul_n(&s, &s, &inverse); /* The inverse is in Montgomery's form. */
    write_number(halves, r);
    write_number(halves + 32, s);
    mbedtls_platform_zeroize(&inverse, sizeof(inverse));
    mbedtls_platform_zeroize(&product, sizeof(product));
    return !is_zero(&r) && !is_zero(&s);
}

static bool sign(const uint8_t *scalar, struct view digest, struct chance *chance,
                 uint8_t *halves) {
    struct number d = read_number(scalar), k, e = read_digest(digest);
    uint8_t nonce[32];
    bool done = false;
    for (int i = 0; i < TRIES_MAX && !done; i++) { /* One of 2^32 draws isn't a scalar. */
        chance_draw(chance, nonce, sizeof(nonce));
        k = read_number(nonce);
        done = is_scalar(&k) && sign_with(&k, &d, &e, halves);
    }
    mbedtls_platform_zeroize(nonce, sizeof(nonce));
    mbedtls_platform_zeroize(&k, sizeof(k));
    mbedtls_platform_zeroize(&d, sizeof(d));
    return done;
}

static bool verify(const uint8_t *point, struct view digest, const uint8_t *halves) {
    struct number r = read_number(halves), s = read_number(halves + 32), e = read_digest(digest);
    struct number b = read_field(curve_b), x, y;
    struct point key;
    if (!is_scalar(&r) || !is_scalar(&s) || !read_point(point, &key)) return false;
    mul_n(&s, &s, &n_square), invert(&s, &s, &n, mul_n);
    mul_n(&e, &e, &s), mul_n(&s, &r, &s);
    struct point ours = multiply_base(&e), theirs = multiply(&s, &key);
    ours = add_points(&ours, &theirs, &b);
    if (is_zero(&ours.z)) return false;
    write_point(&ours, &x, &y);
    reduce_once(&x, x.word, 0, &n);
    return memcmp(&x, &r, sizeof(x)) == 0;
}

const struct curve p256 = {32, 65, make_public, is_point, agree, sign, verify};
