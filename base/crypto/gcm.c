/*
 * AES-GCM (NIST SP 800-38D) in eight lanes, where Mbed TLS goes block by block: while a round of
 * AES runs in eight blocks, GHASH takes one of eight others, and is reduced once for all of them.
 * GHASH is computed as POLYVAL (RFC 8452 §3 and appendix A), whose bits are in the order of
 * PCLMULQDQ. The time depends on lengths only: no table, no branch on data.
 */
#include "gcm.h"
#include <cpuid.h>
#include <string.h>
#include <tmmintrin.h>
#include <wmmintrin.h>
#include "aesni.h"

#define BLOCK_BYTES 16
#define CHUNK_BYTES (GCM_LANES * BLOCK_BYTES)
#define INLINE static inline __attribute__((always_inline))

/* A product that isn't reduced yet, and the sum of several. */
struct product {
    __m128i low, middle, high;
};

INLINE __m128i load(const void *from) { return _mm_loadu_si128(from); }
INLINE void store(void *to, __m128i block) { _mm_storeu_si128(to, block); }
INLINE __m128i reverse(__m128i block) {
    const __m128i order = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm_shuffle_epi8(block, order);
}
INLINE __m128i swap_halves(__m128i block) { return _mm_shuffle_epi32(block, 0x4e); }
/* The coefficients of POLYVAL's polynomial: bits 127, 126, 121 and 0. */
INLINE __m128i polynomial(void) { return _mm_set_epi64x((long long)0xc200000000000000, 1); }

INLINE void add_product(struct product *sum, __m128i a, __m128i power, __m128i folded) {
    __m128i a_folded = _mm_xor_si128(a, swap_halves(a));
    sum->low = _mm_xor_si128(sum->low, _mm_clmulepi64_si128(a, power, 0x00));
    sum->high = _mm_xor_si128(sum->high, _mm_clmulepi64_si128(a, power, 0x11));
    sum->middle = _mm_xor_si128(sum->middle, _mm_clmulepi64_si128(a_folded, folded, 0x00));
}

/* Divides by x^128: Montgomery's reduction, 64 bits at a time. */
INLINE __m128i reduce(struct product sum) {
    __m128i cross = _mm_xor_si128(sum.middle, _mm_xor_si128(sum.low, sum.high));
    __m128i low = _mm_xor_si128(sum.low, _mm_slli_si128(cross, 8));
    __m128i high = _mm_xor_si128(sum.high, _mm_srli_si128(cross, 8));
    for (int i = 0; i < 2; i++)
        low = _mm_xor_si128(swap_halves(low), _mm_clmulepi64_si128(low, polynomial(), 0x10));
    return _mm_xor_si128(high, low);
}

INLINE struct product nothing(void) {
    return (struct product){_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128()};
}

INLINE __m128i fold(__m128i a) { return _mm_xor_si128(a, swap_halves(a)); }

INLINE __m128i multiply(__m128i a, __m128i b) {
    struct product product = nothing();
    add_product(&product, a, b, fold(b));
    return reduce(product);
}

INLINE __m128i encrypt(const struct gcm *gcm, __m128i block) {
    block = _mm_xor_si128(block, gcm->keys[0]);
    for (int r = 1; r < gcm->rounds; r++) block = _mm_aesenc_si128(block, gcm->keys[r]);
    return _mm_aesenclast_si128(block, gcm->keys[gcm->rounds]);
}

/* Asked once: on a virtual machine the answer may take as long as a handshake's hashes. */
bool gcm_is_supported(void) {
    static enum { UNKNOWN, NO, YES } answer;
    const unsigned want = bit_AES | bit_PCLMUL | bit_SSSE3;
    unsigned a, b, c, d;
    if (answer == UNKNOWN)
        answer = __get_cpuid(1, &a, &b, &c, &d) && (c & want) == want ? YES : NO;
    return answer == YES;
}

void gcm_begin(struct gcm *gcm, const uint8_t *key, size_t key_bytes) {
    mbedtls_aesni_setkey_enc((unsigned char *)gcm->keys, key, key_bytes * 8);
    gcm->rounds = key_bytes == 16 ? 10 : 14;
    /* RFC 8452 appendix A: the key times x, a shift to the left with its carry reduced. */
    __m128i h = reverse(encrypt(gcm, _mm_setzero_si128()));
    __m128i carries = _mm_srli_epi64(h, 63);
    __m128i top = _mm_sub_epi64(_mm_setzero_si128(), _mm_unpackhi_epi64(carries, carries));
    h = _mm_or_si128(_mm_slli_epi64(h, 1), _mm_slli_si128(carries, 8));
    h = _mm_xor_si128(h, _mm_and_si128(top, polynomial()));
    for (int i = 0; i < GCM_LANES; i++) {
        gcm->powers[i] = i == 0 ? h : multiply(gcm->powers[i - 1], h);
        gcm->folded[i] = fold(gcm->powers[i]);
    }
}

/* The last block may be a part of one, padded with zeros. */
static __m128i hash_bytes(const struct gcm *gcm, __m128i sum, const uint8_t *from, size_t bytes) {
    for (; bytes >= BLOCK_BYTES; from += BLOCK_BYTES, bytes -= BLOCK_BYTES)
        sum = multiply(_mm_xor_si128(sum, reverse(load(from))), gcm->powers[0]);
    if (bytes == 0) return sum;
    uint8_t rest[BLOCK_BYTES] = {0};
    memcpy(rest, from, bytes);
    return multiply(_mm_xor_si128(sum, reverse(load(rest))), gcm->powers[0]);
}

/* The counter is the last four bytes (inc32), here the lowest lane of the reversed block. */
INLINE __m128i next_counter(__m128i *counter) {
    *counter = _mm_add_epi32(*counter, _mm_set_epi32(0, 0, 0, 1));
    return reverse(*counter);
}

/* Encrypts eight blocks, and takes the eight of `hashed`, if there are any, into the sum. */
INLINE void run_chunk(const struct gcm *gcm, __m128i *counter, const uint8_t *from, uint8_t *to,
                      const uint8_t *hashed, __m128i *sum) {
    __m128i lane[GCM_LANES];
    struct product product = nothing();
    for (int i = 0; i < GCM_LANES; i++)
        lane[i] = _mm_xor_si128(next_counter(counter), gcm->keys[0]);
    for (int r = 1; r <= GCM_LANES; r++) {
        __m128i key = gcm->keys[r];
#pragma GCC unroll 8
        for (int i = 0; i < GCM_LANES; i++) lane[i] = _mm_aesenc_si128(lane[i], key);
        if (hashed == NULL) continue;
        __m128i block = reverse(load(hashed + (r - 1) * BLOCK_BYTES));
        if (r == 1) block = _mm_xor_si128(block, *sum);
        add_product(&product, block, gcm->powers[GCM_LANES - r], gcm->folded[GCM_LANES - r]);
    }
    for (int r = GCM_LANES + 1; r < gcm->rounds; r++) {
#pragma GCC unroll 8
        for (int i = 0; i < GCM_LANES; i++) lane[i] = _mm_aesenc_si128(lane[i], gcm->keys[r]);
    }
    if (hashed != NULL) *sum = reduce(product);
#pragma GCC unroll 8
    for (int i = 0; i < GCM_LANES; i++) {
        __m128i stream = _mm_aesenclast_si128(lane[i], gcm->keys[gcm->rounds]);
        store(to + i * BLOCK_BYTES, _mm_xor_si128(load(from + i * BLOCK_BYTES), stream));
    }
}

static __m128i hash_chunk(const struct gcm *gcm, __m128i sum, const uint8_t *from) {
    struct product product = nothing();
    for (int i = 0; i < GCM_LANES; i++) {
        __m128i block = reverse(load(from + i * BLOCK_BYTES));
        if (i == 0) block = _mm_xor_si128(block, sum);
        int power = GCM_LANES - 1 - i;
        add_product(&product, block, gcm->powers[power], gcm->folded[power]);
    }
    return reduce(product);
}

/* Fewer bytes than a chunk. */
static void run_rest(const struct gcm *gcm, __m128i counter, const uint8_t *from, uint8_t *to,
                     size_t bytes) {
    while (bytes > 0) {
        uint8_t block[BLOCK_BYTES] = {0};
        size_t count = bytes < BLOCK_BYTES ? bytes : BLOCK_BYTES;
        memcpy(block, from, count);
        store(block, _mm_xor_si128(load(block), encrypt(gcm, next_counter(&counter))));
        memcpy(to, block, count);
        from += count, to += count, bytes -= count;
    }
}

/* Lengths in bits (SP 800-38D §7.1 step 5), and the first block of the key stream over all. */
static void finish(const struct gcm *gcm, __m128i sum, const struct gcm_message *m, __m128i first,
                   uint8_t tag[GCM_TAG_BYTES]) {
    long long head = (long long)(8 * m->additional_bytes), body = (long long)(8 * m->bytes);
    __m128i lengths = _mm_set_epi64x(head, body);
    sum = multiply(_mm_xor_si128(sum, lengths), gcm->powers[0]);
    store(tag, _mm_xor_si128(reverse(sum), encrypt(gcm, first)));
}

static __m128i first_counter(const uint8_t *nonce) {
    uint8_t block[BLOCK_BYTES] = {[BLOCK_BYTES - 1] = 1};
    memcpy(block, nonce, GCM_NONCE_BYTES);
    return load(block);
}

void gcm_seal(const struct gcm *gcm, struct gcm_message m, uint8_t tag[GCM_TAG_BYTES]) {
    __m128i first = first_counter(m.nonce), counter = reverse(first);
    __m128i sum = hash_bytes(gcm, _mm_setzero_si128(), m.additional, m.additional_bytes);
    size_t at = 0;
    if (m.bytes >= CHUNK_BYTES) {
        run_chunk(gcm, &counter, m.from, m.to, NULL, &sum);
        for (at = CHUNK_BYTES; m.bytes - at >= CHUNK_BYTES; at += CHUNK_BYTES)
            run_chunk(gcm, &counter, m.from + at, m.to + at, m.to + at - CHUNK_BYTES, &sum);
        sum = hash_chunk(gcm, sum, m.to + at - CHUNK_BYTES);
    }
    run_rest(gcm, counter, m.from + at, m.to + at, m.bytes - at);
    sum = hash_bytes(gcm, sum, m.to + at, m.bytes - at);
    finish(gcm, sum, &m, first, tag);
}

void gcm_open(const struct gcm *gcm, struct gcm_message m, uint8_t tag[GCM_TAG_BYTES]) {
    __m128i first = first_counter(m.nonce), counter = reverse(first);
    __m128i sum = hash_bytes(gcm, _mm_setzero_si128(), m.additional, m.additional_bytes);
    size_t at = 0;
    for (; m.bytes - at >= CHUNK_BYTES; at += CHUNK_BYTES)
        run_chunk(gcm, &counter, m.from + at, m.to + at, m.from + at, &sum);
    sum = hash_bytes(gcm, sum, m.from + at, m.bytes - at);
    run_rest(gcm, counter, m.from + at, m.to + at, m.bytes - at);
    finish(gcm, sum, &m, first, tag);
}
