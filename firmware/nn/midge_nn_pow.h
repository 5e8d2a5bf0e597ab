/* Powers of the generated kernels. midge_pow_s8 mirrors midge.numerics.powers. */
#ifndef MIDGE_NN_POW_H
#define MIDGE_NN_POW_H

#include "midge_nn_float.h"

/* x^n for a whole n of 0..127. */
static inline float midge_pow_whole(float x, int n) {
    float result = 1.0f;
    for (; n > 0; n >>= 1) {
        result = n & 1 ? result * x : result;
        x *= x;
    }
    return result;
}

/* x^y: by multiplication for a whole y of -64..64, else e^(y * log x). Not a number for a negative x and a y that is
 * not whole. Relative errors stay below 1e-5. */
static inline float midge_pow(float x, float y) {
    const float size = midge_abs(y);
    if (x == 1.0f || y == 0.0f) {
        return 1.0f;
    }
    if (size <= 64.0f && (float)(int)size == size) {
        const float power = midge_pow_whole(x, (int)size);
        return y < 0.0f ? 1.0f / power : power;
    }
    const float power = midge_exp(y * midge_log(midge_abs(x)));
    if (!(x < 0.0f)) {
        return power;
    }
    if (size >= 16777216.0f) {
        return power; /* such a y is even */
    }
    if ((float)(int32_t)size != size) {
        return (x - x) / (x - x);
    }
    return (int32_t)size & 1 ? -power : power;
}

/* The low 32 bits of x^y; for a negative y 1 / x^-y cut to a whole number, 0 for x = 0. */
static inline int32_t midge_pow_s32(int32_t x, int32_t y) {
    if (y < 0) {
        return x == 1 ? 1 : x == -1 ? (y & 1 ? -1 : 1) : 0;
    }
    uint32_t result = 1, factor = (uint32_t)x;
    for (; y > 0; y >>= 1) {
        result = y & 1 ? result * factor : result;
        factor *= factor;
    }
    return (int32_t)result;
}

/* x^y by tables: the logarithms of bases, the borders between outputs, and 0 for even, 1 for odd, 2 for other
 * exponents. `x_zero`, `y_zero` and `zero` are the zero points of base, exponent and output. */
static inline int8_t midge_pow_s8(int8_t x, int8_t y, const MIDGE_FLASH int32_t *logs,
                                  const MIDGE_FLASH int32_t *borders, const MIDGE_FLASH int8_t *parities, int x_zero,
                                  int y_zero, int zero) {
    const int32_t exponent = (int32_t)y - y_zero;
    const int32_t of_zero = exponent > 0 ? -INT32_MAX : exponent < 0 ? INT32_MAX : 0;
    const int32_t power = x == x_zero ? of_zero : logs[x + 128] * exponent;
    const int parity = x < x_zero ? parities[y + 128] : 0;
    int found = zero;
    if (parity == 0) {
        for (; found < 127 && borders[found + 128] < power; ++found) {
        }
    } else if (parity == 1) {
        for (; found > -128 && borders[found + 127] < power; --found) {
        }
    }
    return (int8_t)found;
}

#endif
