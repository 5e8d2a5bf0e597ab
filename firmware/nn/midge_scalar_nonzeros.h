/* A matrix of few weights that are not zero, for cores without SIMD. Freestanding C11, no libc, no state. */
#ifndef MIDGE_SCALAR_NONZEROS_H
#define MIDGE_SCALAR_NONZEROS_H

#include "midge_scalar.h"

/* Two weights of a list in a word: each comes behind the byte that says how many activations further on it is. */
#define MIDGE_SCALAR_NONZERO(word)                                                                                     \
    in += (word) & 255u;                                                                                               \
    sum += *in * (int32_t)(int8_t)((word) >> 8);                                                                       \
    in += (word) >> 16 & 255u;                                                                                         \
    sum += *in * (int32_t)(int8_t)((word) >> 24)

/* One row of activations: for each channel `lists` has how many words follow, an even number, and these. `scales` have
 * for each channel a bias and then what scales its sums. */
MIDGE_SCALAR_SHARED void midge_scalar_nonzeros(const int8_t *row, const uint32_t *lists, const int32_t *scales,
                                               const midge_scalar_layer *layer, int8_t *out) {
    for (int32_t left = layer->channels; left > 0; --left) {
        const uint32_t *const end = lists + 1 + *lists;
        const int8_t *in = row;
        int32_t sum = *scales;
        for (++lists; lists < end; lists += 2) {
            const uint32_t first = lists[0], second = lists[1];
            MIDGE_SCALAR_NONZERO(first);
            MIDGE_SCALAR_NONZERO(second);
        }
        *out++ = midge_scalar_output(sum, scales + 1, layer);
        scales += layer->words;
    }
}

#endif
