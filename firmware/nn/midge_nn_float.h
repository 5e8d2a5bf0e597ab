/* Floating-point functions of the generated kernels, without libm: the same bits on every core.
 *
 * Relative errors stay below 1e-6, of denormal results two units; that needs IEEE single precision, no -ffast-math.
 */
#ifndef MIDGE_NN_FLOAT_H
#define MIDGE_NN_FLOAT_H

#include "midge_nn.h"

/* x, but not below low or above high. Not a number stays that. */
static inline float midge_at_least(float x, float low) { return x < low ? low : x; }
static inline float midge_at_most(float x, float high) { return x > high ? high : x; }

/* 2^exponent for an exponent of -126..127. */
static inline float midge_power_of_two(int exponent) {
    const union {
        uint32_t bits;
        float value;
    } power = {(uint32_t)(exponent + 127) << 23};
    return power.value;
}

/* e^x, by x = n * ln 2 + r with |r| <= ln 2 / 2 and a polynomial in r. */
static inline float midge_exp(float x) {
    if (!(x < 89.0f)) {
        return x * 3e38f; /* infinite, or not a number */
    }
    if (x < -104.0f) {
        return 0.0f;
    }
    const int n = (int)(x * 1.44269504f + (x < 0.0f ? -0.5f : 0.5f));
    /* ln 2 in two parts, the first so short that its product with n is exact. */
    const float r = (x - (float)n * 0.693359375f) + (float)n * 2.12194440e-4f;
    const float tail = 0.5f + r * (1.66666667e-1f + r * (4.16666667e-2f + r * (8.33333333e-3f + r * 1.38888889e-3f)));
    /* In two steps, because 2^n alone may be no normal number. */
    return (1.0f + (r + r * r * tail)) * midge_power_of_two(n / 2) * midge_power_of_two(n - n / 2);
}

/* 1 / (1 + e^-x); the exponential never overflows. */
static inline float midge_logistic(float x) {
    const float e = midge_exp(x < 0.0f ? x : -x);
    return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

/* The hyperbolic tangent: (1 - e^-2|x|) / (1 + e^-2|x|), by its series where the difference would cancel. */
static inline float midge_tanh(float x) {
    const float size = x < 0.0f ? -x : x;
    if (size < 0.1f) {
        return x * (1.0f + x * x * (-3.33333333e-1f + x * x * 1.33333333e-1f));
    }
    const float e = midge_exp(-2.0f * size);
    const float result = (1.0f - e) / (1.0f + e);
    return x < 0.0f ? -result : result;
}

/* real as int8: zero_point + real / scale, nearest, halves away from zero, saturated. Not a number counts as 0. */
static inline int8_t midge_quantize(float real, float scale, int32_t zero_point) {
    const float ratio = real / scale;
    const float limited = ratio == ratio ? midge_at_most(midge_at_least(ratio, -300.0f), 300.0f) : 0.0f;
    const int32_t whole = (int32_t)limited;
    const float rest = limited - (float)whole;
    return (int8_t)midge_clamp(whole + (rest >= 0.5f) - (rest <= -0.5f) + zero_point, -128, 127);
}

/* The same with halves to the even neighbor, as ONNX's QuantizeLinear rounds. */
static inline int8_t midge_quantize_to_even(float real, float scale, int32_t zero_point) {
    const float ratio = real / scale;
    const float limited = ratio == ratio ? midge_at_most(midge_at_least(ratio, -300.0f), 300.0f) : 0.0f;
    const int32_t whole = (int32_t)limited;
    const float rest = limited - (float)whole;
    const int32_t odd = whole % 2 != 0;
    const int32_t up = rest > 0.5f || (rest == 0.5f && odd);
    const int32_t down = rest < -0.5f || (rest == -0.5f && odd);
    return (int8_t)midge_clamp(whole + up - down + zero_point, -128, 127);
}

#endif
