/* The int16 softmax, by lines between anchors. Mirrors midge.numerics.softmax_int16. */
#ifndef MIDGE_NN_SOFTMAX_S16_H
#define MIDGE_NN_SOFTMAX_S16_H

#include "midge_nn.h"

/* How many bits the positive x has. */
static inline int midge_bits(uint32_t x) {
    int bits = 0;
    for (; x; x >>= 1) {
        ++bits;
    }
    return bits;
}

/* 1 / sum at the scale of the anchors, for a sum of that many bits. */
static inline int32_t midge_softmax_reciprocal(const MIDGE_FLASH int16_t *anchors, int32_t sum, int bits) {
    const int32_t kept = (int32_t)((((uint32_t)sum << (31 - bits)) + (UINT32_C(1) << 13)) >> 14);
    return midge_interpolate(anchors, midge_clamp(kept - INT32_C(98304), -32768, 32767));
}

/* exponential / sum at scale 2^-15. */
static inline int16_t midge_softmax_ratio_s16(int32_t exponential, int32_t reciprocal, int bits) {
    const int32_t product = exponential * reciprocal;
    return (int16_t)midge_clamp((int32_t)(((int64_t)product + (INT64_C(1) << (bits - 2))) >> (bits - 1)), 0, 32767);
}

#endif
