/* How the assembly of midge_riscv.h for RV32IM turns sums into outputs: macros for its other headers. */
#ifndef MIDGE_RISCV_PUT_H
#define MIDGE_RISCV_PUT_H

/* clang-format off */

/* What is outside of int8, with 128 added, becomes the nearest that is inside; a7 is 255. */
#if defined(__riscv_zbb)
#define MIDGE_RISCV_LIMIT(v) "max " v ", " v ", zero\n min " v ", " v ", a7\n addi " v ", " v ", -128\n"
#else
#define MIDGE_RISCV_LIMIT(v) \
    "bgeu a7, " v ", 8f\n srai " v ", " v ", 31\n not " v ", " v "\n" \
    "8:\n addi " v ", " v ", -128\n"
#endif

/* The sum v becomes an output: a2 fraction, t4 bias, t5 multiplier, t3 shift; with a rule below zero t6 jump
   and t2 addend. */
#define MIDGE_RISCV_PUT_STEEP(v, to) \
    "sll " v ", " v ", a2\n add " v ", " v ", t4\n mulh " v ", " v ", t5\n sra " v ", " v ", t3\n" \
    MIDGE_RISCV_LIMIT(v) "sb " v ", " to "\n"
#define MIDGE_RISCV_PUT_SPLIT(v, to) \
    "sll " v ", " v ", a2\n add " v ", " v ", t4\n srai a3, " v ", 31\n and a3, a3, t6\n sub " v ", " v ", a3\n" \
    "mulh " v ", " v ", t5\n add " v ", " v ", t2\n sra " v ", " v ", t3\n" \
    MIDGE_RISCV_LIMIT(v) "sb " v ", " to "\n"

/* The next channel's words. */
#define MIDGE_RISCV_SCALE_STEEP "lw t4, 0(t1)\n lw t5, 4(t1)\n addi t1, t1, 8\n"
#define MIDGE_RISCV_SCALE_SPLIT "lw t4, 0(t1)\n lw t5, 4(t1)\n lw t6, 8(t1)\n addi t1, t1, 12\n"

/* Total and upper become the two sums. */
#define MIDGE_RISCV_APART(total, upper) "slli a3, " upper ", 16\n sub " total ", " total ", a3\n"

/* clang-format on */

#endif
