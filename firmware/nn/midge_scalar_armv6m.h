/* midge_scalar_channels for Armv6-M: eight low registers, products of 32 bits, loads of two cycles. Part of
 * midge_scalar.h.
 *
 * Registers are given by hand, for the compiler would spill. In the loop: r0 weights and lr their end, r1 activations,
 * total and upper of channel 0 in r8 and r6, of channel 1 in r9 and r7. r7 is saved by hand, since it may be the frame
 * pointer. In between r6 is the upper sum of the channel in turn, r10 and r11 are where outputs go.
 */
#ifndef MIDGE_SCALAR_ARMV6M_H
#define MIDGE_SCALAR_ARMV6M_H

#include "midge_scalar_thumb.h"

/* clang-format off */

/* A pair of products in r3 joins total and upper: the carry of the shift rounds. */
#define MIDGE_SCALAR_JOIN(total, upper) \
    "add " total ", r3\n" \
    "asrs r3, r3, #16\n adcs " upper ", r3\n"

/* Two activations in r4 and r5 meet the four weights in r2: 24 cycles for 8 products. */
#define MIDGE_SCALAR_TWO \
    "ldmia r1!, {r4, r5}\n ldmia r0!, {r2}\n" \
    "sxtb r3, r2\n muls r3, r4\n mov r12, r3\n asrs r2, r2, #8\n" \
    "sxtb r3, r2\n muls r3, r5\n add r3, r12\n asrs r2, r2, #8\n" \
    MIDGE_SCALAR_JOIN("r8", "r6") \
    "sxtb r3, r2\n muls r3, r4\n asrs r2, r2, #8\n" \
    "muls r2, r5\n adds r3, r3, r2\n" \
    MIDGE_SCALAR_JOIN("r9", "r7")

/* The sum in r0 becomes an output: r1 split, r2 last, r3 high, r4 low, r7 addend. */
#define MIDGE_SCALAR_LIMIT \
    "cmp r0, r2\n bls 3f\n" \
    "asrs r0, r0, #31\n mvns r0, r0\n ands r0, r2\n" \
    "3:\n"
#define MIDGE_SCALAR_SCALE \
    "movs r5, r0\n muls r5, r4\n lsrs r5, r1\n" \
    "muls r0, r3\n adds r0, r0, r5\n adds r0, r0, r7\n"
#define MIDGE_SCALAR_WRITE(pointer, offset) \
    "lsrs r0, r0, #24\n mov r5, " pointer "\n strb r0, [r5, #" offset "]\n"
#define MIDGE_SCALAR_PUT(pointer, offset) \
    MIDGE_SCALAR_LIMIT MIDGE_SCALAR_SCALE MIDGE_SCALAR_WRITE(pointer, offset)

/* The same with a rule below zero: `scales` on the stack points to zero and below, r12 is what is taken away. */
#define MIDGE_SCALAR_PUT_SIGNED(pointer, offset) \
    MIDGE_SCALAR_LIMIT \
    "ldr r5, [sp, #4]\n ldr r1, [r5]\n cmp r0, r1\n sbcs r1, r1\n" \
    "ldr r5, [r5, #4]\n ands r1, r5\n mov r12, r1\n ldr r1, [sp, #8]\n" \
    MIDGE_SCALAR_SCALE \
    "mov r5, r12\n subs r0, r0, r5\n" \
    MIDGE_SCALAR_WRITE(pointer, offset)

/* `scales` on the stack goes behind zero and below. */
#define MIDGE_SCALAR_BEHIND_SIGNED "ldr r1, [sp, #4]\n adds r1, r1, #8\n str r1, [sp, #4]\n"

/* A channel with its upper sum in r6: both pixels, the second one first. */
#define MIDGE_SCALAR_CHANNEL(put, after, total, offset) \
    "ldr r1, [sp, #4]\n ldmia r1!, {r2, r3, r4, r7}\n str r1, [sp, #4]\n ldr r1, [sp, #8]\n" \
    "mov r0, r6\n" \
    put("r11", offset) \
    "mov r0, " total "\n lsls r6, r6, #16\n subs r0, r0, r6\n" \
    put("r10", offset) \
    after

#define MIDGE_SCALAR_PAIRS(name, put, after) \
MIDGE_SCALAR_FUNCTION(name, int32_t, midge_scalar_frame, \
        ".syntax unified\n" \
        "ldr r2, [r1, #20]\n mov r10, r2\n ldr r2, [r1, #24]\n mov r11, r2\n" \
        "ldmia r1!, {r2-r6}\n push {r7}\n push {r2-r7}\n" \
        "1:\n" \
        "ldr r3, [sp, #12]\n adds r3, r3, r0\n mov lr, r3\n" \
        "ldr r1, [sp]\n ldr r3, [sp, #4]\n ldmia r3!, {r6, r7}\n str r3, [sp, #4]\n" \
        "lsls r2, r6, #16\n adds r2, r2, r6\n mov r8, r2\n" \
        "lsls r2, r7, #16\n adds r2, r2, r7\n mov r9, r2\n" \
        "2:\n" \
        MIDGE_SCALAR_TWO MIDGE_SCALAR_TWO MIDGE_SCALAR_TWO MIDGE_SCALAR_TWO \
        "cmp r0, lr\n bne 2b\n" \
        "str r0, [sp, #20]\n mov lr, r7\n" \
        MIDGE_SCALAR_CHANNEL(put, after, "r8", "0") \
        "mov r6, lr\n" \
        MIDGE_SCALAR_CHANNEL(put, after, "r9", "1") \
        "movs r0, #2\n add r10, r0\n add r11, r0\n" \
        "ldr r0, [sp, #20]\n ldr r1, [sp, #16]\n cmp r0, r1\n beq 4f\n b 1b\n" \
        "4:\n" \
        "add sp, #24\n pop {r7}\n")

/* Pairs of channels without a rule below zero, and with one. */
MIDGE_SCALAR_PAIRS(midge_scalar_pairs, MIDGE_SCALAR_PUT, "")
MIDGE_SCALAR_PAIRS(midge_scalar_signed_pairs, MIDGE_SCALAR_PUT_SIGNED, MIDGE_SCALAR_BEHIND_SIGNED)

/* Four channels of midge_scalar_row: r0 activations and lr their end, r1 weights, total and upper of channels 0 and 1
 * in r8 and r9, of 2 and 3 in r10 and r11, r12 is 32768. Two activations in r2 and r7 meet the eight weights in r3-r6:
 * 22 cycles for 8 products. */
#define MIDGE_SCALAR_ADD(total, upper, p) \
    "add " total ", " p "\n add " p ", r12\n asrs " p ", " p ", #16\n add " upper ", " p "\n"
#define MIDGE_SCALAR_ROW_TWO \
    "ldmia r0!, {r2, r7}\n ldmia r1!, {r3-r6}\n" \
    "muls r3, r2\n muls r4, r2\n muls r5, r7\n muls r6, r7\n" \
    "adds r3, r3, r5\n adds r4, r4, r6\n" \
    MIDGE_SCALAR_ADD("r8", "r9", "r3") \
    MIDGE_SCALAR_ADD("r10", "r11", "r4")

/* A channel whose sum `load` leaves in r0; lr points to the outputs. */
#define MIDGE_SCALAR_ROW_CHANNEL(put, after, load, offset) \
    "ldr r1, [sp, #4]\n ldmia r1!, {r2, r3, r4, r7}\n str r1, [sp, #4]\n ldr r1, [sp, #8]\n" \
    load \
    put("lr", offset) \
    after
#define MIDGE_SCALAR_ROW_PAIR(put, after, total, upper, offset, next) \
    MIDGE_SCALAR_ROW_CHANNEL(put, after, \
                             "mov r0, " total "\n mov r5, " upper "\n lsls r5, r5, #16\n subs r0, r0, r5\n", offset) \
    MIDGE_SCALAR_ROW_CHANNEL(put, after, "mov r0, " upper "\n", next)

#define MIDGE_SCALAR_GROUPS(name, put, after) \
MIDGE_SCALAR_FUNCTION(name, uint32_t, midge_scalar_row_frame, \
        ".syntax unified\n" \
        "push {r0, r7}\n ldmia r1!, {r2-r7}\n push {r2-r7}\n" \
        "1:\n" \
        "ldr r3, [sp, #4]\n ldmia r3!, {r4-r7}\n str r3, [sp, #4]\n" \
        "mov r8, r4\n mov r9, r5\n mov r10, r6\n mov r11, r7\n" \
        "movs r2, #128\n lsls r2, r2, #8\n mov r12, r2\n" \
        "ldr r1, [sp, #24]\n ldr r0, [sp, #12]\n mov lr, r0\n ldr r0, [sp]\n" \
        "2:\n" \
        MIDGE_SCALAR_ROW_TWO MIDGE_SCALAR_ROW_TWO MIDGE_SCALAR_ROW_TWO MIDGE_SCALAR_ROW_TWO \
        "cmp r0, lr\n bne 2b\n" \
        "str r1, [sp, #24]\n ldr r0, [sp, #20]\n mov lr, r0\n" \
        MIDGE_SCALAR_ROW_PAIR(put, after, "r8", "r9", "0", "1") \
        MIDGE_SCALAR_ROW_PAIR(put, after, "r10", "r11", "2", "3") \
        "mov r0, lr\n adds r0, #4\n str r0, [sp, #20]\n" \
        "ldr r0, [sp, #24]\n ldr r1, [sp, #16]\n cmp r0, r1\n beq 4f\n b 1b\n" \
        "4:\n" \
        "add sp, #28\n pop {r7}\n")

MIDGE_SCALAR_GROUPS(midge_scalar_groups, MIDGE_SCALAR_PUT, "")
MIDGE_SCALAR_GROUPS(midge_scalar_signed_groups, MIDGE_SCALAR_PUT_SIGNED, MIDGE_SCALAR_BEHIND_SIGNED)

/* clang-format on */

#endif
