/*
 * memcpy, memmove and memset in 16-byte steps, in place of musl's: those use `rep movs` and
 * `rep stos`, which an emulated CPU executes an element at a time.
 */
#include <emmintrin.h>
#include <stdint.h>
#include <string.h>

#define LOAD(p) _mm_loadu_si128((const __m128i *)(const void *)(p))
#define STORE(p, v) _mm_storeu_si128((__m128i *)(void *)(p), v)

/* Below 16 bytes: two overlapping accesses of the largest size that fits. */
static inline void copy_short(uint8_t *d, const uint8_t *s, size_t n) {
    if (n >= 8) {
        uint64_t a, b;
        __builtin_memcpy(&a, s, 8);
        __builtin_memcpy(&b, s + n - 8, 8);
        __builtin_memcpy(d, &a, 8);
        __builtin_memcpy(d + n - 8, &b, 8);
    } else if (n >= 4) {
        uint32_t a, b;
        __builtin_memcpy(&a, s, 4);
        __builtin_memcpy(&b, s + n - 4, 4);
        __builtin_memcpy(d, &a, 4);
        __builtin_memcpy(d + n - 4, &b, 4);
    } else if (n != 0) {
        uint8_t a = s[0], b = s[n / 2], c = s[n - 1];
        d[0] = a;
        d[n / 2] = b;
        d[n - 1] = c;
    }
}

static void copy_forward(uint8_t *d, const uint8_t *s, size_t n) {
    __m128i tail = LOAD(s + n - 16); /* Read first: a forward copy may overwrite it. */
    uint8_t *last = d + n - 16;
    while (n > 64) {
        __m128i a = LOAD(s), b = LOAD(s + 16), c = LOAD(s + 32), e = LOAD(s + 48);
        STORE(d, a), STORE(d + 16, b), STORE(d + 32, c), STORE(d + 48, e);
        d += 64, s += 64, n -= 64;
    }
    while (n > 16) {
        STORE(d, LOAD(s));
        d += 16, s += 16, n -= 16;
    }
    STORE(last, tail);
}

static void copy_backward(uint8_t *d, const uint8_t *s, size_t n) {
    __m128i head = LOAD(s);
    while (n > 16) {
        n -= 16;
        STORE(d + n, LOAD(s + n));
    }
    STORE(d, head);
}

void *memcpy(void *restrict to, const void *restrict from, size_t bytes) {
    if (bytes < 16) copy_short(to, from, bytes);
    else copy_forward(to, from, bytes);
    return to;
}

void *memmove(void *to, const void *from, size_t bytes) {
    if (bytes < 16) copy_short(to, from, bytes);
    else if ((uintptr_t)to - (uintptr_t)from >= bytes) copy_forward(to, from, bytes);
    else copy_backward(to, from, bytes);
    return to;
}

void *memset(void *to, int value, size_t bytes) {
    uint8_t *d = to, *last = d + bytes - 16;
    __m128i v = _mm_set1_epi8((char)value);
    if (bytes < 16) {
        uint8_t filler[16];
        STORE(filler, v);
        copy_short(d, filler, bytes);
        return to;
    }
    for (; d < last; d += 16) STORE(d, v);
    STORE(last, v);
    return to;
}
