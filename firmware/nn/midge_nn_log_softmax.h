/* The fixed-point logarithm of the int8 log-softmax. Mirrors midge.numerics.logarithm. */
#ifndef MIDGE_NN_LOG_SOFTMAX_H
#define MIDGE_NN_LOG_SOFTMAX_H

#include "midge_nn_softmax.h"

/* ln(sum) at scale 2^-26 for a sum at scale 2^-19 that is at least about 1. The sum is a power of two times r, which is
 * near 2^-0.25: of two ways to split it, by its own leading zeros and by those of sum * 2^-0.5, the one with the
 * smaller r and the one with the larger power count. A rational function of q = 2 (r - 2^-0.25) gives the rest. */
MIDGE_SHARED int32_t midge_log_of_sum(int32_t sum) {
    const int32_t root_half = 1518500250, center = 1805811301, quarter = INT32_C(1) << 23;
    const int zeros = midge_leading_zeros((uint32_t)sum);
    const int headroom = midge_leading_zeros((uint32_t)midge_high_mul(sum, root_half)) - 1;
    const uint32_t one = (uint32_t)midge_high_mul((int32_t)((uint32_t)sum << (zeros - 1)), root_half) << 1;
    const uint32_t other = (uint32_t)sum << headroom;
    const uint32_t smaller = one < other ? one : other;
    const int32_t r = smaller > INT32_MAX ? INT32_MAX : (int32_t)smaller;
    const int32_t power =
        midge_max((12 - zeros) * (INT32_C(1) << 25) + quarter, (12 - headroom) * (INT32_C(1) << 25) - quarter);
    const int32_t q = 2 * (r - center);
    const int32_t square = midge_high_mul(q, q);
    const int32_t numerator = midge_high_mul(q, r) + midge_high_mul(midge_high_mul(q, square), 117049297);
    const int32_t half_sum = (int32_t)(((uint32_t)r + (uint32_t)center + 1) >> 1);
    const int32_t inner = 1057819769 + q + midge_high_mul(square, 127690142);
    const int32_t denominator = midge_high_mul(half_sum, inner) + midge_high_mul(q, 638450708);
    const int32_t inverse = midge_reciprocal((uint32_t)denominator + UINT32_C(0x80000000));
    return 2 * (midge_high_mul(power, 1488522236) + midge_high_mul(midge_divide_by_pot(numerator, 6), inverse));
}

#endif
