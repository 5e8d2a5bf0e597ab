/* The instructions of midge_mac16.h in portable C: what midge_mac16_asm.h says, so that the same kernels run on any
 * core. Part of that header.
 *
 * Names are variables here: of loads pointers to the word that is loaded next, of `m0`..`m3` the words multiplied, and
 * `acc` the low 32 bits of the accumulator, which are all that kernels read.
 */
#ifndef MIDGE_MAC16_C_H
#define MIDGE_MAC16_C_H

#include <stdint.h>

/* The product of two halves of words; those that wrap are left to the sum. */
static inline uint32_t midge_mac16_product(uint32_t a, int a_high, uint32_t b, int b_high) {
    return (uint32_t)((int32_t)(int16_t)(a >> 16 * a_high) * (int16_t)(b >> 16 * b_high));
}

/* clang-format off */

#define MIDGE_MAC16_HALVES_ll(a, b) midge_mac16_product(a, 0, b, 0)
#define MIDGE_MAC16_HALVES_hl(a, b) midge_mac16_product(a, 1, b, 0)
#define MIDGE_MAC16_HALVES_lh(a, b) midge_mac16_product(a, 0, b, 1)
#define MIDGE_MAC16_HALVES_hh(a, b) midge_mac16_product(a, 1, b, 1)

#define MIDGE_MAC16_MULTIPLY(halves, x, y) acc += MIDGE_MAC16_HALVES_##halves(m##x, m##y);
#define MIDGE_MAC16_MULTIPLY_LOAD(halves, x, y, to, from) \
    acc += MIDGE_MAC16_HALVES_##halves(m##x, m##y); \
    m##to = *from++;
#define MIDGE_MAC16_MULTIPLY_A(halves, x, a) acc += MIDGE_MAC16_HALVES_##halves(m##x, a);
#define MIDGE_MAC16_MULTIPLY_A_LOAD(halves, x, a, to, from) \
    acc += MIDGE_MAC16_HALVES_##halves(m##x, a); \
    m##to = *from++;
#define MIDGE_MAC16_LOAD(to, from) m##to = *from++;
#define MIDGE_MAC16_START(a) acc = a;
#define MIDGE_MAC16_SET(to, a) m##to = a;
#define MIDGE_MAC16_SUM(a) a = acc;
#define MIDGE_MAC16_MIN(to, a, b) to = (uint32_t)midge_min((int32_t)(a), (int32_t)(b));
#define MIDGE_MAC16_MAX(to, a, b) to = (uint32_t)midge_max((int32_t)(a), (int32_t)(b));
#define MIDGE_MAC16_LOOP(times) for (uint32_t left = times; left > 0; --left) {
#define MIDGE_MAC16_LOOP_END }
#define MIDGE_MAC16_WORD(to, from, at) to = (from)[(at) / 4];
#define MIDGE_MAC16_WORD_BEYOND(to, from, at) to = (from)[(at) / 4 - 1];
#define MIDGE_MAC16_BLOCK do {
#define MIDGE_MAC16_AGAIN(times) } while (--times);
#define MIDGE_MAC16_IF_BELOW(a, b) if ((a) < (b)) {
#define MIDGE_MAC16_END_IF }
#define MIDGE_MAC16_ZERO(to) to = 0;
#define MIDGE_MAC16_MOVE(to, from) to = from;
#define MIDGE_MAC16_ADD(to, a, b) to = (a) + (b);
#define MIDGE_MAC16_TAKE(to, a, b) to = (a) - (b);
#define MIDGE_MAC16_PRODUCT(to, a, b) to = (a) * (b);
#define MIDGE_MAC16_SHIFT_BY(a) \
    const uint32_t shift = a; \
    (void)shift;
#define MIDGE_MAC16_SHIFT(to, a) to = (a) >> shift;
#define MIDGE_MAC16_TOP_BYTE(to, a) to = (a) >> 24;
#define MIDGE_MAC16_BYTE_TO(to, a) *to = (int8_t)(a);
#define MIDGE_MAC16_WORD_TO(to, a) *(midge_mac16_word *)(void *)to = a;
#define MIDGE_MAC16_ADVANCE_BYTES(p, bytes) p += (bytes);
#define MIDGE_MAC16_ADVANCE(p, bytes) p += (bytes) / 4;
#define MIDGE_MAC16_STEP(p, a) p += (int32_t)(a) / 4;
#define MIDGE_MAC16_STEP_BYTES(p, a) p += (int32_t)(a);

/* clang-format on */

#endif
