/* What kernels for Xtensa cores with MAC16 share (ESP32). Freestanding C11, no libc, no state.
 *
 * MAC16 multiplies int16 and adds to an accumulator of 40 bits, of which the low 32 are read: sums that fit into 32
 * bits are right whatever happened above. Activations are widened once: a byte x becomes x + 128, so that one AND
 * widens two, and the bias makes up for it.
 *
 * The accumulator, m0..m3 and the registers of the loop belong to the task: FreeRTOS saves them when it switches tasks.
 * Nothing stays in them from one call to the next. An interrupt of a level above those that it manages must save them
 * itself before it multiplies.
 */
#ifndef MIDGE_MAC16_H
#define MIDGE_MAC16_H

#include "midge_nn.h"

/* Whether kernels are assembly: an unoptimized build wants to be read. */
#if defined(__XTENSA__) && defined(__OPTIMIZE__)
#define MIDGE_MAC16_ASM 1
#include "midge_mac16_asm.h"
#else
#define MIDGE_MAC16_ASM 0
#include "midge_mac16_c.h"
#endif
#include "midge_mac16_dense.h"

/* One copy for all layers. */
#if defined(__clang__)
#define MIDGE_MAC16_SHARED static __attribute__((noinline, unused))
#elif defined(__GNUC__)
#define MIDGE_MAC16_SHARED static __attribute__((noinline, noclone, unused))
#else
#define MIDGE_MAC16_SHARED static
#endif

/* Four int8 at once, in memory that is otherwise read by bytes; the address is a multiple of 4. */
#if defined(__GNUC__)
typedef uint32_t __attribute__((may_alias)) midge_mac16_word;
#else
typedef uint32_t midge_mac16_word;
#endif

/* What the channels of a layer have in common: how many there are, whole turns before the last one of a channel,
 * whether that has 8 products instead of 16, how far the lower product is shifted, and whether there is a rule below
 * zero. */
typedef struct {
    uint32_t channels, turns, is_half, split, is_signed;
} midge_mac16_layer;

/* All channels of the activations at `x`. */
MIDGE_MAC16_SHARED void midge_mac16_channels(const uint32_t *x, const uint32_t *weights, const uint32_t *scales,
                                             const midge_mac16_layer *layer, int8_t *out) {
    const uint32_t turns = layer->turns, split = layer->split, channels = layer->channels;
    if (layer->is_signed) {
        if (layer->is_half) {
            midge_mac16_dense_signed_8(x, weights, scales, turns, split, channels, out);
        } else {
            midge_mac16_dense_signed_16(x, weights, scales, turns, split, channels, out);
        }
    } else if (layer->is_half) {
        midge_mac16_dense_8(x, weights, scales, turns, split, channels, out);
    } else {
        midge_mac16_dense_16(x, weights, scales, turns, split, channels, out);
    }
}

/* Bytes 0 and 2 of four activations, and 1 and 3, as pairs. */
static inline uint32_t midge_mac16_even(uint32_t bytes) { return (bytes ^ 0x80808080u) & 0x00FF00FFu; }
static inline uint32_t midge_mac16_odd(uint32_t bytes) { return (bytes ^ 0x80808080u) >> 8 & 0x00FF00FFu; }

/* Four activations as number `quad` of those at `x`, where the dense kernels read them: a turn has four quads. */
static inline void midge_mac16_put(uint32_t bytes, uint32_t quad, uint32_t *x) {
    const uint32_t place = quad % 4, even = midge_mac16_even(bytes), odd = midge_mac16_odd(bytes);
    x += quad / 4 * 6;
    if (place % 2 == 0) {
        x += place / 2 * 3;
        x[0] = even;
        x[1] = odd;
    } else {
        x[place == 1 ? 2 : 5] = even;
        x[MIDGE_MAC16_APART / 4 + place / 2] = odd;
    }
}

/* `quads` times four activations from `from`, a multiple of 4, as number `quad` and following ones. */
MIDGE_MAC16_SHARED void midge_mac16_pack(const int8_t *from, uint32_t quads, uint32_t quad, uint32_t *x) {
    const midge_mac16_word *words = (const midge_mac16_word *)(const void *)from;
    for (; quads > 0 && quad % 4; --quads) {
        midge_mac16_put(*words++, quad++, x);
    }
    uint32_t *to = x + quad / 4 * 6;
    for (; quads >= 4; quads -= 4) {
        const uint32_t a = words[0] ^ 0x80808080u, b = words[1] ^ 0x80808080u;
        const uint32_t c = words[2] ^ 0x80808080u, d = words[3] ^ 0x80808080u;
        words += 4;
        to[0] = a & 0x00FF00FFu;
        to[1] = a >> 8 & 0x00FF00FFu;
        to[2] = b & 0x00FF00FFu;
        to[MIDGE_MAC16_APART / 4] = b >> 8 & 0x00FF00FFu;
        to[3] = c & 0x00FF00FFu;
        to[4] = c >> 8 & 0x00FF00FFu;
        to[5] = d & 0x00FF00FFu;
        to[MIDGE_MAC16_APART / 4 + 1] = d >> 8 & 0x00FF00FFu;
        to += 6;
        quad += 4;
    }
    for (; quads > 0; --quads) {
        midge_mac16_put(*words++, quad++, x);
    }
}

#endif
