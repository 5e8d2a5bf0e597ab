/* What kernels for cores without SIMD do that convolve by Winograd's F(4x4, 3x3) (midge_winograd.h). Freestanding C11,
 * no libc, no state.
 *
 * Requantization is that of midge_steep.h, with a rule of its own below zero.
 */
#ifndef MIDGE_SCALAR_WINOGRAD_H
#define MIDGE_SCALAR_WINOGRAD_H

#include "midge_steep.h"
#include "midge_winograd.h"

/* What the channels of a layer have in common: 2^fraction times the inverse of 9 modulo 2^32 and times the inverse of
 * 64, and how sums with such a fraction become int8. */
typedef struct {
    uint32_t ninth;
    int32_t shift, addend;
} midge_scalar_winograd;

#if defined(__ARM_ARCH_6M__) && defined(__OPTIMIZE__) && !defined(__OPTIMIZE_SIZE__)

/* clang-format off */
/* One filter, whose pair of weights is v: products of channel 0, then of channel 1, 16 cycles for 4. */
#define MIDGE_WINOGRAD_FILTER(i) \
    "sxth %[u], %[v]\n asrs %[v], %[v], #16\n" \
    "sxth %[p], %[a]\n muls %[p], %[u]\n add %[a" #i "], %[p]\n" \
    "sxth %[p], %[b]\n muls %[p], %[u]\n add %[b" #i "], %[p]\n" \
    "asrs %[p], %[a], #16\n muls %[p], %[v]\n add %[a" #i "], %[p]\n" \
    "asrs %[p], %[b], #16\n muls %[p], %[v]\n add %[b" #i "], %[p]\n"

/* A pair of channels, with the weights of two filters so many bytes on; then the next 288 bytes. */
#define MIDGE_WINOGRAD_PAIR(first, second) \
    "ldr %[a], [%[d]]\n ldr %[b], [%[d], #4]\n adds %[d], #255\n adds %[d], #33\n" \
    "ldr %[v], [%[w], #" first "]\n" MIDGE_WINOGRAD_FILTER(0) \
    "ldr %[v], [%[w], #" second "]\n" MIDGE_WINOGRAD_FILTER(1)
/* clang-format on */

/* The sums of two tiles and four channels at all positions: there are registers for two channels at a time. */
MIDGE_WINOGRAD_SHARED void midge_scalar_winograd_products(const uint32_t *x, const int32_t *words, int pairs,
                                                          uint32_t *sums) {
    for (uint32_t *const end = sums + 288; sums < end; sums += 8) {
        for (int half = 0; half < 4; half += 2) {
            const uint32_t *d = x;
            const int32_t *w = words + half, *const last = w + 4 * pairs;
            uint32_t a0 = 0, a1 = 0, b0 = 0, b1 = 0, a, b, u, v, p;
            __asm__ volatile(".syntax unified\n 1:\n" //
                             MIDGE_WINOGRAD_PAIR("0", "4")
                                 MIDGE_WINOGRAD_PAIR("16", "20") "adds %[w], #32\n cmp %[w], %[last]\n bne 1b\n"
                             : [a0] "+h"(a0), [a1] "+h"(a1), [b0] "+h"(b0), [b1] "+h"(b1), [d] "+l"(d), [w] "+l"(w),
                               [a] "=&l"(a), [b] "=&l"(b), [u] "=&l"(u), [v] "=&l"(v), [p] "=&l"(p)
                             : [last] "h"(last)
                             : "cc", "memory");
            sums[half] = a0;
            sums[half + 1] = a1;
            sums[half + 4] = b0;
            sums[half + 5] = b1;
        }
        words += 4 * pairs;
        x += 2;
    }
}

#else

/* Two tiles (a, b) times four filters at one position, and where `d` and `w` are read on. */
typedef struct {
    uint32_t a0, a1, a2, a3, b0, b1, b2, b3;
    const midge_winograd_half *d, *w;
} midge_winograd_block;

/* clang-format off */
#if defined(__riscv) && __riscv_xlen == 32 && defined(__riscv_mul) && !defined(__riscv_32e) && defined(__OPTIMIZE__)

/* One filter, whose weight is in w`i`: its sums are %0 and %4 and what follows. */
#define MIDGE_WINOGRAD_FILTER(i, w) \
    "mul %[p], %[a], %[" #w "]\n mul %[q], %[b], %[" #w "]\n" \
    "add %" #i ", %" #i ", %[p]\n add %[b" #i "], %[b" #i "], %[q]\n"
/* One input channel, whose words and weights lie so many bytes on. */
#define MIDGE_WINOGRAD_CHANNEL(d, w) \
    "lh %[a], " #d "(%[d])\n lh %[b], " #d "+4(%[d])\n lh %[v], " #w "(%[w])\n lh %[u], " #w "+4(%[w])\n" \
    MIDGE_WINOGRAD_FILTER(0, v) "lh %[v], " #w "+8(%[w])\n" \
    MIDGE_WINOGRAD_FILTER(1, u) "lh %[u], " #w "+12(%[w])\n" \
    MIDGE_WINOGRAD_FILTER(2, v) MIDGE_WINOGRAD_FILTER(3, u)
#define MIDGE_WINOGRAD_TEMPORARY [a] "=&r"(a), [b] "=&r"(b), [u] "=&r"(u), [v] "=&r"(v), [p] "=&r"(p), [q] "=&r"(q)
#define MIDGE_WINOGRAD_VARIABLES uint32_t a, b, u, v, p, q;
#define MIDGE_WINOGRAD_ASM 1

#elif defined(__ARM_ARCH_7M__) && defined(__OPTIMIZE__)

#define MIDGE_WINOGRAD_FILTER(i) "mla %" #i ", %[a], %[u], %" #i "\n mla %[b" #i "], %[b], %[u], %[b" #i "]\n"
#define MIDGE_WINOGRAD_CHANNEL(d, w) \
    "ldrsh %[a], [%[d], #" #d "]\n ldrsh %[b], [%[d], #" #d "+4]\n ldrsh %[u], [%[w], #" #w "]\n" \
    MIDGE_WINOGRAD_FILTER(0) "ldrsh %[u], [%[w], #" #w "+4]\n" \
    MIDGE_WINOGRAD_FILTER(1) "ldrsh %[u], [%[w], #" #w "+8]\n" \
    MIDGE_WINOGRAD_FILTER(2) "ldrsh %[u], [%[w], #" #w "+12]\n" MIDGE_WINOGRAD_FILTER(3)
#define MIDGE_WINOGRAD_TEMPORARY [a] "=&r"(a), [b] "=&r"(b), [u] "=&r"(u)
#define MIDGE_WINOGRAD_VARIABLES uint32_t a, b, u;
#define MIDGE_WINOGRAD_ASM 1

#endif
/* clang-format on */

/* Two pairs of channels. */
static inline void midge_winograd_turn(midge_winograd_block *s) {
#if defined(MIDGE_WINOGRAD_ASM)
    MIDGE_WINOGRAD_VARIABLES
    __asm__ volatile(MIDGE_WINOGRAD_CHANNEL(0, 0) MIDGE_WINOGRAD_CHANNEL(2, 2) MIDGE_WINOGRAD_CHANNEL(288, 16)
                         MIDGE_WINOGRAD_CHANNEL(290, 18)
                     : "+r"(s->a0), "+r"(s->a1), "+r"(s->a2),
                       "+r"(s->a3), [b0] "+r"(s->b0), [b1] "+r"(s->b1), [b2] "+r"(s->b2), [b3] "+r"(s->b3),
                       MIDGE_WINOGRAD_TEMPORARY
                     : [d] "r"(s->d), [w] "r"(s->w)
                     : "memory");
#else
    for (int i = 0; i < 4; ++i) {
        const midge_winograd_half *d = s->d + i / 2 * 144 + i % 2, *w = s->w + i / 2 * 8 + i % 2;
        const uint32_t a = (uint32_t)d[0], b = (uint32_t)d[2];
        s->a0 += a * (uint32_t)w[0];
        s->a1 += a * (uint32_t)w[2];
        s->a2 += a * (uint32_t)w[4];
        s->a3 += a * (uint32_t)w[6];
        s->b0 += b * (uint32_t)w[0];
        s->b1 += b * (uint32_t)w[2];
        s->b2 += b * (uint32_t)w[4];
        s->b3 += b * (uint32_t)w[6];
    }
#endif
    s->d += 288;
    s->w += 16;
}

/* The sums of two tiles and four channels at all positions, of an even number of pairs of channels. */
MIDGE_WINOGRAD_SHARED void midge_scalar_winograd_products(const uint32_t *x, const int32_t *words, int pairs,
                                                          uint32_t *sums) {
    const midge_winograd_half *w = (const midge_winograd_half *)(const void *)words;
    for (uint32_t *const end = sums + 288; sums < end; sums += 8) {
        midge_winograd_block s = {0, 0, 0, 0, 0, 0, 0, 0, (const midge_winograd_half *)(const void *)x, w};
        w += 8 * pairs;
        do {
            midge_winograd_turn(&s);
        } while (s.w < w);
        sums[0] = s.a0;
        sums[1] = s.a1;
        sums[2] = s.a2;
        sums[3] = s.a3;
        sums[4] = s.b0;
        sums[5] = s.b1;
        sums[6] = s.b2;
        sums[7] = s.b3;
        x += 2;
    }
}

#endif

/* 4x4 outputs of four channels from a tile's sums, which are lost; of each channel the scales are start, multiplier and
 * jump, which is 0 and whose rule is not asked for where not `is_signed`. */
static inline void midge_winograd_scaled(uint32_t *sums, const int32_t *scales, const midge_scalar_winograd *layer,
                                         int is_signed, int8_t *block) {
    const int32_t shift = layer->shift, addend = is_signed ? layer->addend : 0;
    for (int8_t *const end = block + 4; block < end; ++block) {
        const int32_t start = scales[0], multiplier = scales[1], jump = is_signed ? scales[2] : 0;
        midge_winograd_columns(sums);
        int8_t *to = block;
        for (int y = 0; y < 4; ++y) {
            const uint32_t ninth = layer->ninth << (y < 3 ? y : 2);
            uint32_t z[4];
            midge_winograd_sums(sums + 48 * y, 8, z);
            for (int x = 0; x < 4; ++x) {
                const int32_t sum = (int32_t)(z[x] * (ninth << (x < 3 ? x : 2)));
                to[4 * x] = midge_steep_scaled(sum, start, multiplier, jump, 0, addend, shift);
            }
            to += 16;
        }
        ++sums;
        scales += is_signed ? 3 : 2;
    }
}
MIDGE_WINOGRAD_SHARED void midge_scalar_winograd_outputs(uint32_t *sums, const int32_t *scales,
                                                         const midge_scalar_winograd *layer, int8_t *block) {
    midge_winograd_scaled(sums, scales, layer, 0, block);
}
MIDGE_WINOGRAD_SHARED void midge_scalar_winograd_signed(uint32_t *sums, const int32_t *scales,
                                                        const midge_scalar_winograd *layer, int8_t *block) {
    midge_winograd_scaled(sums, scales, layer, 1, block);
}

#endif
