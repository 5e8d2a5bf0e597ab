/* The fixed-point reciprocal of the int8 softmax. Mirrors midge.numerics.gemmlowp. */
#ifndef MIDGE_NN_SOFTMAX_H
#define MIDGE_NN_SOFTMAX_H

#include "midge_nn.h"

/* How many of the upper bits of x are zero; x is positive. */
static inline int midge_leading_zeros(uint32_t x) {
#if defined(__GNUC__)
    return __builtin_clzl(x) - (int)(8 * (sizeof(unsigned long) - sizeof(uint32_t)));
#else
    int zeros = 0;
    for (; !(x & UINT32_C(0x80000000)); x <<= 1) {
        ++zeros;
    }
    return zeros;
#endif
}

/* 2^62 / denominator for a denominator of 2^31 .. 2^32 - 1, saturated: three Newton-Raphson steps on 2 / denominator
 * with two integer bits, from the linear estimate 48 / 17 - 32 / 17 * x. */
static inline int32_t midge_reciprocal(uint32_t denominator) {
    const int32_t half = (int32_t)(denominator >> 1);
    int32_t estimate = 1515870810 + midge_high_mul(half, -1010580540);
    for (int step = 0; step < 3; ++step) {
        const int32_t error = (INT32_C(1) << 29) - midge_high_mul(half, estimate);
        estimate += 4 * midge_high_mul(estimate, error);
    }
    return estimate < INT32_C(1) << 30 ? 2 * estimate : INT32_MAX;
}

/* exponential / sum as int8 at scale 1 / 256 and zero point -128. exponential is at scale 2^-31, scale is
 * midge_reciprocal(sum << zeros) for a sum at scale 2^-19 with `zeros` leading zeros, 1 .. 12. */
static inline int8_t midge_softmax_ratio(int32_t exponential, int32_t scale, int zeros) {
    const int32_t product = midge_high_mul(exponential, scale);
    const int32_t ratio = zeros < 4 ? 0 : midge_divide_by_pot(product, 35 - zeros);
    return (int8_t)midge_min(ratio - 128, 127);
}

/* The same as int16 at scale 2^-16 and zero point -32768. */
static inline int16_t midge_softmax_ratio_wide(int32_t exponential, int32_t scale, int zeros) {
    const int32_t ratio = midge_divide_by_pot(midge_high_mul(exponential, scale), 27 - zeros);
    return (int16_t)midge_min(ratio - 32768, 32767);
}

#endif
