/* Requantization as midge.kernels.steep_sums found it, for cores with a quick multiplication: one high product, or one
 * with a rule below zero. Freestanding C11, no libc, no state.
 */
#ifndef MIDGE_STEEP_H
#define MIDGE_STEEP_H

#include <stdint.h>

/* x * y / 2^32, downwards. Without a long product it is made of four. */
static inline int32_t midge_steep_high(int32_t x, int32_t y) {
#if defined(__ARM_ARCH_6M__)
    const uint32_t x_low = x & 0xFFFF, y_low = y & 0xFFFF;
    const int32_t x_high = x >> 16, y_high = y >> 16;
    const int32_t middle = x_high * (int32_t)y_low + (int32_t)(x_low * y_low >> 16);
    const int32_t other = (int32_t)x_low * y_high + (middle & 0xFFFF);
    return x_high * y_high + (middle >> 16) + (other >> 16);
#else
    return (int32_t)((int64_t)x * y >> 32);
#endif
}

/* A sum as int8. `jump` is 0 where there is no rule below zero. */
static inline int8_t midge_steep_scaled(int32_t sum, int32_t bias, int32_t multiplier, int32_t jump, int32_t fraction,
                                        int32_t addend, int32_t shift) {
    int32_t value = (int32_t)(((uint32_t)sum << fraction) + (uint32_t)bias);
    value -= (value >> 31) & jump;
    value = (midge_steep_high(value, multiplier) + addend) >> shift;
    /* What is outside of int8, with 128 added, becomes the nearest that is inside. */
    if ((uint32_t)value > 255u) {
        value = ~(value >> 31);
    }
    return (int8_t)(value - 128);
}

#endif
