/* Arithmetic of the int8 LSTM: a gate's sums, and logistic and tanh in 16 bits. Mirrors midge.numerics.gemmlowp16.
 *
 * A Qm value has m integer bits, 15 - m fractional bits and a sign, and is held in 32 bits.
 */
#ifndef MIDGE_NN_LSTM_H
#define MIDGE_NN_LSTM_H

#include "midge_nn.h"

static inline int32_t midge_clamp_s16(int32_t x) { return midge_clamp(x, -32768, 32767); }

/* a * b / 2^15 rounded to nearest, halves upwards. a and b fit 16 bits and are not both -2^15. */
static inline int32_t midge_high_mul_s16(int32_t a, int32_t b) { return (a * b + (INT32_C(1) << 14)) >> 15; }

/* e^x in Q0 for x <= 0 in Q(integer_bits), 1 .. 7: a polynomial of x modulo 1/4, times a constant for each further bit.
 */
MIDGE_SHARED int32_t midge_exp_s16(int32_t x, int integer_bits) {
    static const MIDGE_FLASH int16_t factors[] = {25520, 19875, 12055, 4435, 600, 11, 0};
    const int fraction_bits = 15 - integer_bits;
    const int32_t quarter = INT32_C(1) << (fraction_bits - 2);
    const int32_t remainder = (x & (quarter - 1)) - quarter;
    const int32_t t = remainder * (INT32_C(1) << integer_bits) + 4096;
    const int32_t t2 = midge_high_mul_s16(t, t);
    const int32_t cubic = midge_divide_by_pot(midge_high_mul_s16(t2, t2), 2) + midge_high_mul_s16(t2, t);
    const int32_t tail = midge_divide_by_pot(midge_high_mul_s16(cubic, 10923) + t2, 1);
    int32_t result = midge_min(28918 + midge_high_mul_s16(t + tail, 28918), 32767);
    const int32_t rest = (remainder - x) >> (fraction_bits - 2);
    for (int k = 0; k < integer_bits + 2 && k < 7; ++k) {
        if (rest >> k & 1) {
            result = midge_high_mul_s16(result, factors[k]);
        }
    }
    if (integer_bits > 5 && x < -(INT32_C(1) << (20 - integer_bits))) {
        result = 0;
    }
    return x == 0 ? 32767 : result;
}

/* 2 / (1 + x) in Q2 for x in Q0, 0 <= x < 1: three Newton-Raphson steps from a linear estimate. */
MIDGE_SHARED int32_t midge_two_over_one_plus_s16(int32_t x) {
    const int32_t half = (x + 32768) >> 1;
    int32_t estimate = 23130 + midge_high_mul_s16(half, -15420);
    for (int step = 0; step < 3; ++step) {
        const int32_t error = 8192 - midge_high_mul_s16(half, estimate);
        estimate += midge_clamp_s16(4 * midge_high_mul_s16(estimate, error));
    }
    return estimate;
}

/* 1 / (1 + e^-x) in Q0 for x in Q3. */
MIDGE_SHARED int32_t midge_logistic_q3(int32_t x) {
    const int32_t positive = midge_clamp_s16(2 * midge_two_over_one_plus_s16(midge_exp_s16(x > 0 ? -x : x, 3)));
    return x == 0 ? 16384 : x > 0 ? positive : 32767 - positive;
}

/* The hyperbolic tangent in Q0 of x in Q(integer_bits), 0 .. 6. */
MIDGE_SHARED int32_t midge_tanh_q(int32_t x, int integer_bits) {
    const int32_t e = midge_exp_s16(x > 0 ? -x : x, integer_bits + 1);
    const int32_t size = midge_clamp_s16(4 * (midge_two_over_one_plus_s16(e) - 8192));
    return x == 0 ? 0 : x < 0 ? -size : size;
}

/* start + the sum over `count` products, requantized, plus `part`, as int16. Sums wrap at 32 bits. */
static inline int32_t midge_gate_s16(const int8_t *x, const MIDGE_FLASH int8_t *w, int count, int32_t start,
                                     int32_t multiplier, int shift, int32_t part) {
    uint32_t sum = (uint32_t)start;
    for (int i = 0; i < count; ++i) {
        sum += (uint32_t)(int32_t)(x[i] * w[i]);
    }
    return midge_clamp_s16(midge_requantize((int32_t)sum, multiplier, shift) + part);
}

#endif
