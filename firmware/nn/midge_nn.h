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

/* a * b / 2^31 rounded to nearest, halves upwards. a and b are not both -2^31. On AVR column by column of the 64 bits:
 * a byte of a times a byte of b joins three bytes of the sum; then half, and what signs change. */
#if defined(__AVR__)
MIDGE_SHARED int32_t midge_high_mul(int32_t a, int32_t b) {
    int32_t high;
    uint8_t first, second, third, zero, half;
    __asm__("clr %[zero]\n clr %[x2]\n clr %[x3]\n clr %A[high]\n clr %B[high]\n movw %C[high], %A[high]\n"
            "mul %A[a], %A[b]\n mov %[x1], r1\n"
            "mul %A[a], %B[b]\n add %[x1], r0\n adc %[x2], r1\n adc %[x3], %[zero]\n"
            "mul %B[a], %A[b]\n add %[x1], r0\n adc %[x2], r1\n adc %[x3], %[zero]\n"
            "mul %A[a], %C[b]\n add %[x2], r0\n adc %[x3], r1\n adc %A[high], %[zero]\n"
            "mul %B[a], %B[b]\n add %[x2], r0\n adc %[x3], r1\n adc %A[high], %[zero]\n"
            "mul %C[a], %A[b]\n add %[x2], r0\n adc %[x3], r1\n adc %A[high], %[zero]\n"
            "mul %A[a], %D[b]\n add %[x3], r0\n adc %A[high], r1\n adc %B[high], %[zero]\n"
            "mul %B[a], %C[b]\n add %[x3], r0\n adc %A[high], r1\n adc %B[high], %[zero]\n"
            "mul %C[a], %B[b]\n add %[x3], r0\n adc %A[high], r1\n adc %B[high], %[zero]\n"
            "mul %D[a], %A[b]\n add %[x3], r0\n adc %A[high], r1\n adc %B[high], %[zero]\n"
            "ldi %[half], 0x40\n add %[x3], %[half]\n adc %A[high], %[zero]\n adc %B[high], %[zero]\n"
            "mul %B[a], %D[b]\n add %A[high], r0\n adc %B[high], r1\n adc %C[high], %[zero]\n"
            "mul %C[a], %C[b]\n add %A[high], r0\n adc %B[high], r1\n adc %C[high], %[zero]\n"
            "mul %D[a], %B[b]\n add %A[high], r0\n adc %B[high], r1\n adc %C[high], %[zero]\n"
            "mul %C[a], %D[b]\n add %B[high], r0\n adc %C[high], r1\n adc %D[high], %[zero]\n"
            "mul %D[a], %C[b]\n add %B[high], r0\n adc %C[high], r1\n adc %D[high], %[zero]\n"
            "mul %D[a], %D[b]\n add %C[high], r0\n adc %D[high], r1\n clr r1\n"
            "sbrs %D[a], 7\n rjmp 1f\n"
            "sub %A[high], %A[b]\n sbc %B[high], %B[b]\n sbc %C[high], %C[b]\n sbc %D[high], %D[b]\n"
            "1:\n sbrs %D[b], 7\n rjmp 2f\n"
            "sub %A[high], %A[a]\n sbc %B[high], %B[a]\n sbc %C[high], %C[a]\n sbc %D[high], %D[a]\n"
            "2:\n lsl %[x3]\n rol %A[high]\n rol %B[high]\n rol %C[high]\n rol %D[high]\n"
            : [high] "=&r"(high), [x1] "=&r"(first), [x2] "=&r"(second), [x3] "=&r"(third), [zero] "=&r"(zero),
              [half] "=&d"(half)
            : [a] "r"(a), [b] "r"(b)
            : "r0", "cc");
    return high;
}
#else
static inline int32_t midge_high_mul(int32_t a, int32_t b) {
    return (int32_t)(((int64_t)a * b + (INT64_C(1) << 30)) >> 31);
}
#endif

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
