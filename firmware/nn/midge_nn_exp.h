/* The fixed-point exponential of the int8 softmax. Mirrors midge.numerics.gemmlowp. */
#ifndef MIDGE_NN_EXP_H
#define MIDGE_NN_EXP_H

#include "midge_nn.h"

/* e^x at scale 2^-31 for x at scale 2^-26, -31 to 0: a polynomial of degree four for x modulo 1/4, and for each further
 * bit of x a factor. */
static inline int32_t midge_exp_q5(int32_t x) {
    /* e^-(2^k), k = -2 .. 4. */
    static const MIDGE_FLASH int32_t factors[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
    const int32_t quarter = INT32_C(1) << 24;
    const int32_t remainder = (x & (quarter - 1)) - quarter;
    /* Around -1/8. */
    const int32_t at = 32 * remainder + (INT32_C(1) << 28);
    const int32_t square = midge_high_mul(at, at);
    const int32_t cubic = midge_divide_by_pot(midge_high_mul(square, square), 2) + midge_high_mul(square, at);
    const int32_t tail = midge_divide_by_pot(midge_high_mul(cubic, 715827883) + square, 1);
    int32_t result = 1895147668 + midge_high_mul(at + tail, 1895147668);
    uint32_t bits = (uint32_t)(remainder - x) >> 24;
    for (int k = 0; k < 7; ++k) {
        if (bits & 1) {
            result = midge_high_mul(result, factors[k]);
        }
        bits >>= 1;
    }
    return x == 0 ? INT32_MAX : result;
}

#endif
