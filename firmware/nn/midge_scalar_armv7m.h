/* midge_scalar_channels for Armv7-M without DSP: products of 32 bits in a cycle, loads in runs. Part of midge_scalar.h.
 *
 * Registers are given by hand, for the compiler would spill. In the loop: r0 weights, r1 activations, total and upper
 * of channel 0 in r10 and r11, of channel 1 in r12 and lr. r7 is saved by hand, since it may be the frame pointer.
 */
#ifndef MIDGE_SCALAR_ARMV7M_H
#define MIDGE_SCALAR_ARMV7M_H

#include "midge_scalar_thumb.h"

/* clang-format off */

/* Four weights of a channel in r6-r9 meet four activations in r2-r5, two pairs of products join total and upper. */
#define MIDGE_SCALAR_JOIN(total, upper, p) \
    "add " total ", " total ", " p "\n" \
    "add " p ", " p ", #32768\n add " upper ", " upper ", " p ", asr #16\n"
#define MIDGE_SCALAR_FOUR(total, upper) \
    "mul r6, r6, r2\n mla r6, r7, r3, r6\n" MIDGE_SCALAR_JOIN(total, upper, "r6") \
    "mul r8, r8, r4\n mla r8, r9, r5, r8\n" MIDGE_SCALAR_JOIN(total, upper, "r8")

/* Loads come in runs, for the first of a run costs a cycle more: 38 cycles for 16 products. */
#define MIDGE_SCALAR_TURN(words, bytes) \
    "ldrsb r6, [r0, #" #bytes "]\n ldr r2, [r1, #" #words "]\n" \
    "ldrsb r7, [r0, #" #bytes "+1]\n ldr r3, [r1, #" #words "+4]\n" \
    "ldrsb r8, [r0, #" #bytes "+4]\n ldr r4, [r1, #" #words "+8]\n" \
    "ldrsb r9, [r0, #" #bytes "+5]\n ldr r5, [r1, #" #words "+12]\n" \
    MIDGE_SCALAR_FOUR("r10", "r11") \
    "ldrsb r6, [r0, #" #bytes "+2]\n ldrsb r7, [r0, #" #bytes "+3]\n" \
    "ldrsb r8, [r0, #" #bytes "+6]\n ldrsb r9, [r0, #" #bytes "+7]\n" \
    MIDGE_SCALAR_FOUR("r12", "lr")

/* The sum u becomes an output: r2 last, r3 high, r4 low, r5 addend, r9 split. */
#define MIDGE_SCALAR_LIMIT(u) \
    "cmp " u ", r2\n it gt\n movgt " u ", r2\n bic " u ", " u ", " u ", asr #31\n"
#define MIDGE_SCALAR_SCALE(u) \
    "mul r6, " u ", r4\n mla " u ", " u ", r3, r5\n lsr r6, r6, r9\n add " u ", " u ", r6\n"
#define MIDGE_SCALAR_WRITE(u, pointer) \
    "lsr " u ", " u ", #24\n strb " u ", [" pointer "], #1\n"
#define MIDGE_SCALAR_PUT(u, pointer) \
    MIDGE_SCALAR_LIMIT(u) MIDGE_SCALAR_SCALE(u) MIDGE_SCALAR_WRITE(u, pointer)

/* The same with a rule below zero: r1 points to zero and below. */
#define MIDGE_SCALAR_PUT_SIGNED(u, pointer) \
    MIDGE_SCALAR_LIMIT(u) \
    "ldr r6, [r1]\n cmp " u ", r6\n" \
    MIDGE_SCALAR_SCALE(u) \
    "itt cc\n ldrcc r6, [r1, #4]\n subcc " u ", " u ", r6\n" \
    MIDGE_SCALAR_WRITE(u, pointer)

/* A channel: both pixels, the second one first. */
#define MIDGE_SCALAR_CHANNEL(put, after, total, upper) \
    "ldmia r1!, {r2-r5}\n sub " total ", " total ", " upper ", lsl #16\n" \
    put(upper, "r8") \
    put(total, "r7") \
    after

#define MIDGE_SCALAR_PAIRS(name, put, after) \
MIDGE_SCALAR_FUNCTION(name, int32_t, midge_scalar_frame, \
        "ldm r1, {r2-r6, r8, r9}\n push {r2-r10}\n" \
        "1:\n" \
        "ldrd r1, r6, [sp]\n ldr r2, [sp, #12]\n ldrd r11, lr, [r6], #8\n" \
        "str r6, [sp, #4]\n add r2, r2, r0\n str r2, [sp, #32]\n" \
        "add r10, r11, r11, lsl #16\n add r12, lr, lr, lsl #16\n" \
        ".p2align 2\n" \
        "2:\n" \
        MIDGE_SCALAR_TURN(0, 0) MIDGE_SCALAR_TURN(16, 8) \
        "ldr r2, [sp, #32]\n add r0, r0, #16\n add r1, r1, #32\n cmp r0, r2\n bne 2b\n" \
        "ldr r1, [sp, #4]\n ldr r9, [sp, #8]\n ldrd r7, r8, [sp, #24]\n" \
        MIDGE_SCALAR_CHANNEL(put, after, "r10", "r11") \
        MIDGE_SCALAR_CHANNEL(put, after, "r12", "lr") \
        "strd r7, r8, [sp, #24]\n str r1, [sp, #4]\n" \
        "ldr r2, [sp, #16]\n cmp r0, r2\n bne 1b\n" \
        "ldr r7, [sp, #20]\n add sp, sp, #36\n")

/* Pairs of channels without a rule below zero, and with one. */
MIDGE_SCALAR_PAIRS(midge_scalar_pairs, MIDGE_SCALAR_PUT, "")
MIDGE_SCALAR_PAIRS(midge_scalar_signed_pairs, MIDGE_SCALAR_PUT_SIGNED, "add r1, r1, #8\n")

/* Four channels of midge_scalar_row: r0 activations and r9 their end, r1 weights, total and upper of channels 0 and 1
 * in r10 and r11, of 2 and 3 in r12 and lr: 19 cycles for 8 products. */
#define MIDGE_SCALAR_ROW_TWO(words, weights) \
    "ldr r2, [r0, #" #words "]\n ldr r3, [r0, #" #words "+4]\n" \
    "ldr r4, [r1, #" #weights "]\n ldr r5, [r1, #" #weights "+4]\n" \
    "ldr r6, [r1, #" #weights "+8]\n ldr r8, [r1, #" #weights "+12]\n" \
    "mul r4, r4, r2\n mla r4, r6, r3, r4\n" MIDGE_SCALAR_JOIN("r10", "r11", "r4") \
    "mul r5, r5, r2\n mla r5, r8, r3, r5\n" MIDGE_SCALAR_JOIN("r12", "lr", "r5")
#define MIDGE_SCALAR_ROW_PAIR(put, after, total, upper) \
    "ldmia r1!, {r2-r5}\n sub " total ", " total ", " upper ", lsl #16\n" put(total, "r8") after \
    "ldmia r1!, {r2-r5}\n" put(upper, "r8") after

#define MIDGE_SCALAR_GROUPS(name, put, after) \
MIDGE_SCALAR_FUNCTION(name, uint32_t, midge_scalar_row_frame, \
        "ldm r1, {r2-r6, r8}\n push {r0, r2-r6, r8}\n" \
        "1:\n" \
        "ldr r6, [sp, #8]\n ldm r6!, {r10, r11, r12, lr}\n str r6, [sp, #8]\n" \
        "ldrd r1, r0, [sp]\n ldr r9, [sp, #16]\n" \
        ".p2align 2\n" \
        "2:\n" \
        MIDGE_SCALAR_ROW_TWO(0, 0) MIDGE_SCALAR_ROW_TWO(8, 16) \
        MIDGE_SCALAR_ROW_TWO(16, 32) MIDGE_SCALAR_ROW_TWO(24, 48) \
        "add r0, r0, #32\n add r1, r1, #64\n cmp r0, r9\n bne 2b\n" \
        "str r1, [sp]\n ldrd r1, r9, [sp, #8]\n ldr r8, [sp, #24]\n" \
        MIDGE_SCALAR_ROW_PAIR(put, after, "r10", "r11") \
        MIDGE_SCALAR_ROW_PAIR(put, after, "r12", "lr") \
        "str r1, [sp, #8]\n str r8, [sp, #24]\n" \
        "ldr r1, [sp]\n ldr r2, [sp, #20]\n cmp r1, r2\n bne 1b\n" \
        "add sp, sp, #28\n")

MIDGE_SCALAR_GROUPS(midge_scalar_groups, MIDGE_SCALAR_PUT, "")
MIDGE_SCALAR_GROUPS(midge_scalar_signed_groups, MIDGE_SCALAR_PUT_SIGNED, "add r1, r1, #8\n")

/* clang-format on */

#endif
