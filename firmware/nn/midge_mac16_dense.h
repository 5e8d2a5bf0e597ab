/* Dot products of one run of activations with the weights of each channel, for Xtensa's MAC16. Part of midge_mac16.h.
 *
 * Weights and activations are pairs of int16, 16 pairs of products a turn. m0 and m1 hold weights, m2 and m3
 * activations; every fourth pair of activations comes in an address register instead, because with four registers alone
 * a load could not be three instructions ahead of its product. Those pairs lie MIDGE_MAC16_APART bytes behind the
 * others, of which a turn has six. The last turn of a channel loads the first words of the next one.
 */
#ifndef MIDGE_MAC16_DENSE_H
#define MIDGE_MAC16_DENSE_H

#include <stdint.h>

/* How far every fourth pair is from the others: the room of 42 turns. */
#define MIDGE_MAC16_APART 1008

/* clang-format off */

/* The first eight products of a turn, without loads in the last two pairs. */
#define MIDGE_MAC16_FIRST_HALF \
    MIDGE_MAC16_MULTIPLY(ll, 0, 2) \
    MIDGE_MAC16_MULTIPLY_LOAD(hh, 0, 2, 0, w) \
    MIDGE_MAC16_MULTIPLY_LOAD(ll, 1, 3, 2, x) \
    MIDGE_MAC16_MULTIPLY_LOAD(hh, 1, 3, 1, w) \
    MIDGE_MAC16_WORD_BEYOND(a, x, MIDGE_MAC16_APART - 8)
/* 16 products in 18 instructions. Behind the turn m0..m3 hold the first two pairs of the next one. */
#define MIDGE_MAC16_TURN(before_next) \
    MIDGE_MAC16_FIRST_HALF \
    MIDGE_MAC16_MULTIPLY_LOAD(ll, 0, 2, 3, x) \
    MIDGE_MAC16_MULTIPLY_LOAD(hh, 0, 2, 0, w) \
    MIDGE_MAC16_MULTIPLY_A_LOAD(ll, 1, a, 2, x) \
    MIDGE_MAC16_MULTIPLY_A_LOAD(hh, 1, a, 1, w) \
    MIDGE_MAC16_MULTIPLY(ll, 0, 3) \
    MIDGE_MAC16_MULTIPLY_LOAD(hh, 0, 3, 0, w) \
    MIDGE_MAC16_MULTIPLY_LOAD(ll, 1, 2, 3, x) \
    MIDGE_MAC16_MULTIPLY_LOAD(hh, 1, 2, 1, w) \
    MIDGE_MAC16_WORD_BEYOND(a, x, MIDGE_MAC16_APART - 16) \
    before_next \
    MIDGE_MAC16_MULTIPLY_LOAD(ll, 0, 3, 2, x) \
    MIDGE_MAC16_MULTIPLY_LOAD(hh, 0, 3, 0, w) \
    MIDGE_MAC16_MULTIPLY_A_LOAD(ll, 1, a, 3, x) \
    MIDGE_MAC16_MULTIPLY_A_LOAD(hh, 1, a, 1, w)
/* The last turn of a channel, of 16 or 8 products. */
#define MIDGE_MAC16_LAST_16 MIDGE_MAC16_TURN(MIDGE_MAC16_MOVE(x, first))
#define MIDGE_MAC16_LAST_8 \
    MIDGE_MAC16_FIRST_HALF \
    MIDGE_MAC16_MOVE(x, first) \
    MIDGE_MAC16_MULTIPLY(ll, 0, 2) \
    MIDGE_MAC16_MULTIPLY_LOAD(hh, 0, 2, 0, w) \
    MIDGE_MAC16_MULTIPLY_A_LOAD(ll, 1, a, 2, x) \
    MIDGE_MAC16_MULTIPLY_A_LOAD(hh, 1, a, 1, w) \
    MIDGE_MAC16_LOAD(3, x)

/* A sum as int8 by two products (midge.kernels.two_products); `unsigned` channels have no rule below zero. */
#define MIDGE_MAC16_BELOW_unsigned
#define MIDGE_MAC16_BELOW_signed \
    MIDGE_MAC16_WORD(t, k, 20) \
    MIDGE_MAC16_WORD(a, k, 24) \
    MIDGE_MAC16_IF_BELOW(sum, t) MIDGE_MAC16_TAKE(u, u, a) MIDGE_MAC16_END_IF
#define MIDGE_MAC16_RECORD_unsigned 20
#define MIDGE_MAC16_RECORD_signed 28
#define MIDGE_MAC16_OUTPUT(rule) \
    MIDGE_MAC16_WORD(t, k, 4) \
    MIDGE_MAC16_WORD(u, k, 8) \
    MIDGE_MAC16_SUM(sum) \
    MIDGE_MAC16_MAX(sum, sum, zero) \
    MIDGE_MAC16_MIN(sum, sum, t) \
    MIDGE_MAC16_WORD(t, k, 12) \
    MIDGE_MAC16_PRODUCT(u, u, sum) \
    MIDGE_MAC16_WORD(a, k, 16) \
    MIDGE_MAC16_PRODUCT(t, t, sum) \
    MIDGE_MAC16_ADD(u, u, a) \
    MIDGE_MAC16_SHIFT(t, t) \
    MIDGE_MAC16_ADD(u, u, t) \
    MIDGE_MAC16_BELOW_##rule \
    MIDGE_MAC16_TOP_BYTE(u, u) \
    MIDGE_MAC16_BYTE_TO(out, u) \
    MIDGE_MAC16_ADVANCE(k, MIDGE_MAC16_RECORD_##rule) \
    MIDGE_MAC16_ADVANCE_BYTES(out, 1)

/* What becomes of a sum: an output, or the word that it started from. */
#define MIDGE_MAC16_FINISH_unsigned MIDGE_MAC16_OUTPUT(unsigned)
#define MIDGE_MAC16_FINISH_signed MIDGE_MAC16_OUTPUT(signed)
#define MIDGE_MAC16_FINISH_partial \
    MIDGE_MAC16_SUM(sum) \
    MIDGE_MAC16_ADVANCE(k, 4) \
    MIDGE_MAC16_WORD_TO(out, sum) \
    MIDGE_MAC16_ADVANCE_BYTES(out, 4)

#define MIDGE_MAC16_CHANNELS(last, rule) \
    MIDGE_MAC16_SHIFT_BY(t) \
    MIDGE_MAC16_ZERO(zero) \
    MIDGE_MAC16_MOVE(first, x) \
    MIDGE_MAC16_LOAD(0, w) MIDGE_MAC16_LOAD(2, x) MIDGE_MAC16_LOAD(1, w) MIDGE_MAC16_LOAD(3, x) \
    MIDGE_MAC16_BLOCK \
    MIDGE_MAC16_WORD(t, k, 0) \
    MIDGE_MAC16_START(t) \
    MIDGE_MAC16_LOOP(turns) MIDGE_MAC16_TURN() MIDGE_MAC16_LOOP_END \
    MIDGE_MAC16_LAST_##last \
    MIDGE_MAC16_FINISH_##rule \
    MIDGE_MAC16_AGAIN(count)

#if MIDGE_MAC16_ASM

#define MIDGE_MAC16_DENSE_BODY(last, rule) \
    register const uint32_t *a2 __asm__("a2") = x; \
    register const uint32_t *a3 __asm__("a3") = w; \
    register const uint32_t *a4 __asm__("a4") = k; \
    register int8_t *a5 __asm__("a5") = out; \
    register uint32_t a6 __asm__("a6") = count; \
    register uint32_t a8 __asm__("a8") = turns; \
    register uint32_t a9 __asm__("a9") = split; \
    __asm__ volatile( \
        "addi a2, a2, -4\n addi a3, a3, -4\n" \
        MIDGE_MAC16_CHANNELS(last, rule) \
        : "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a5), "+r"(a6), "+r"(a8), "+r"(a9) \
        : : "a10", "a11", "a12", "a13", "a14", "memory");

#else

#define MIDGE_MAC16_DENSE_BODY(last, rule) \
    const uint32_t *first; \
    uint32_t m0, m1, m2, m3, acc, sum, u = 0, a, zero, t = split; \
    MIDGE_MAC16_CHANNELS(last, rule) \
    (void)u, (void)zero;

#endif

/* `count` channels, at least one: `turns` turns of 16 products, then the last one. `x` are the activations; behind the
 * weights of all channels lie two words more that are read. For each channel `k` has a bias, and last, high, low,
 * addend and, where there is a rule below zero, zero and below of midge.kernels.two_products. */
#define MIDGE_MAC16_DENSE(name, last, rule) \
    static inline void name(const uint32_t *x, const uint32_t *w, const uint32_t *k, uint32_t turns, uint32_t split, \
                            uint32_t count, int8_t *out) { \
        MIDGE_MAC16_DENSE_BODY(last, rule) \
    }
MIDGE_MAC16_DENSE(midge_mac16_dense_8, 8, unsigned)
MIDGE_MAC16_DENSE(midge_mac16_dense_16, 16, unsigned)
MIDGE_MAC16_DENSE(midge_mac16_dense_signed_8, 8, signed)
MIDGE_MAC16_DENSE(midge_mac16_dense_signed_16, 16, signed)
/* Sums of a part of the activations: words at `k`, to which the same words at `out` are the sums. */
MIDGE_MAC16_DENSE(midge_mac16_dense_partial_8, 8, partial)
MIDGE_MAC16_DENSE(midge_mac16_dense_partial_16, 16, partial)

/* clang-format on */

#endif
