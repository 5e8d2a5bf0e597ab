/* What kernels for cores without SIMD share (Armv6-M, Armv7-M). Freestanding C11, no libc, no state.
 *
 * One 32-bit multiplication does two products: a word holds an activation of two pixels, 65536 * b + a, and is
 * multiplied by a weight. The sum p of two such products, P for pixel a and Q for pixel b, is 65536 * Q + P. While both
 * are within int16, (p + 32768) >> 16 is Q. So with every pair of products, in 32 bits that may wrap,
 *
 *     total += p,   upper += (p + 32768) >> 16
 *
 * and at the end upper is the sum of pixel b, total - 65536 * upper that of pixel a. It is the caller's to see that
 * |w| + |w'| <= 255 for the two weights of each pair.
 */
#ifndef MIDGE_SCALAR_H
#define MIDGE_SCALAR_H

#include "midge_nn.h"

/* Whether the inner loops are assembly: an unoptimized build wants to be read. */
#if defined(__thumb__) && defined(__OPTIMIZE__) && !defined(__ARM_FEATURE_DSP)
#if defined(__ARM_ARCH_6M__)
#define MIDGE_SCALAR_ARMV6M 1
#elif defined(__ARM_ARCH_7M__)
#define MIDGE_SCALAR_ARMV7M 1
#endif
#endif

/* Activations of two pixels, one word for each position. */
static inline uint32_t *midge_scalar_pack(const int8_t *a, const int8_t *b, int count, uint32_t *to) {
#pragma GCC unroll 4
    for (int i = 0; i < count; ++i) {
        *to++ = (uint32_t)a[i] + ((uint32_t)b[i] << 16);
    }
    return to;
}

/* Sums of two channels over two pixels, with biases: channel 0 of pixel a and b, then channel 1. Eight activations at x
 * meet each four words of weights in w..w_end, whose bytes are: four of channel 0, four of channel 1, four of each. */
static inline void midge_scalar_sums(const uint32_t *x, const int32_t *w, const int32_t *w_end, int32_t bias0,
                                     int32_t bias1, int32_t sums[4]) {
#if defined(MIDGE_SCALAR_ARMV6M)
    register const int32_t *r0 __asm__("r0") = w;
    register const uint32_t *r1 __asm__("r1") = x;
    register uint32_t r3 __asm__("r3") = (uint32_t)w_end;
    register int32_t r4 __asm__("r4") = bias0;
    register int32_t r5 __asm__("r5") = bias1;
    register int32_t r6 __asm__("r6");
/* A pair of products in r3 joins total and upper; r12 is 32768. */
#define MIDGE_SCALAR_JOIN(total, upper) \
    "add " total ", r3\n add r3, r12\n asrs r3, r3, #16\n add " upper ", r3\n"
/* Four weights of a channel, with the activations in r4-r7. */
#define MIDGE_SCALAR_FOUR(total, upper) \
    "ldmia r0!, {r2}\n" \
    "sxtb r3, r2\n muls r3, r4\n asrs r2, r2, #8\n sxtb r1, r2\n muls r1, r5\n adds r3, r3, r1\n" \
    MIDGE_SCALAR_JOIN(total, upper) \
    "asrs r2, r2, #8\n sxtb r3, r2\n muls r3, r6\n asrs r2, r2, #8\n muls r2, r7\n adds r3, r3, r2\n" \
    MIDGE_SCALAR_JOIN(total, upper)
#define MIDGE_SCALAR_EIGHT \
    "ldmia r1!, {r4-r7}\n mov lr, r1\n" MIDGE_SCALAR_FOUR("r8", "r9") MIDGE_SCALAR_FOUR("r10", "r11")
    __asm__ volatile(".syntax unified\n"
                     "push {r3, r7}\n"
                     "lsls r2, r4, #16\n adds r2, r2, r4\n mov r8, r2\n mov r9, r4\n"
                     "lsls r2, r5, #16\n adds r2, r2, r5\n mov r10, r2\n mov r11, r5\n"
                     "movs r2, #128\n lsls r2, r2, #8\n mov r12, r2\n"
                     "1:\n" MIDGE_SCALAR_EIGHT "mov r1, lr\n" MIDGE_SCALAR_EIGHT
                     "ldr r2, [sp]\n mov r1, lr\n cmp r0, r2\n bne 1b\n"
                     "pop {r3, r7}\n"
                     "mov r4, r8\n mov r5, r9\n lsls r2, r5, #16\n subs r4, r4, r2\n"
                     "mov r6, r10\n mov r3, r11\n lsls r2, r3, #16\n subs r6, r6, r2\n"
                     : "+r"(r0), "+r"(r1), "+r"(r3), "+r"(r4), "+r"(r5), "=r"(r6)
                     :
                     : "r2", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
    sums[0] = r4;
    sums[1] = r5;
    sums[2] = r6;
    sums[3] = (int32_t)r3;
#elif defined(MIDGE_SCALAR_ARMV7M)
    register const int32_t *r0 __asm__("r0") = w;
    register const uint32_t *r1 __asm__("r1") = x;
    register int32_t r2 __asm__("r2") = bias0;
    register int32_t r3 __asm__("r3") = bias1;
    register int32_t r4 __asm__("r4");
    register int32_t r5 __asm__("r5");
    register const int32_t *r6 __asm__("r6") = w_end;
/* Four weights in r6-r9, activations in r2-r5: each pair of products joins total and upper. */
#define MIDGE_SCALAR_FOUR(total, upper) \
    "mul r6, r6, r2\n mla r6, r7, r3, r6\n add " total ", " total ", r6\n add r6, r6, #32768\n" \
    "add " upper ", " upper ", r6, asr #16\n" \
    "mul r8, r8, r4\n mla r8, r9, r5, r8\n add " total ", " total ", r8\n add r8, r8, #32768\n" \
    "add " upper ", " upper ", r8, asr #16\n"
/* Loads come in runs: the first of a run costs a cycle more. */
#define MIDGE_SCALAR_EIGHT(words, bytes) \
    "ldrsb r6, [r0, #" #bytes "]\n ldr r2, [r1, #" #words "]\n ldrsb r7, [r0, #" #bytes "+1]\n" \
    "ldr r3, [r1, #" #words "+4]\n ldrsb r8, [r0, #" #bytes "+2]\n ldr r4, [r1, #" #words "+8]\n" \
    "ldrsb r9, [r0, #" #bytes "+3]\n ldr r5, [r1, #" #words "+12]\n" \
    MIDGE_SCALAR_FOUR("r10", "r11") \
    "ldrsb r6, [r0, #" #bytes "+4]\n ldrsb r7, [r0, #" #bytes "+5]\n ldrsb r8, [r0, #" #bytes "+6]\n" \
    "ldrsb r9, [r0, #" #bytes "+7]\n" \
    MIDGE_SCALAR_FOUR("r12", "lr")
    __asm__ volatile("push {r6, r7}\n"
                     "add r10, r2, r2, lsl #16\n mov r11, r2\n add r12, r3, r3, lsl #16\n mov lr, r3\n"
                     "1:\n" MIDGE_SCALAR_EIGHT(0, 0) MIDGE_SCALAR_EIGHT(16, 8)
                     "ldr r2, [sp]\n add r0, r0, #16\n add r1, r1, #32\n cmp r0, r2\n bne 1b\n"
                     "pop {r6, r7}\n"
                     "sub r2, r10, r11, lsl #16\n mov r3, r11\n sub r4, r12, lr, lsl #16\n mov r5, lr\n"
                     : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3), "=r"(r4), "=r"(r5), "+r"(r6)
                     :
                     : "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
    sums[0] = r2;
    sums[1] = r3;
    sums[2] = r4;
    sums[3] = r5;
#else
    for (int channel = 0; channel < 2; ++channel) {
        const int32_t bias = channel ? bias1 : bias0;
        const uint32_t *at = x;
        uint32_t total = (uint32_t)bias * 65537u, upper = (uint32_t)bias;
        for (const int32_t *next = w + channel; next < w_end; next += 2) {
            for (int i = 0; i < 32; i += 16) {
                const uint32_t first = (uint32_t)(int8_t)(*next >> i), second = (uint32_t)(int8_t)(*next >> (i + 8));
                const uint32_t p = first * at[0] + second * at[1];
                at += 2;
                total += p;
                upper += (uint32_t)((int32_t)(p + 32768u) >> 16);
            }
        }
        sums[2 * channel] = (int32_t)(total - (upper << 16));
        sums[2 * channel + 1] = (int32_t)upper;
    }
#endif
}

/* A sum less the start of its window as int8: k has last, high, low, addend and, where `is_signed`, zero and below
 * (midge.kernels.two_products). */
static inline int8_t midge_scalar_scale(int32_t sum, const int32_t *k, int split, int is_signed) {
    uint32_t u = (uint32_t)sum;
    if (u > (uint32_t)k[0]) {
        u = sum < 0 ? 0 : (uint32_t)k[0];
    }
    uint32_t y = u * (uint32_t)k[1] + (u * (uint32_t)k[2] >> split) + (uint32_t)k[3];
    if (is_signed && u < (uint32_t)k[4]) {
        y -= (uint32_t)k[5];
    }
    return (int8_t)(y >> 24);
}

#endif
