/* What kernels for cores with 16-bit SIMD and weights that are indices share. Freestanding C11, no libc, no state.
 *
 * The stream is that of midge_dsp.h with bytes of indices for words of weights: midge.kernels.indexed_channels says
 * what a byte holds. What it stands for is a word among 256, which these functions make of the few weights that there
 * are.
 */
#ifndef MIDGE_DSP_INDEXED_H
#define MIDGE_DSP_INDEXED_H

#include "midge_dsp.h"

/* The 256 words of index4: of a byte the weight of its lower half at one position, of its upper half at the next.
 * `values`: 16 weights. */
static inline void midge_dsp_words_index4(const int8_t *values, uint32_t *words) {
    for (int high = 0; high < 16; ++high) {
        for (int low = 0; low < 16; ++low) {
            *words++ = midge_dsp_pair(values[low], values[high]);
        }
    }
}

/* The 256 words of index2: 256b + a at one position, then at the next; of four fields of a byte a comes first, then b,
 * then both of the next position. `values`: 4 weights. */
static inline void midge_dsp_words_index2(const int8_t *values, uint32_t *words) {
    for (int high = 0; high < 16; ++high) {
        for (int low = 0; low < 16; ++low) {
            *words++ =
                midge_dsp_pair(256 * values[low >> 2] + values[low & 3], 256 * values[high >> 2] + values[high & 3]);
        }
    }
}

#if !MIDGE_DSP_ASM

/* Output `channel` of a group from its sum, lifted by 2^lift, and the requantization's words. */
static inline int8_t midge_dsp_indexed_output(int32_t sum, int lift, const int32_t *words,
                                              const midge_dsp_scale *scale) {
    if (scale->shift >= 0) {
        const int32_t high = (int32_t)((int64_t)sum * words[0] >> 32);
        return (int8_t)midge_clamp((high + words[1]) >> (scale->shift + lift), -128, 127);
    }
    sum >>= lift;
    const int32_t high = midge_high_mul(sum, words[0]);
    return (int8_t)midge_clamp((high + words[1] - (sum < 0)) >> words[2], scale->low, scale->high);
}

/* midge_dsp_pixel for indices of 4 bits, or of 2 with `by_two`; `words`: the 256 that they stand for. */
static inline void midge_dsp_indexed_pixel(const uint32_t *x, const uint32_t *x_end, int step, const int32_t *stream,
                                           const int32_t *end, int8_t *out, const uint32_t *words, int by_two,
                                           const midge_dsp_scale *scale) {
    const int size = scale->shift >= 0 ? 2 : 3;
    while (stream != end) {
        uint32_t sums[4];
        for (int i = 0; i < 4; ++i) {
            sums[i] = (uint32_t)*stream++;
        }
        for (const uint32_t *at = x; at < x_end; at += step) {
            uint32_t bytes = (uint32_t)*stream++;
            if (!by_two) {
                for (int i = 0; i < 4; ++i) {
                    sums[i] = midge_dsp_dot(*at, words[bytes >> 8 * i & 255], sums[i]);
                }
                continue;
            }
            for (int pair = 0; pair < 2; ++pair) {
                at += pair * step;
                for (int i = 0; i < 4; i += 2) {
                    const uint32_t both = words[bytes & 255];
                    bytes >>= 8;
                    sums[i] = midge_dsp_dot(*at, midge_dsp_even(both), sums[i]);
                    sums[i + 1] = midge_dsp_dot(*at, both, sums[i + 1]);
                }
            }
        }
        for (int i = 0; i < 4; ++i) {
            const int is_b = by_two & i;
            *out++ = midge_dsp_indexed_output((int32_t)(sums[i] - (is_b ? sums[i - 1] : 0)), 8 * is_b, stream, scale);
            stream += size;
        }
    }
}

#endif
#endif
