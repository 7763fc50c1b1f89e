/* AES-GCM with the CPU's instructions for both: gcm.c. */
#ifndef GCM_H
#define GCM_H
#include <emmintrin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GCM_NONCE_BYTES 12
#define GCM_TAG_BYTES 16
#define GCM_LANES 8 /* Blocks in flight. */

struct gcm {
    __m128i keys[15];          /* Of the rounds. */
    __m128i powers[GCM_LANES]; /* Of the hash key; [0] is the first. */
    __m128i folded[GCM_LANES]; /* The exclusive or of each one's halves, for Karatsuba. */
    int rounds;
};

/* Whether this CPU has AES, PCLMULQDQ and SSSE3. */
bool gcm_is_supported(void);
/* 16 or 32 bytes of key. */
void gcm_begin(struct gcm *gcm, const uint8_t *key, size_t key_bytes);

struct gcm_message {
    const uint8_t *nonce, *additional;
    size_t additional_bytes;
    const uint8_t *from;
    uint8_t *to; /* The same place, or without overlap. */
    size_t bytes;
};
void gcm_seal(const struct gcm *gcm, struct gcm_message message, uint8_t tag[GCM_TAG_BYTES]);
/* The tag that the message should have: what was decrypted is good when it is the same. */
void gcm_open(const struct gcm *gcm, struct gcm_message message, uint8_t tag[GCM_TAG_BYTES]);
#endif
