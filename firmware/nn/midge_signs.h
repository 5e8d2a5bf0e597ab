/* Activations and weights that take two values each: signs, 32 in a word. Freestanding C11, no libc, no state. */
#ifndef MIDGE_SIGNS_H
#define MIDGE_SIGNS_H

#include "midge_nn.h"

/* The signs of `pixels` times `depth` values: a bit is 1 where the value is `threshold` or more. Each pixel begins with
 * a word of its own; what is left of its last word is 0. */
static inline void midge_signs(const int8_t *from, int pixels, int depth, int threshold, uint32_t *to) {
    for (; pixels > 0; --pixels) {
        uint32_t word = 0, bit = 1;
        for (int i = 0; i < depth; ++i) {
            word |= *from++ >= threshold ? bit : 0;
            bit <<= 1;
            if (bit == 0) {
                *to++ = word;
                word = 0;
                bit = 1;
            }
        }
        if (bit != 1) {
            *to++ = word;
        }
    }
}

/* How many bits are 1, by bytes. */
static inline uint32_t midge_ones(uint32_t bits) {
    bits -= bits >> 1 & 0x55555555u;
    bits = (bits & 0x33333333u) + (bits >> 2 & 0x33333333u);
    return (bits + (bits >> 4)) & 0x0F0F0F0Fu;
}

/* In how many bits `count` words differ; seven words are counted by bytes before all four bytes could pass 255. */
static inline int32_t midge_differing(const uint32_t *x, const MIDGE_FLASH uint32_t *weights, int count) {
    int32_t differing = 0;
    for (; count >= 7; count -= 7) {
        uint32_t bytes = 0;
        for (int i = 0; i < 7; ++i) {
            bytes += midge_ones(x[i] ^ weights[i]);
        }
        differing += (int32_t)(bytes * 0x01010101u >> 24);
        x += 7;
        weights += 7;
    }
    uint32_t bytes = 0;
    for (int i = 0; i < count; ++i) {
        bytes += midge_ones(x[i] ^ weights[i]);
    }
    return differing + (int32_t)(bytes * 0x01010101u >> 24);
}

#endif
