/* Depthwise convolutions of 3x3 windows, a channel at a time, for Xtensa's MAC16. Part of midge_mac16.h.
 *
 * The channel lies in a plane of words, each with two neighboring rows of a column: so three words of a row of the
 * plane and three of the next one hold the window of an output in an even row, and that of the odd row below it. m0
 * holds words of the upper row, m1 of the lower one. The weights stay in registers: m2, m3 and wa hold the first row's
 * (low halves) and the second's (high halves), wb the first two of the third row, wc the last.
 */
#ifndef MIDGE_MAC16_PLANES_H
#define MIDGE_MAC16_PLANES_H

#include <stdint.h>

/* What a channel needs, in words: bias, then last, high, low, addend, zero and below of midge.kernels.two_products (the
 * last two are not read where there is no rule below zero), then weights; from MIDGE_MAC16_COLUMNS on what all channels
 * have in common: outputs in a row, and bytes from behind a row to the next one of the plane and of the outputs. */
#define MIDGE_MAC16_WEIGHTS 7
#define MIDGE_MAC16_COLUMNS 12
#define MIDGE_MAC16_PLANE_WORDS 15

/* clang-format off */

/* The nine products of an output; each window begins `back` bytes before the end of the one before. In even rows of the
 * plane, and in odd ones. */
#define MIDGE_MAC16_WINDOW_even(back) \
    MIDGE_MAC16_MULTIPLY(ll, 0, 2) \
    MIDGE_MAC16_MULTIPLY_LOAD(hh, 0, 2, 0, p) \
    MIDGE_MAC16_MULTIPLY_A_LOAD(ll, 1, wb, 1, q) \
    MIDGE_MAC16_WORD(u, k, 8) \
    MIDGE_MAC16_MULTIPLY(ll, 0, 3) \
    MIDGE_MAC16_MULTIPLY_LOAD(hh, 0, 3, 0, p) \
    MIDGE_MAC16_MULTIPLY_A_LOAD(lh, 1, wb, 1, q) \
    MIDGE_MAC16_ADVANCE(p, -back) \
    MIDGE_MAC16_MULTIPLY_A(ll, 0, wa) \
    MIDGE_MAC16_ADVANCE(q, -back) \
    MIDGE_MAC16_MULTIPLY_A_LOAD(hh, 0, wa, 0, p) \
    MIDGE_MAC16_MULTIPLY_A_LOAD(ll, 1, wc, 1, q)
#define MIDGE_MAC16_WINDOW_odd(back) \
    MIDGE_MAC16_MULTIPLY_LOAD(hl, 0, 2, 0, p) \
    MIDGE_MAC16_MULTIPLY(lh, 1, 2) \
    MIDGE_MAC16_MULTIPLY_A_LOAD(hl, 1, wb, 1, q) \
    MIDGE_MAC16_MULTIPLY_LOAD(hl, 0, 3, 0, p) \
    MIDGE_MAC16_ADVANCE(p, -back) \
    MIDGE_MAC16_MULTIPLY(lh, 1, 3) \
    MIDGE_MAC16_MULTIPLY_A_LOAD(hh, 1, wb, 1, q) \
    MIDGE_MAC16_MULTIPLY_A_LOAD(hl, 0, wa, 0, p) \
    MIDGE_MAC16_ADVANCE(q, -back) \
    MIDGE_MAC16_MULTIPLY_A(lh, 1, wa) \
    MIDGE_MAC16_WORD(u, k, 8) \
    MIDGE_MAC16_MULTIPLY_A_LOAD(hl, 1, wc, 1, q)

#define MIDGE_MAC16_PLANE_BELOW_unsigned
#define MIDGE_MAC16_PLANE_BELOW_signed \
    MIDGE_MAC16_WORD(t, k, 20) \
    MIDGE_MAC16_IF_BELOW(sum, t) MIDGE_MAC16_WORD(t, k, 24) MIDGE_MAC16_TAKE(u, u, t) MIDGE_MAC16_END_IF

/* One row of outputs; `u` comes with the upper factor. */
#define MIDGE_MAC16_ROW(parity, rule, back) \
    MIDGE_MAC16_LOAD(0, p) \
    MIDGE_MAC16_LOAD(1, q) \
    MIDGE_MAC16_WORD(t, k, 4 * MIDGE_MAC16_COLUMNS) \
    MIDGE_MAC16_LOOP(t) \
    MIDGE_MAC16_WORD(t, k, 0) \
    MIDGE_MAC16_START(t) \
    MIDGE_MAC16_WINDOW_##parity(back) \
    MIDGE_MAC16_WORD(t, k, 4) \
    MIDGE_MAC16_SUM(sum) \
    MIDGE_MAC16_MAX(sum, sum, zero) \
    MIDGE_MAC16_MIN(sum, sum, t) \
    MIDGE_MAC16_WORD(t, k, 12) \
    MIDGE_MAC16_PRODUCT(u, u, sum) \
    MIDGE_MAC16_PRODUCT(t, t, sum) \
    MIDGE_MAC16_SHIFT(t, t) \
    MIDGE_MAC16_ADD(u, u, t) \
    MIDGE_MAC16_WORD(t, k, 16) \
    MIDGE_MAC16_ADD(u, u, t) \
    MIDGE_MAC16_PLANE_BELOW_##rule \
    MIDGE_MAC16_TOP_BYTE(u, u) \
    MIDGE_MAC16_BYTE_TO(out, u) \
    MIDGE_MAC16_STEP_BYTES(out, step) \
    MIDGE_MAC16_LOOP_END

#define MIDGE_MAC16_ROWS(parity, rule, back) \
    MIDGE_MAC16_SHIFT_BY(t) \
    MIDGE_MAC16_ZERO(zero) \
    MIDGE_MAC16_WORD(t, k, 4 * MIDGE_MAC16_WEIGHTS) MIDGE_MAC16_SET(2, t) \
    MIDGE_MAC16_WORD(t, k, 4 * MIDGE_MAC16_WEIGHTS + 4) MIDGE_MAC16_SET(3, t) \
    MIDGE_MAC16_WORD(wa, k, 4 * MIDGE_MAC16_WEIGHTS + 8) \
    MIDGE_MAC16_WORD(wb, k, 4 * MIDGE_MAC16_WEIGHTS + 12) \
    MIDGE_MAC16_WORD(wc, k, 4 * MIDGE_MAC16_WEIGHTS + 16) \
    MIDGE_MAC16_BLOCK \
    MIDGE_MAC16_ROW(parity, rule, back) \
    MIDGE_MAC16_WORD(t, k, 4 * MIDGE_MAC16_COLUMNS + 4) \
    MIDGE_MAC16_STEP(p, t) \
    MIDGE_MAC16_STEP(q, t) \
    MIDGE_MAC16_WORD(t, k, 4 * MIDGE_MAC16_COLUMNS + 8) \
    MIDGE_MAC16_STEP_BYTES(out, t) \
    MIDGE_MAC16_AGAIN(rows)

#if MIDGE_MAC16_ASM

#define MIDGE_MAC16_PLANE_BODY(parity, rule, back) \
    register const uint32_t *a2 __asm__("a2") = p; \
    register const uint32_t *a3 __asm__("a3") = q; \
    register const uint32_t *a4 __asm__("a4") = k; \
    register int8_t *a5 __asm__("a5") = out; \
    register uint32_t a6 __asm__("a6") = step; \
    register uint32_t a9 __asm__("a9") = split; \
    register uint32_t a15 __asm__("a15") = rows; \
    __asm__ volatile( \
        "addi a2, a2, -4\n addi a3, a3, -4\n" \
        MIDGE_MAC16_ROWS(parity, rule, back) \
        : "+r"(a2), "+r"(a3), "+r"(a4), "+r"(a5), "+r"(a6), "+r"(a9), "+r"(a15) \
        : : "a8", "a10", "a11", "a12", "a13", "a14", "memory");

#else

#define MIDGE_MAC16_PLANE_BODY(parity, rule, back) \
    uint32_t m0, m1, m2, m3, acc, sum, u, wa, wb, wc, zero, t = split; \
    MIDGE_MAC16_ROWS(parity, rule, back)

#endif

/* `rows` rows of outputs, at least one, from the rows of the plane at `p` and `q`; outputs of a row are `step` bytes
 * apart. */
#define MIDGE_MAC16_PLANE(name, parity, rule, back) \
    static inline void name(const uint32_t *p, const uint32_t *q, const uint32_t *k, int8_t *out, uint32_t step, \
                            uint32_t split, uint32_t rows) { \
        MIDGE_MAC16_PLANE_BODY(parity, rule, back) \
    }
MIDGE_MAC16_PLANE(midge_mac16_plane_even, even, unsigned, 8)
MIDGE_MAC16_PLANE(midge_mac16_plane_even_signed, even, signed, 8)
MIDGE_MAC16_PLANE(midge_mac16_plane_even_by_two, even, unsigned, 4)
MIDGE_MAC16_PLANE(midge_mac16_plane_even_by_two_signed, even, signed, 4)
MIDGE_MAC16_PLANE(midge_mac16_plane_odd, odd, unsigned, 8)
MIDGE_MAC16_PLANE(midge_mac16_plane_odd_signed, odd, signed, 8)
MIDGE_MAC16_PLANE(midge_mac16_plane_odd_by_two, odd, unsigned, 4)
MIDGE_MAC16_PLANE(midge_mac16_plane_odd_by_two_signed, odd, signed, 4)

/* clang-format on */

#endif
