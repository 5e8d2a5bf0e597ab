/* What kernels for cores with 16-bit SIMD share (Armv7E-M and later). Freestanding C11, no libc, no state.
 *
 * Such a kernel multiplies pairs of int16 activations with pairs of weights. One word of weights serves two output
 * channels A and B: its halves are 256 * b + a. The dot product with the word is 256 * B + A, with the sign-extended
 * low bytes of both halves A, so int8 weights cost no more than int16 ones. All sums wrap at 32 bits.
 *
 * A stream of words holds, for each group of four channels (two such pairs), what the loop reads in its order: four
 * starting values, two words of weights for each pair of activations, and the requantization of midge_dsp_scale.
 */
#ifndef MIDGE_DSP_H
#define MIDGE_DSP_H

#include "midge_nn.h"

/* Whether the inner loops are assembly: it keeps values in FPU registers, and an unoptimized build wants to be read. */
#if defined(__ARM_FEATURE_DSP) && defined(__ARM_FP) && defined(__thumb__) && defined(__OPTIMIZE__)
#define MIDGE_DSP_ASM 1
#else
#define MIDGE_DSP_ASM 0
#endif

/* An int16 of a buffer that is otherwise read by words. */
#if defined(__GNUC__)
typedef uint16_t __attribute__((may_alias)) midge_dsp_half;
typedef uint32_t __attribute__((may_alias)) midge_dsp_word;
#else
typedef uint16_t midge_dsp_half;
typedef uint32_t midge_dsp_word;
#endif

/* Before a loop: several turns at once, to have loads beside each other. Unoptimized, gcc would warn of it. */
#if defined(__clang__)
#define MIDGE_DSP_UNROLL _Pragma("clang loop unroll_count(4)")
#elif defined(__GNUC__) && defined(__OPTIMIZE__)
#define MIDGE_DSP_UNROLL _Pragma("GCC unroll 4")
#else
#define MIDGE_DSP_UNROLL
#endif

/* Four bytes from anywhere. */
static inline uint32_t midge_dsp_load(const int8_t *from) {
    uint32_t word;
#if defined(__GNUC__)
    __builtin_memcpy(&word, from, sizeof word);
#else
    word = 0;
    for (int i = 3; i >= 0; --i) {
        word = word << 8 | (uint8_t)from[i];
    }
#endif
    return word;
}

/* Two int16 in one word. */
static inline uint32_t midge_dsp_pair(int low, int high) {
    return (uint32_t)(uint16_t)low | (uint32_t)(uint16_t)high << 16;
}

/* Bytes 0 and 2, sign-extended, in the halves; with `_odd` bytes 1 and 3. */
static inline uint32_t midge_dsp_even(uint32_t bytes) {
#if MIDGE_DSP_ASM
    uint32_t halves;
    __asm__("sxtb16 %0, %1" : "=r"(halves) : "r"(bytes));
    return halves;
#else
    return midge_dsp_pair((int8_t)bytes, (int8_t)(bytes >> 16));
#endif
}
static inline uint32_t midge_dsp_odd(uint32_t bytes) {
#if MIDGE_DSP_ASM
    uint32_t halves;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(halves) : "r"(bytes));
    return halves;
#else
    return midge_dsp_pair((int8_t)(bytes >> 8), (int8_t)(bytes >> 24));
#endif
}

/* The last one to three of `count` bytes as one or two words, each `step` words behind the one before. */
static inline void midge_dsp_widen_rest(const int8_t *from, int count, int step, uint32_t *to) {
    if (count) {
        to[0] = midge_dsp_pair(from[0], count > 1 ? from[1] : 0);
    }
    if (count > 2) {
        to[step] = midge_dsp_pair(from[2], 0);
    }
}

/* `count` bytes as int16 pairs: of each four bytes first 0 and 2, then 1 and 3, at the end as they come. */
static inline void midge_dsp_widen(const int8_t *from, int count, uint32_t *to) {
    for (; count >= 4; count -= 4) {
        const uint32_t bytes = midge_dsp_load(from);
        from += 4;
        *to++ = midge_dsp_even(bytes);
        *to++ = midge_dsp_odd(bytes);
    }
    midge_dsp_widen_rest(from, count, 1, to);
}

/* `count` bytes, a multiple of four, to a place between other values: in the order of midge_dsp_widen. */
static inline void midge_dsp_widen_words(const int8_t *from, int count, midge_dsp_half *to) {
    midge_dsp_word *words = (midge_dsp_word *)(void *)to;
    MIDGE_DSP_UNROLL
    for (int i = 0; i < count / 2; i += 2) {
        const uint32_t bytes = midge_dsp_load(from + 2 * i);
        words[i] = midge_dsp_even(bytes);
        words[i + 1] = midge_dsp_odd(bytes);
    }
}

/* `count` words down to a lower address. */
static inline void midge_dsp_move(uint32_t *to, const uint32_t *from, int count) {
    for (; count >= 4; count -= 4) {
        const uint32_t a = from[0], b = from[1], c = from[2], d = from[3];
        from += 4;
        to[0] = a;
        to[1] = b;
        to[2] = c;
        to[3] = d;
        to += 4;
    }
    for (; count > 0; --count) {
        *to++ = *from++;
    }
}

/* midge_dsp_widen for two pixels, whose words alternate. */
static inline void midge_dsp_widen_two(const int8_t *first, const int8_t *second, int count, uint32_t *to) {
    for (; count >= 4; count -= 4) {
        const uint32_t a = midge_dsp_load(first), b = midge_dsp_load(second);
        first += 4;
        second += 4;
        *to++ = midge_dsp_even(a);
        *to++ = midge_dsp_even(b);
        *to++ = midge_dsp_odd(a);
        *to++ = midge_dsp_odd(b);
    }
    midge_dsp_widen_rest(first, count, 2, to);
    midge_dsp_widen_rest(second, count, 2, to + 1);
}

#if !MIDGE_DSP_ASM

/* How int32 sums become int8: by one multiplication (midge.kernels.one_multiply) with `shift` for channels A and 8 more
 * for B, or, where `shift` is negative, with both roundings of midge_nn.h and limited to low..high. */
typedef struct {
    int shift, low, high;
} midge_dsp_scale;

/* The sum of products of both halves, added to `sum`. */
static inline uint32_t midge_dsp_dot(uint32_t x, uint32_t w, uint32_t sum) {
    return sum + (uint32_t)((int16_t)x * (int16_t)w) + (uint32_t)((int16_t)(x >> 16) * (int16_t)(w >> 16));
}

/* Output `channel` of a group from 256 * sum (B) or sum (A), and the requantization's words. */
static inline int8_t midge_dsp_output(int32_t sum, int channel, const int32_t *words, const midge_dsp_scale *scale) {
    const int is_b = channel & 1;
    if (scale->shift >= 0) {
        const int32_t high = (int32_t)((int64_t)sum * words[2 * channel] >> 32);
        return (int8_t)midge_clamp((high + words[2 * channel + 1]) >> (scale->shift + 8 * is_b), -128, 127);
    }
    const int32_t *mine = words + 3 * channel;
    const int32_t high = midge_high_mul(is_b ? sum >> 8 : sum, mine[0]);
    return (int8_t)midge_clamp((high + mine[1] - (sum < 0)) >> mine[2], scale->low, scale->high);
}

/* All channels of the groups in stream..end for one pixel: activations at x, x + step, ... before x_end. */
static inline void midge_dsp_pixel(const uint32_t *x, const uint32_t *x_end, int step, const int32_t *stream,
                                   const int32_t *end, int8_t *out, const midge_dsp_scale *scale) {
    while (stream != end) {
        uint32_t sums[4];
        for (int i = 0; i < 4; ++i) {
            sums[i] = (uint32_t)*stream++;
        }
        for (const uint32_t *at = x; at < x_end; at += step) {
            for (int i = 0; i < 4; i += 2) {
                const uint32_t w = (uint32_t)*stream++;
                sums[i] = midge_dsp_dot(*at, midge_dsp_even(w), sums[i]);
                sums[i + 1] = midge_dsp_dot(*at, w, sums[i + 1]);
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
