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

static inline float midge_neg(float x) { return -x; }
static inline float midge_square(float x) { return x * x; }
static inline float midge_sign(float x) { return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x; }

static inline float midge_abs(float x) {
    union {
        float value;
        uint32_t bits;
    } number = {x};
    number.bits &= 0x7FFFFFFFu;
    return number.value;
}

/* Whole numbers below, above and next to x, the even one of two; from 2^23 on every float is whole. */
static inline float midge_floor(float x) {
    if (!(midge_abs(x) < 8388608.0f)) {
        return x;
    }
    const float whole = (float)(int32_t)x;
    return whole > x ? whole - 1.0f : whole;
}
static inline float midge_ceil(float x) { return -midge_floor(-x); }
static inline float midge_round(float x) {
    const float below = midge_floor(x);
    const float rest = x - below;
    const int odd = rest == 0.5f && midge_floor(below * 0.5f) * 2.0f != below;
    return rest > 0.5f || odd ? below + 1.0f : below;
}

/* Sine of x plus a number of quarters of the circle: by the nearest multiple of pi / 2, in three parts of which the
 * first two are so short that their products are exact, and a polynomial around 0. Not a number beyond a million. */
static inline float midge_sin_from(float x, int32_t quarters) {
    if (!(midge_abs(x) < 1e6f)) {
        return (x - x) / (x - x);
    }
    const float n = midge_round(x * 0.636619772f);
    const float r = ((x - n * 1.5703125f) - n * 4.83751297e-4f) - n * 7.54978942e-8f;
    const float r2 = r * r;
    const int32_t quarter = ((int32_t)n + quarters) & 3;
    const float sine =
        r + r * r2 * (-1.66666667e-1f + r2 * (8.33333333e-3f + r2 * (-1.98412698e-4f + r2 * 2.7557e-6f)));
    const float cosine = 1.0f + r2 * (-0.5f + r2 * (4.16666667e-2f + r2 * (-1.38888889e-3f + r2 * 2.48e-5f)));
    const float result = quarter & 1 ? cosine : sine;
    return quarter & 2 ? -result : result;
}
static inline float midge_sin(float x) { return midge_sin_from(x, 0); }
static inline float midge_cos(float x) { return midge_sin_from(x, 1); }

/* 1 / sqrt(x) by Newton's iteration from half the exponent; infinite at 0, not a number below. */
static inline float midge_rsqrt(float x) {
    if (!(x > 0.0f)) {
        return x == 0.0f ? midge_power_of_two(127) * 2.0f : (x - x) / (x - x);
    }
    if (x > 3.40282347e38f) {
        return 0.0f; /* of infinity */
    }
    /* Below the smallest normal number the exponent says nothing. */
    const float scaled = x < 1.2e-38f ? x * 16777216.0f : x;
    union {
        float value;
        uint32_t bits;
    } estimate = {scaled};
    estimate.bits = 0x5F3759DFu - (estimate.bits >> 1);
    float y = estimate.value;
    for (int i = 0; i < 4; ++i) {
        y = y * (1.5f - (0.5f * scaled * y) * y);
    }
    return x < 1.2e-38f ? y * 4096.0f : y;
}

/* The square root; not a number below 0. */
static inline float midge_sqrt(float x) {
    return x > 0.0f && x <= 3.40282347e38f ? x * midge_rsqrt(x) : x < 0.0f ? (x - x) / (x - x) : x;
}

/* The natural logarithm, by x = 2^n * m with m around 1 and the series of atanh((m - 1) / (m + 1)). */
static inline float midge_log(float x) {
    if (!(x > 0.0f) || x > 3.40282347e38f) {
        return x == 0.0f ? -midge_power_of_two(127) * 2.0f : x < 0.0f ? (x - x) / (x - x) : x;
    }
    union {
        float value;
        uint32_t bits;
    } number = {x < 1.2e-38f ? x * 16777216.0f : x};
    int n = (int)(number.bits >> 23) - 127 - (x < 1.2e-38f ? 24 : 0);
    number.bits = (number.bits & 0x007FFFFFu) | 0x3F800000u;
    float m = number.value;
    if (m > 1.41421356f) {
        m *= 0.5f;
        ++n;
    }
    const float t = (m - 1.0f) / (m + 1.0f);
    const float t2 = t * t;
    const float tail =
        3.33333333e-1f + t2 * (0.2f + t2 * (1.42857143e-1f + t2 * (1.11111111e-1f + t2 * 9.09090909e-2f)));
    const float near_one = 2.0f * t + 2.0f * t * t2 * tail;
    return (float)n * 0.693359375f + (near_one - (float)n * 2.12194440e-4f);
}

/* x where it is positive, else e^x - 1, by its series where the difference would cancel. */
static inline float midge_elu(float x) {
    if (x > 0.0f) {
        return x;
    }
    if (x > -0.25f) {
        return x * (1.0f + x * (0.5f + x * (1.66666667e-1f +
                                            x * (4.16666667e-2f + x * (8.33333333e-3f + x * 1.38888889e-3f)))));
    }
    return midge_exp(x) - 1.0f;
}

static inline float midge_hard_swish(float x) { return x * midge_at_most(midge_at_least(x + 3.0f, 0.0f), 6.0f) / 6.0f; }

/* The error function: by its series near 0, where the difference would cancel; else as in midge_gelu. */
static inline float midge_erf(float x) {
    const float size = midge_abs(x);
    if (size < 0.5f) {
        const float x2 = x * x;
        const float tail = 2.68661707e-2f + x2 * (-5.22397762e-3f + x2 * 8.54832703e-4f);
        return x * (1.12837917f + x2 * (-3.76126389e-1f + x2 * (1.12837917e-1f - x2 * tail)));
    }
    const float t = 1.0f / (1.0f + 0.3275911f * size);
    const float beyond =
        t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f)))) *
        midge_exp(-size * size);
    return x < 0.0f ? beyond - 1.0f : 1.0f - beyond;
}

/* x times the normal distribution's share below x; the error function after Abramowitz and Stegun, 7.1.26. */
static inline float midge_gelu(float x) {
    const float size = midge_abs(x) * 0.70710678f;
    const float t = 1.0f / (1.0f + 0.3275911f * size);
    const float tail =
        t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
    const float beyond = 0.5f * tail * midge_exp(-size * size);
    return x < 0.0f ? x * beyond : x - x * beyond;
}

/* The same by its approximation with the hyperbolic tangent. */
static inline float midge_gelu_tanh(float x) {
    return 0.5f * x * (1.0f + midge_tanh(0.79788456f * (x + 0.044715f * x * x * x)));
}

/* real / scale to the nearest integer, halves away from zero, within -limit..limit. Not a number counts as 0. */
static inline int32_t midge_round_ratio(float real, float scale, float limit) {
    const float ratio = real / scale;
    const float limited = ratio == ratio ? midge_at_most(midge_at_least(ratio, -limit), limit) : 0.0f;
    const int32_t whole = (int32_t)limited;
    const float rest = limited - (float)whole;
    return whole + (rest >= 0.5f) - (rest <= -0.5f);
}

/* The same with halves to the even neighbor, as ONNX's QuantizeLinear rounds. */
static inline int32_t midge_round_ratio_to_even(float real, float scale, float limit) {
    const float ratio = real / scale;
    const float limited = ratio == ratio ? midge_at_most(midge_at_least(ratio, -limit), limit) : 0.0f;
    const int32_t whole = (int32_t)limited;
    const float rest = limited - (float)whole;
    const int32_t odd = whole % 2 != 0;
    const int32_t up = rest > 0.5f || (rest == 0.5f && odd);
    const int32_t down = rest < -0.5f || (rest == -0.5f && odd);
    return whole + up - down;
}

/* real as int8 or int16: zero_point + real / scale, nearest, halves away from zero or to even, saturated. */
static inline int8_t midge_quantize(float real, float scale, int32_t zero_point) {
    return (int8_t)midge_clamp(midge_round_ratio(real, scale, 300.0f) + zero_point, -128, 127);
}
static inline int8_t midge_quantize_to_even(float real, float scale, int32_t zero_point) {
    return (int8_t)midge_clamp(midge_round_ratio_to_even(real, scale, 300.0f) + zero_point, -128, 127);
}
static inline int16_t midge_quantize_s16(float real, float scale, int32_t zero_point) {
    return (int16_t)midge_clamp(midge_round_ratio(real, scale, 70000.0f) + zero_point, -32768, 32767);
}
static inline int16_t midge_quantize_to_even_s16(float real, float scale, int32_t zero_point) {
    return (int16_t)midge_clamp(midge_round_ratio_to_even(real, scale, 70000.0f) + zero_point, -32768, 32767);
}

#endif
