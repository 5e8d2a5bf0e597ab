/* Integer arithmetic that the generated kernels share. Freestanding C11, no libc, no state.
 *
 * Mirrors midge.numerics: integers equal TensorFlow Lite's reference kernels bit for bit. Right shifts of negative
 * numbers are arithmetic, as every compiler for the supported cores has them.
 */
#ifndef MIDGE_NN_H
#define MIDGE_NN_H

#include <stdint.h>

#include "midge_flash.h"

/* Each kernel stays a function of its own, so that profiles and equal layers can name it. No copies for one set of
 * arguments: arm-none-eabi-gcc 12.2 takes a copy whose pointers have become constants for one without effect, and drops
 * the call. */
#if defined(__GNUC__) && !defined(__clang__)
#define MIDGE_KERNEL static __attribute__((noinline, noclone))
#elif defined(__GNUC__)
#define MIDGE_KERNEL static __attribute__((noinline))
#else
#define MIDGE_KERNEL static
#endif

/* Where int has 16 bits, a 64-bit product takes a page of code: there it is a function for all kernels. */
#if defined(__AVR__)
#define MIDGE_SHARED static __attribute__((noinline, unused))
#else
#define MIDGE_SHARED static inline
#endif

/* The larger and the smaller of two, and x limited to low..high. */
static inline int32_t midge_max(int32_t a, int32_t b) { return a > b ? a : b; }
static inline int32_t midge_min(int32_t a, int32_t b) { return a < b ? a : b; }
static inline int32_t midge_clamp(int32_t x, int32_t low, int32_t high) { return midge_max(low, midge_min(x, high)); }

/* a * b / 2^31 rounded to nearest, halves upwards. a and b are not both -2^31. */
static inline int32_t midge_high_mul(int32_t a, int32_t b) {
    return (int32_t)(((int64_t)a * b + (INT64_C(1) << 30)) >> 31);
}

/* x / 2^exponent rounded to nearest, halves away from zero. exponent is 0..31. */
static inline int32_t midge_divide_by_pot(int32_t x, int exponent) {
    const int32_t mask = (int32_t)((UINT32_C(1) << exponent) - 1);
    const int32_t threshold = (mask >> 1) + (x < 0);
    return (x >> exponent) + ((x & mask) > threshold);
}

/* x * multiplier / 2^31 / 2^right with both roundings. multiplier is not negative, right is 0..31. */
MIDGE_SHARED int32_t midge_scale_down(int32_t x, int32_t multiplier, int right) {
    return midge_divide_by_pot(midge_high_mul(x, multiplier), right);
}

/* x * multiplier / 2^31 * 2^shift with both roundings. shift is -31..30, positive to the left, where x wraps. */
static inline int32_t midge_requantize(int32_t x, int32_t multiplier, int shift) {
    const int left = shift > 0 ? shift : 0;
    const int right = shift > 0 ? 0 : -shift;
    return midge_scale_down((int32_t)((uint32_t)x << left), multiplier, right);
}

/* x * reduced / 2^total with halves rounded up, for a multiplier reduced to 16 bits; |x| < 2^47, total is 8..46. */
MIDGE_SHARED int32_t midge_scale_wide(int64_t x, int32_t reduced, int total) {
    return (int32_t)(uint32_t)((x * reduced + (INT64_C(1) << (total - 1))) >> total);
}

/* x / divisor rounded to nearest, halves away from zero. divisor is positive, |x| + divisor / 2 fits. */
static inline int32_t midge_divide(int32_t x, int32_t divisor) {
    return (x < 0 ? x - divisor / 2 : x + divisor / 2) / divisor;
}

/* A function of an int16 value: the line between the two of its 513 anchors that the value is between. */
static inline int16_t midge_interpolate(const MIDGE_FLASH int16_t *anchors, int32_t x) {
    const MIDGE_FLASH int16_t *anchor = anchors + 256 + (x >> 7);
    const int32_t slope = (int32_t)anchor[1] - anchor[0];
    return (int16_t)(anchor[0] + ((slope * (x & 0x7F) + 64) >> 7));
}

/* The taps of a window that lie inside the input, along one axis: tap k is at start + k * dilation, and first_tap ..
 * end_tap - 1 are within 0 .. size - 1. end_tap may be below first_tap when none is. */
static inline int midge_first_tap(int start, int dilation) { return start < 0 ? (dilation - 1 - start) / dilation : 0; }
static inline int midge_end_tap(int start, int dilation, int taps, int size) {
    return start < size ? midge_min(taps, (size - start + dilation - 1) / dilation) : 0;
}

#endif
