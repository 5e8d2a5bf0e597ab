/* What kernels for cores with 16-bit SIMD share that multiply one row of activations with a matrix whose weights are
 * zero in vectors of four channels. Freestanding C11, no libc, no state.
 *
 * As in midge_dsp_sparse.h, but positions are found as the loop goes: midge.kernels.sparse_row says what stream and
 * index hold.
 */
#ifndef MIDGE_DSP_ROW_H
#define MIDGE_DSP_ROW_H

#include "midge_dsp.h"

#if !MIDGE_DSP_ASM

/* Adds the products of the activations in the halves of `x` with two words of weights. */
static inline void midge_dsp_row_pair(uint32_t x, const int32_t *words, uint32_t *sums) {
    for (int i = 0; i < 4; i += 2) {
        const uint32_t w = (uint32_t)words[i / 2];
        sums[i] = midge_dsp_dot(x, midge_dsp_even(w), sums[i]);
        sums[i + 1] = midge_dsp_dot(x, w, sums[i + 1]);
    }
}

/* Pair `pair` of an index of words with a byte for each. */
static inline int midge_dsp_row_byte(const int32_t *index, int pair) {
    return (int)((uint32_t)index[pair / 4] >> pair % 4 * 8 & 255);
}

/* All channels of the groups in stream..end for the activations x. */
static inline void midge_dsp_row(const midge_dsp_half *x, const int32_t *stream, const int32_t *index,
                                 const int32_t *end, int8_t *out, const midge_dsp_scale *scale) {
    while (stream != end) {
        const int neighbors = (int)((uint32_t)stream[0] >> 9 & 1023) * 4, strangers = (int)((uint32_t)stream[0] >> 19);
        uint32_t sums[4];
        for (int i = 0; i < 4; ++i) {
            sums[i] = (uint32_t)stream[1 + i];
        }
        stream += 5;
        const midge_dsp_half *at = x;
        for (int i = 0; i < neighbors; ++i) {
            at += midge_dsp_row_byte(index, i) / 2;
            midge_dsp_row_pair(midge_dsp_pair(at[0], at[1]), stream, sums);
            stream += 2;
        }
        index += neighbors / 4;
        at = x;
        for (int i = (4 - strangers % 4) % 4, last = i + strangers; i < last; ++i) {
            const int step = midge_dsp_row_byte(index, i);
            const midge_dsp_half *const first = at + (step & 15);
            at = first + (step >> 4);
            midge_dsp_row_pair(midge_dsp_pair(*first, *at), stream, sums);
            stream += 2;
        }
        index += (strangers + 3) / 4;
        for (int i = 0; i < 4; ++i) {
            *out++ = midge_dsp_output((int32_t)(sums[i] - (i & 1 ? sums[i - 1] : 0)), i, stream, scale);
        }
        stream += scale->shift >= 0 ? 8 : 12;
    }
}

#endif
#endif
