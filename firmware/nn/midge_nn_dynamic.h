/* Dynamic ranges: floats become int8 with a scale that is found at run time. Mirrors midge.numerics.dynamic. */
#ifndef MIDGE_NN_DYNAMIC_H
#define MIDGE_NN_DYNAMIC_H

#include "midge_nn_float.h"

/* x is about (q - zero) * scale. */
typedef struct {
    float scale;
    int32_t zero;
} midge_dynamic;

/* x to the nearest of -1000..1000, halves away from zero. Not a number counts as 0. */
static inline int32_t midge_nearest(float x) {
    const float limited = x == x ? midge_at_most(midge_at_least(x, -1000.0f), 1000.0f) : 0.0f;
    const int32_t whole = (int32_t)limited;
    const float rest = limited - (float)whole;
    return whole + (rest >= 0.5f) - (rest <= -0.5f);
}

/* `count` floats as int8: -127..127 around 0, or, asymmetric, -128..127 with a zero point. */
static inline midge_dynamic midge_quantize_row(const float *x, int32_t count, int asymmetric, int8_t *q) {
    float low = 0.0f, high = 0.0f;
    for (int32_t i = 0; i < count; ++i) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    midge_dynamic found = {1.0f, 0};
    float factor = 1.0f;
    if (low < high && asymmetric) {
        found.scale = (high - low) / 255.0f;
        factor = 1.0f / found.scale;
        const float below = low / found.scale, above = high / found.scale;
        const float zero = 128.0f - below < 127.0f + above ? -128.0f - below : 127.0f - above;
        found.zero = midge_clamp(midge_nearest(zero), -128, 127);
    } else if (low < high) {
        const float reach = -low > high ? -low : high;
        found.scale = reach / 127.0f;
        factor = 127.0f / reach;
    }
    const float zero = (float)found.zero;
    for (int32_t i = 0; i < count; ++i) {
        /* Two statements, so that no compiler makes one rounding of both. */
        const float scaled = x[i] * factor;
        q[i] = (int8_t)midge_clamp(midge_nearest(scaled + zero), asymmetric ? -128 : -127, 127);
    }
    return found;
}

#endif
