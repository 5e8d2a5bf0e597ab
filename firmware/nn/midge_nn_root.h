/* The inverse square root of an integer in fixed point, as midge.numerics.inverse_sqrt defines it. */
#ifndef MIDGE_NN_ROOT_H
#define MIDGE_NN_ROOT_H

#include "midge_nn.h"

/* x * 2^exponent, saturated to 32 bits. */
static inline int32_t midge_saturating_shift(int32_t x, int exponent) {
    const int32_t most = INT32_MAX >> exponent;
    return x > most ? INT32_MAX : x < -most - 1 ? -INT32_MAX - 1 : (int32_t)((uint32_t)x << exponent);
}

/* multiplier and *shift with 1 / sqrt(x) = multiplier / 2^31 * 2^shift, for x >= 0; what is below 2 counts as 1. */
static inline int32_t midge_inverse_root(int32_t x, int *shift) {
    int right = 11;
    *shift = 0;
    if (x <= 1) {
        return INT32_MAX;
    }
    for (; x >= INT32_C(1) << 29; ++right) {
        x /= 4;
    }
    for (; x < INT32_C(1) << 27; --right) {
        x *= 4;
    }
    const int32_t scaled = x >> 1;
    const int32_t half = midge_divide_by_pot(scaled, 1);
    const int32_t three_halves = (INT32_C(1) << 28) + (INT32_C(1) << 27);
    int32_t y = INT32_C(1) << 28;
    for (int i = 0; i < 5; ++i) {
        const int32_t cube = midge_saturating_shift(midge_high_mul(midge_high_mul(y, y), y), 6);
        y = midge_saturating_shift(midge_high_mul(y, three_halves) - midge_high_mul(half, cube), 3);
    }
    y = midge_high_mul(y, 1518500250);
    if (right < 0) {
        return (int32_t)((uint32_t)y << -right);
    }
    *shift = -right;
    return y;
}

#endif
