/* The inner loops of midge_riscv.h for RV32IM: 31 registers, products of 32 bits, no multiply-accumulate. Part of that
 * header.
 *
 * Registers are given by hand, for compilers spill or reorder. In the loop: a0 weights and s0 their end, a1
 * activations, t3-t6 those of pixels 0 and 1 at four positions, a4-a7 those of pixels 2 and 3, s1 is 32768, s11 the
 * flags. Total and upper are s2 and s3 for channel 0 and pixels 0 and 1, s4 and s5 for pixels 2 and 3, s6-s9 the same
 * for channel 1. ra is where outputs go. s0 is saved by hand, since it may be the frame pointer.
 */
#ifndef MIDGE_RISCV_QUADS_H
#define MIDGE_RISCV_QUADS_H

#include <stdint.h>

#include "midge_riscv_put.h"

/* What the assembly reads, in its order. `row` is bytes of weights for a pair of channels without flags, `end` the end
 * of the weights; `hop` bytes from one pixel's outputs to the next, `last_hop` from the last but one to the last. */
typedef struct {
    const uint32_t *x;
    const int32_t *scales, *end;
    int32_t row, hop, last_hop, fraction, shift, is_signed, addend;
    int8_t *out;
} midge_riscv_frame;

/* clang-format off */

/* The pair of sums p joins total and upper. */
#define MIDGE_RISCV_JOIN(total, upper, p) \
    "add " total ", " total ", " p "\n add " p ", " p ", s1\n" \
    "srai " p ", " p ", 16\n add " upper ", " upper ", " p "\n"
#define MIDGE_RISCV_JOIN_TWO(total, upper, p, total2, upper2, p2) \
    "add " total ", " total ", " p "\n add " total2 ", " total2 ", " p2 "\n" \
    "add " p ", " p ", s1\n add " p2 ", " p2 ", s1\n" \
    "srai " p ", " p ", 16\n srai " p2 ", " p2 ", 16\n" \
    "add " upper ", " upper ", " p "\n add " upper2 ", " upper2 ", " p2 "\n"

/* Activations of four positions, from `at` bytes on. */
#define MIDGE_RISCV_LOAD_2(at) \
    "lw t3, " #at "(a1)\n lw a4, " #at "+4(a1)\n lw t4, " #at "+8(a1)\n lw a5, " #at "+12(a1)\n" \
    "lw t5, " #at "+16(a1)\n lw a6, " #at "+20(a1)\n lw t6, " #at "+24(a1)\n lw a7, " #at "+28(a1)\n"
#define MIDGE_RISCV_LOAD_1(at) \
    "lw t3, " #at "(a1)\n lw t4, " #at "+4(a1)\n lw t5, " #at "+8(a1)\n lw t6, " #at "+12(a1)\n"

/* Two weights of a channel meet two positions: products for one word of pixels in `p`, for the other in `q`. */
#define MIDGE_RISCV_PAIR_2(p, q, x0, y0, x1, y1) \
    "mul " p ", " x0 ", t0\n mul " q ", " y0 ", t0\n" \
    "mul a2, " x1 ", s10\n mul a3, " y1 ", s10\n" \
    "add " p ", " p ", a2\n add " q ", " q ", a3\n"
#define MIDGE_RISCV_PAIR_1(p, x0, x1) \
    "mul " p ", " x0 ", t0\n mul a2, " x1 ", s10\n add " p ", " p ", a2\n"
#define MIDGE_RISCV_WEIGHTS(at) "lb t0, " #at "(a0)\n lb s10, " #at "+1(a0)\n"

/* Four positions of a channel as one group, 26 instructions for 16 products, and as two groups. */
#define MIDGE_RISCV_FOUR_2(at, t, u, t2, u2) \
    MIDGE_RISCV_WEIGHTS(at) MIDGE_RISCV_PAIR_2("t1", "t2", "t3", "a4", "t4", "a5") \
    MIDGE_RISCV_WEIGHTS(at + 2) \
    "mul a2, t5, t0\n mul a3, a6, t0\n add t1, t1, a2\n add t2, t2, a3\n" \
    "mul a2, t6, s10\n mul a3, a7, s10\n add t1, t1, a2\n add t2, t2, a3\n" \
    MIDGE_RISCV_JOIN_TWO(t, u, "t1", t2, u2, "t2")
#define MIDGE_RISCV_TWICE_TWO_2(at, t, u, t2, u2) \
    MIDGE_RISCV_WEIGHTS(at) MIDGE_RISCV_PAIR_2("t1", "t2", "t3", "a4", "t4", "a5") \
    MIDGE_RISCV_JOIN_TWO(t, u, "t1", t2, u2, "t2") \
    MIDGE_RISCV_WEIGHTS(at + 2) MIDGE_RISCV_PAIR_2("t1", "t2", "t5", "a6", "t6", "a7") \
    MIDGE_RISCV_JOIN_TWO(t, u, "t1", t2, u2, "t2")
#define MIDGE_RISCV_FOUR_1(at, t, u, t2, u2) \
    MIDGE_RISCV_WEIGHTS(at) MIDGE_RISCV_PAIR_1("t1", "t3", "t4") \
    MIDGE_RISCV_WEIGHTS(at + 2) \
    "mul a2, t5, t0\n mul a3, t6, s10\n add t1, t1, a2\n add t1, t1, a3\n" \
    MIDGE_RISCV_JOIN(t, u, "t1")
#define MIDGE_RISCV_TWICE_TWO_1(at, t, u, t2, u2) \
    MIDGE_RISCV_WEIGHTS(at) MIDGE_RISCV_PAIR_1("t1", "t3", "t4") MIDGE_RISCV_JOIN(t, u, "t1") \
    MIDGE_RISCV_WEIGHTS(at + 2) MIDGE_RISCV_PAIR_1("t1", "t5", "t6") MIDGE_RISCV_JOIN(t, u, "t1")

/* Four positions of both channels. */
#define MIDGE_RISCV_QUAD(words, group, x_at, w_at) \
    MIDGE_RISCV_LOAD_##words(x_at) \
    MIDGE_RISCV_##group##_##words(w_at, "s2", "s3", "s4", "s5") \
    MIDGE_RISCV_##group##_##words(w_at + 4, "s6", "s7", "s8", "s9")

/* Both channels of two pixels that are in one word; outputs at `to` and `next`. */
#define MIDGE_RISCV_OUTPUTS_2(rule, at, t, u, t2, u2) \
    MIDGE_RISCV_SCALE_##rule MIDGE_RISCV_APART(t, u) MIDGE_RISCV_APART(t2, u2) \
    MIDGE_RISCV_PUT_##rule(t, #at "(ra)") MIDGE_RISCV_PUT_##rule(u, #at "(a4)") \
    MIDGE_RISCV_PUT_##rule(t2, #at "(a5)") MIDGE_RISCV_PUT_##rule(u2, #at "(a6)")
#define MIDGE_RISCV_OUTPUTS_1(rule, at, t, u, t2, u2) \
    MIDGE_RISCV_SCALE_##rule MIDGE_RISCV_APART(t, u) \
    MIDGE_RISCV_PUT_##rule(t, #at "(ra)") MIDGE_RISCV_PUT_##rule(u, #at "(a4)")
#define MIDGE_RISCV_CHANNELS(words, rule) \
    MIDGE_RISCV_OUTPUTS_##words(rule, 0, "s2", "s3", "s4", "s5") \
    MIDGE_RISCV_OUTPUTS_##words(rule, 1, "s6", "s7", "s8", "s9")
#define MIDGE_RISCV_PLACES_2 "add a4, ra, a2\n add a5, a4, a2\n lw a6, 20(t0)\n add a6, a6, a5\n"
#define MIDGE_RISCV_PLACES_1 "lw a4, 20(t0)\n add a4, a4, ra\n"
#define MIDGE_RISCV_CLEAR_2 "li s4, 0\n li s5, 0\n li s8, 0\n li s9, 0\n"
#define MIDGE_RISCV_CLEAR_1 ""

/* Channel pairs of `words` words of pixels; `half` bytes of activations are four positions. */
#define MIDGE_RISCV_QUADS(name, words, half, both) \
static inline void name(const int32_t *weights, midge_riscv_frame *frame) { \
    register const int32_t *a0 __asm__("a0") = weights; \
    register midge_riscv_frame *a1 __asm__("a1") = frame; \
    __asm__ volatile( \
        "addi sp, sp, -16\n sw s0, 0(sp)\n sw a1, 4(sp)\n lw ra, 40(a1)\n li s1, 32768\n" \
        "1:\n" \
        "lw t1, 4(sp)\n lw t0, 12(t1)\n lw a1, 0(t1)\n" \
        "li s2, 0\n li s3, 0\n li s6, 0\n li s7, 0\n" MIDGE_RISCV_CLEAR_##words \
        /* At most 32 quads share a word of flags; an odd number is begun in the middle of a turn. */ \
        "2:\n" \
        "lw s11, 0(a0)\n addi a0, a0, 4\n mv t1, t0\n li t2, 256\n bgeu t2, t0, 3f\n mv t1, t2\n" \
        "3:\n" \
        "sub t0, t0, t1\n sw t0, 8(sp)\n add s0, a0, t1\n andi t1, t1, 8\n beqz t1, 4f\n" \
        "addi a0, a0, -8\n addi a1, a1, -" #half "\n j 5f\n" \
        "4:\n" \
        "bltz s11, 7f\n" MIDGE_RISCV_QUAD(words, FOUR, 0, 0) \
        "6:\n slli s11, s11, 1\n" \
        "5:\n" \
        "bltz s11, 9f\n" MIDGE_RISCV_QUAD(words, FOUR, half, 8) \
        "8:\n slli s11, s11, 1\n addi a0, a0, 16\n addi a1, a1, " #both "\n bne a0, s0, 4b\n" \
        "lw t0, 8(sp)\n bnez t0, 2b\n j 3f\n" \
        "7:\n" MIDGE_RISCV_QUAD(words, TWICE_TWO, 0, 0) "j 6b\n" \
        "9:\n" MIDGE_RISCV_QUAD(words, TWICE_TWO, half, 8) "j 8b\n" \
        "3:\n" \
        "lw t0, 4(sp)\n lw t1, 4(t0)\n lw a2, 16(t0)\n lw t3, 28(t0)\n li a7, 255\n lw t2, 32(t0)\n" \
        MIDGE_RISCV_PLACES_##words \
        "lw a2, 24(t0)\n bnez t2, 4f\n" MIDGE_RISCV_CHANNELS(words, STEEP) "j 5f\n" \
        "4:\n lw t2, 36(t0)\n" MIDGE_RISCV_CHANNELS(words, SPLIT) \
        "5:\n" \
        "sw t1, 4(t0)\n lw t1, 8(t0)\n addi ra, ra, 2\n bne a0, t1, 1b\n" \
        "lw s0, 0(sp)\n addi sp, sp, 16\n" \
        : "+r"(a0), "+r"(a1) \
        : \
        : "ra", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a2", "a3", "a4", "a5", "a6", "a7", "s1", "s2", "s3", "s4", \
          "s5", "s6", "s7", "s8", "s9", "s10", "s11", "memory"); \
}

/* Two words of pixels, and one. */
MIDGE_RISCV_QUADS(midge_riscv_quads_2, 2, 32, 64)
MIDGE_RISCV_QUADS(midge_riscv_quads_1, 1, 16, 32)

/* clang-format on */

#endif
