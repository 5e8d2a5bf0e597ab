/* Sums of int8 values in the int16 halves of words, for cores with 16-bit SIMD. Freestanding C11, no libc, no state. */
#ifndef MIDGE_DSP_LANES_H
#define MIDGE_DSP_LANES_H

#include "midge_dsp.h"

/* `sums` with bytes 0 and 2 (`_odd`: 1 and 3) added to its halves, each modulo 2^16. */
static inline uint32_t midge_dsp_add_even(uint32_t sums, uint32_t bytes) {
#if MIDGE_DSP_ASM
    __asm__("sxtab16 %0, %0, %1" : "+r"(sums) : "r"(bytes));
    return sums;
#else
    return midge_dsp_pair((int)(sums & 0xFFFF) + (int8_t)bytes, (int)(sums >> 16) + (int8_t)(bytes >> 16));
#endif
}
static inline uint32_t midge_dsp_add_odd(uint32_t sums, uint32_t bytes) {
#if MIDGE_DSP_ASM
    __asm__("sxtab16 %0, %0, %1, ror #8" : "+r"(sums) : "r"(bytes));
    return sums;
#else
    return midge_dsp_pair((int)(sums & 0xFFFF) + (int8_t)(bytes >> 8), (int)(sums >> 16) + (int8_t)(bytes >> 24));
#endif
}

#endif
