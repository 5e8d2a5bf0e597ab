/* What kernels for cores with 16-bit SIMD and weights of few bits share. Freestanding C11, no libc, no state.
 *
 * The stream is that of midge_dsp.h with fewer words of weights: midge.kernels.narrow_channels says what a word holds.
 */
#ifndef MIDGE_DSP_NARROW_H
#define MIDGE_DSP_NARROW_H

#include "midge_dsp.h"

/* The sum of `count` int16 of a pixel, by pairs `step` words apart; what lies behind them in the last pair is 0. */
static inline uint32_t midge_dsp_total(const uint32_t *x, int count, int step) {
    uint32_t sum = 0;
    for (; count > 0; count -= 2) {
#if MIDGE_DSP_ASM
        __asm__("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(*x), "r"(0x00010001));
#else
        sum += (uint32_t)((int16_t)*x + (int16_t)(*x >> 16));
#endif
        x += step;
    }
    return sum;
}

#if !MIDGE_DSP_ASM

typedef enum { MIDGE_DSP_INT4, MIDGE_DSP_INT2, MIDGE_DSP_TERNARY, MIDGE_DSP_BINARY } midge_dsp_width;

/* How int32 sums become int8: as in midge_dsp_scale, with `shift` for sums that are not lifted. `gained`: gain and bias
 * come before the other words of a channel. */
typedef struct {
    int shift, low, high, gained;
    midge_dsp_width width;
} midge_dsp_narrow_scale;

/* One word of int4 weights times a pair of activations. */
static inline void midge_dsp_int4(uint32_t x, uint32_t word, uint32_t *sums) {
    const uint32_t high = word << 4 & 0xF0F0F0F0u;
    sums[0] = midge_dsp_dot(x, midge_dsp_even(high), sums[0]);
    sums[1] = midge_dsp_dot(x, midge_dsp_even(word), sums[1]);
    sums[2] = midge_dsp_dot(x, midge_dsp_odd(high), sums[2]);
    sums[3] = midge_dsp_dot(x, midge_dsp_odd(word), sums[3]);
}

/* The even or odd bytes of a word of ternary weights, or those of int2, times a pair of activations. */
static inline void midge_dsp_ternary(uint32_t x, uint32_t bytes, uint32_t *sums) {
    for (int i = 0; i < 4; ++i) {
        sums[i] = midge_dsp_dot(x, midge_dsp_even(bytes << 2 * i), sums[i]);
    }
}
static inline void midge_dsp_int2(uint32_t x, uint32_t bytes, uint32_t *sums) {
    for (int i = 0; i < 4; ++i) {
        sums[i] = midge_dsp_dot(x, midge_dsp_even(bytes << (6 - 2 * i) & 0x00C000C0u), sums[i]);
    }
}

/* Pair `pair` of a word of binary weights. */
static inline void midge_dsp_binary(uint32_t x, uint32_t word, int pair, uint32_t *sums) {
    const uint32_t turned = pair ? word >> 4 * pair | word << (32 - 4 * pair) : word;
    for (int i = 0; i < 4; ++i) {
        sums[i] = midge_dsp_dot(x, turned & 0x00020002u << i, sums[i]);
    }
}

/* An exact division of what is a multiple of 2^bits, rounded down where a start was added. */
static inline uint32_t midge_dsp_part(uint32_t sum, int bits) { return (uint32_t)((int32_t)sum >> bits); }

/* What the fields of a byte brought along for each other; of binary weights the `total` of the activations. */
static inline void midge_dsp_disentangle(midge_dsp_width width, uint32_t total, uint32_t *sums) {
    if (width == MIDGE_DSP_INT4) {
        sums[1] -= midge_dsp_part(sums[0], 4);
        sums[3] -= midge_dsp_part(sums[2], 4);
    } else if (width == MIDGE_DSP_TERNARY) {
        for (int i = 0; i < 3; ++i) {
            sums[i] -= midge_dsp_part(sums[i + 1], 2);
        }
    } else if (width == MIDGE_DSP_BINARY) {
        for (int i = 0; i < 4; ++i) {
            sums[i] -= total << i;
        }
    }
}

/* Output `channel` of a group from its lifted sum, and the requantization's words. */
static inline int8_t midge_dsp_narrow_output(int32_t sum, int channel, const int32_t *words,
                                             const midge_dsp_narrow_scale *scale) {
    const int lift = scale->width == MIDGE_DSP_BINARY ? channel : scale->width == MIDGE_DSP_INT4 ? 4 : 6;
    if (scale->shift >= 0) {
        const int32_t high = (int32_t)((int64_t)sum * words[2 * channel] >> 32);
        return (int8_t)midge_clamp((high + words[2 * channel + 1]) >> (scale->shift + lift), -128, 127);
    }
    const int32_t *mine = words + (scale->gained ? 5 : 3) * channel;
    sum >>= lift;
    if (scale->gained) {
        sum = sum * mine[0] + mine[1];
        mine += 2;
    }
    const int32_t high = midge_high_mul(sum, mine[0]);
    return (int8_t)midge_clamp((high + mine[1] - (sum < 0)) >> mine[2], scale->low, scale->high);
}

/* midge_dsp_pixel for narrow weights. */
static inline void midge_dsp_narrow_pixel(const uint32_t *x, const uint32_t *x_end, int step, const int32_t *stream,
                                          const int32_t *end, int8_t *out, const midge_dsp_narrow_scale *scale) {
    while (stream != end) {
        uint32_t sums[4];
        for (int i = 0; i < 4; ++i) {
            sums[i] = (uint32_t)*stream++;
        }
        for (const uint32_t *at = x; at < x_end; at += step) {
            const uint32_t word = (uint32_t)*stream++;
            if (scale->width == MIDGE_DSP_INT4) {
                midge_dsp_int4(*at, word, sums);
                continue;
            }
            if (scale->width == MIDGE_DSP_BINARY) {
                for (int pair = 0; pair < 4; ++pair) {
                    midge_dsp_binary(at[pair * step], word, pair, sums);
                }
                at += 3 * step;
                continue;
            }
            for (int odd = 0; odd < 2; ++odd) {
                const uint32_t bytes = word >> 8 * odd & 0x00FF00FFu;
                at += odd * step;
                if (scale->width == MIDGE_DSP_INT2) {
                    midge_dsp_int2(*at, bytes, sums);
                } else {
                    midge_dsp_ternary(*at, bytes, sums);
                }
            }
        }
        midge_dsp_disentangle(scale->width, scale->width == MIDGE_DSP_BINARY ? *x_end : 0, sums);
        for (int i = 0; i < 4; ++i) {
            *out++ = midge_dsp_narrow_output((int32_t)sums[i], i, stream, scale);
        }
        stream += scale->shift >= 0 ? 8 : scale->gained ? 20 : 12;
    }
}

#endif
#endif
