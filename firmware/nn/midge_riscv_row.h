/* The inner loop of midge_riscv_row for RV32IM: one row of activations, eight channels at a time. Part of
 * midge_riscv.h.
 *
 * In the loop: a0 weights, a1 activations and s0 the end of those that share a word of flags, s10 their last end, s11
 * the flags, s1 is 32768. Total and upper of channels 0 and 1 are s2 and s3, then s4 and s5 ... s8 and s9; the sums of
 * products that have not joined them yet are in t3-t6, 32768 ahead. s0 is saved by hand, since it may be the frame
 * pointer.
 */
#ifndef MIDGE_RISCV_ROW_H
#define MIDGE_RISCV_ROW_H

#include <stdint.h>

#include "midge_riscv_put.h"

/* What the assembly reads, in its order. `end` is the end of the weights. */
typedef struct {
    const int8_t *x;
    const int32_t *scales, *end;
    int32_t depth, fraction, shift, is_signed, addend;
    int8_t *out;
} midge_riscv_row_frame;

/* clang-format off */

/* A position: an activation meets the weights of eight channels, 13 instructions. */
#define MIDGE_RISCV_POSITION(x_at, w_at) \
    "lb t0, " #x_at "(a1)\n" \
    "lw a4, " #w_at "(a0)\n lw a5, " #w_at "+4(a0)\n lw a6, " #w_at "+8(a0)\n lw a7, " #w_at "+12(a0)\n" \
    "mul a4, a4, t0\n mul a5, a5, t0\n mul a6, a6, t0\n mul a7, a7, t0\n" \
    "add t3, t3, a4\n add t4, t4, a5\n add t5, t5, a6\n add t6, t6, a7\n"

/* The sums of products join total and upper. */
#define MIDGE_RISCV_DRAIN \
    "add s2, s2, t3\n add s4, s4, t4\n add s6, s6, t5\n add s8, s8, t6\n" \
    "srai t3, t3, 16\n srai t4, t4, 16\n srai t5, t5, 16\n srai t6, t6, 16\n" \
    "add s3, s3, t3\n add s5, s5, t4\n add s7, s7, t5\n add s9, s9, t6\n" \
    "mv t3, s1\n mv t4, s1\n mv t5, s1\n mv t6, s1\n"
#define MIDGE_RISCV_TWO_POSITIONS(x_at, w_at) \
    MIDGE_RISCV_POSITION(x_at, w_at) MIDGE_RISCV_POSITION(x_at + 1, w_at + 16) \
    "bgez s11, 4f\n" MIDGE_RISCV_DRAIN "4:\n slli s11, s11, 1\n"

#define MIDGE_RISCV_TWO_CHANNELS(rule, at, total, upper) \
    MIDGE_RISCV_APART(total, upper) \
    MIDGE_RISCV_SCALE_##rule MIDGE_RISCV_PUT_##rule(total, #at "(ra)") \
    MIDGE_RISCV_SCALE_##rule MIDGE_RISCV_PUT_##rule(upper, #at "+1(ra)")
#define MIDGE_RISCV_EIGHT_CHANNELS(rule) \
    MIDGE_RISCV_TWO_CHANNELS(rule, 0, "s2", "s3") MIDGE_RISCV_TWO_CHANNELS(rule, 2, "s4", "s5") \
    MIDGE_RISCV_TWO_CHANNELS(rule, 4, "s6", "s7") MIDGE_RISCV_TWO_CHANNELS(rule, 6, "s8", "s9")

static inline void midge_riscv_eights(const uint32_t *weights, midge_riscv_row_frame *frame) {
    register const uint32_t *a0 __asm__("a0") = weights;
    register midge_riscv_row_frame *a1 __asm__("a1") = frame;
    __asm__ volatile(
        "addi sp, sp, -16\n sw s0, 0(sp)\n sw a1, 4(sp)\n lw ra, 32(a1)\n li s1, 32768\n"
        "1:\n"
        "lw t0, 4(sp)\n lw a1, 0(t0)\n lw s10, 12(t0)\n add s10, s10, a1\n"
        "li s2, 0\n li s3, 0\n li s4, 0\n li s5, 0\n li s6, 0\n li s7, 0\n li s8, 0\n li s9, 0\n"
        "mv t3, s1\n mv t4, s1\n mv t5, s1\n mv t6, s1\n"
        /* At most 64 positions share a word of flags. */
        "2:\n"
        "lw s11, 0(a0)\n addi a0, a0, 4\n addi s0, a1, 64\n bgeu s10, s0, 3f\n mv s0, s10\n"
        "3:\n"
        MIDGE_RISCV_TWO_POSITIONS(0, 0) MIDGE_RISCV_TWO_POSITIONS(2, 32)
        MIDGE_RISCV_TWO_POSITIONS(4, 64) MIDGE_RISCV_TWO_POSITIONS(6, 96)
        "addi a1, a1, 8\n addi a0, a0, 128\n bne a1, s0, 3b\n bne a1, s10, 2b\n"
        "lw t0, 4(sp)\n lw t1, 4(t0)\n lw a2, 16(t0)\n lw t3, 20(t0)\n lw t2, 24(t0)\n li a7, 255\n bnez t2, 4f\n"
        MIDGE_RISCV_EIGHT_CHANNELS(STEEP) "j 5f\n"
        "4:\n lw t2, 28(t0)\n" MIDGE_RISCV_EIGHT_CHANNELS(SPLIT)
        "5:\n"
        "sw t1, 4(t0)\n lw t1, 8(t0)\n addi ra, ra, 8\n bne a0, t1, 1b\n"
        "lw s0, 0(sp)\n addi sp, sp, 16\n"
        : "+r"(a0), "+r"(a1)
        :
        : "ra", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a2", "a3", "a4", "a5", "a6", "a7", "s1", "s2", "s3", "s4",
          "s5", "s6", "s7", "s8", "s9", "s10", "s11", "memory");
}

/* clang-format on */

#endif
