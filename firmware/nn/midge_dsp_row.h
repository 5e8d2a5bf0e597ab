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

/* Adds the products of the activations in the halves of `x` with words of weights, one for each two of `lanes` sums. */
static inline void midge_dsp_row_pair(uint32_t x, const int32_t *words, int lanes, uint32_t *sums) {
    for (int i = 0; i < lanes; i += 2) {
        const uint32_t w = (uint32_t)words[i / 2];
        sums[i] = midge_dsp_dot(x, midge_dsp_even(w), sums[i]);
        sums[i + 1] = midge_dsp_dot(x, w, sums[i + 1]);
    }
}

/* All channels of the groups in stream..end for the activations x, `lanes` of them by one list of positions, `turn`
 * pairs of neighbors in a turn. */
static inline void midge_dsp_row(const midge_dsp_half *x, const int32_t *stream, const uint8_t *index,
                                 const int32_t *end, int lanes, int turn, int8_t *out, const midge_dsp_scale *scale) {
    while (stream != end) {
        uint32_t sums[4];
        for (int i = 0; i < 4; ++i) {
            sums[i] = (uint32_t)stream[i];
        }
        stream += 4;
        for (int channel = 0; channel < 4; channel += lanes) {
            const int neighbors = (index[1] >> 4) * turn, strangers = index[0] | (index[1] & 15) << 8;
            index += 2;
            const midge_dsp_half *at = x;
            for (int i = 0; i < neighbors; ++i) {
                at += *index++ / 2;
                midge_dsp_row_pair(midge_dsp_pair(at[0], at[1]), stream, lanes, sums + channel);
                stream += lanes / 2;
            }
            at = x;
            for (int i = 0; i < strangers; ++i) {
                const midge_dsp_half *const first = at + (*index & 15);
                at = first + (*index++ >> 4);
                midge_dsp_row_pair(midge_dsp_pair(*first, *at), stream, lanes, sums + channel);
                stream += lanes / 2;
            }
        }
        for (int i = 0; i < 4; ++i) {
            *out++ = midge_dsp_output((int32_t)(sums[i] - (i & 1 ? sums[i - 1] : 0)), i, stream, scale);
        }
        stream += scale->shift >= 0 ? 8 : 12;
    }
}

#endif
#endif
