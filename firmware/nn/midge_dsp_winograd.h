/* What kernels for cores with 16-bit SIMD do in C that convolve by Winograd's F(4x4, 3x3), where there is no assembly
 * for it. Freestanding C11, no libc, no state.
 */
#ifndef MIDGE_DSP_WINOGRAD_H
#define MIDGE_DSP_WINOGRAD_H

#include "midge_dsp_winograd_inputs.h"

#if !MIDGE_DSP_ASM

/* The sums of two tiles and four channels at all positions, of `pairs` pairs of channels. */
static inline void midge_dsp_winograd_products(const uint32_t *x, const int32_t *weights, int pairs, uint32_t *sums) {
    for (int position = 0; position < 36; ++position) {
        for (int i = 0; i < 8; ++i) {
            sums[i] = 0;
        }
        for (int pair = 0; pair < pairs; ++pair) {
            for (int i = 0; i < 8; ++i) {
                sums[i] = midge_dsp_dot(x[72 * pair + i / 4], (uint32_t)weights[i % 4], sums[i]);
            }
            weights += 4;
        }
        x += 2;
        sums += 8;
    }
}

/* The output of 64 times its sum, and of its channel the scales in the order of the stream. */
static inline int8_t midge_dsp_winograd_output(int32_t sum, const int32_t *scales, const midge_dsp_scale *scale) {
    if (scale->shift >= 0) {
        const int32_t high = (int32_t)((int64_t)sum * scales[1] >> 32);
        return (int8_t)midge_clamp((high + scales[0]) >> (scale->shift + 6), -128, 127);
    }
    const int32_t high = midge_high_mul(sum >> 6, scales[2]);
    return (int8_t)midge_clamp((high + scales[1] - (sum < 0)) >> scales[0], scale->low, scale->high);
}

/* 4x4 outputs of four channels from a tile's sums. */
static inline void midge_dsp_winograd_outputs(uint32_t *sums, const int32_t *scales, int8_t *block,
                                              const midge_dsp_scale *scale) {
    static const uint8_t powers[4] = {0, 1, 2, 2};
    for (int channel = 0; channel < 4; ++channel) {
        midge_winograd_columns(sums);
        const int record = scale->shift >= 0 ? 3 : 4;
        for (int y = 0; y < 4; ++y) {
            uint32_t z[4];
            midge_winograd_sums(sums + 48 * y, 8, z);
            for (int x = 0; x < 4; ++x) {
                /* The inverse of 9 modulo 2^32. */
                const uint32_t ninth = UINT32_C(0x38E38E39) << (powers[x] + powers[y]);
                const int32_t sum = (int32_t)(z[x] * ninth + (uint32_t)scales[record - 1]);
                block[16 * y + 4 * x] = midge_dsp_winograd_output(sum, scales, scale);
            }
        }
        ++sums;
        ++block;
        scales += record;
    }
}

#endif
#endif
