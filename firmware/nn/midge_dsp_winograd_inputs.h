/* How Winograd's F(4x4, 3x3) transforms inputs on cores with 16-bit SIMD. Freestanding C11, no libc, no state.
 *
 * A tile's 6x6 inputs d become the 36 words B^T d B for each pair of channels (midge.kernels.winograd); the words of
 * two tiles alternate.
 */
#ifndef MIDGE_DSP_WINOGRAD_INPUTS_H
#define MIDGE_DSP_WINOGRAD_INPUTS_H

#include "midge_dsp.h"

#if MIDGE_DSP_ASM

/* Six words from r2 on to six words from r3 on, eight bytes apart. */
#define MIDGE_DSP_WINOGRAD_ROW                                                                                         \
    "ldmia r2!, {r4-r9}\n sub r11, r8, r6, lsl #2\n sub r10, r8, r6\n sub r4, r4, r6\n sub r12, r7, r5\n"              \
    "add r4, r10, r4, lsl #2\n sub r5, r7, r5, lsl #2\n sub r9, r9, r7\n add r6, r11, r5\n sub r7, r11, r5\n"          \
    "add r8, r10, r12, lsl #1\n sub r9, r9, r12, lsl #2\n sub r10, r10, r12, lsl #1\n"                                 \
    "eor r6, r6, #0x8000\n eor r7, r7, #0x8000\n eor r8, r8, #0x8000\n"                                                \
    "eor r10, r10, #0x8000\n eor r9, r9, #0x8000\n eor r4, r4, #0x8000\n"                                              \
    "str r6, [r3, #8]\n str r7, [r3, #16]\n str r8, [r3, #24]\n"                                                       \
    "str r10, [r3, #32]\n str r9, [r3, #40]\n str r4, [r3], #48\n"

#else

/* B^T times d0..d5, to six words `step` words apart. */
static inline void midge_dsp_winograd_line(const uint32_t *d, int step, uint32_t *to) {
    const uint32_t a = d[4] - 4 * d[2], b = d[3] - 4 * d[1], c = d[4] - d[2], e = d[3] - d[1];
    to[0] = 4 * (d[0] - d[2]) + c;
    to[step] = a + b;
    to[2 * step] = a - b;
    to[3 * step] = c + 2 * e;
    to[4 * step] = c - 2 * e;
    to[5 * step] = d[5] - d[3] - 4 * e;
}

#endif

/* B^T d B of 6x6 pixels of `channels`, a multiple of four, that lie `row` and `pixel` bytes apart. Bytes count from
 * -128. Position p of pair c goes to to[72 * c + 2 * p]; `work` has room for 72 words.
 *
 * Two values are one number, high * 65536 + low, and add and subtract as one. A negative low half would have borrowed
 * from the high one: so the last 2x2 pixels have 2^15 more there, which comes out once at every position, and makes
 * all low halves positive until it is flipped away. */
MIDGE_KERNEL __attribute__((unused)) void midge_dsp_winograd_inputs(const int8_t *in, int row, int pixel, int channels,
                                                                    uint32_t *work, uint32_t *to) {
#if MIDGE_DSP_ASM
    register const int8_t *in_r0 __asm__("r0") = in;
    register int in_r1 __asm__("r1") = row;
    register uint32_t *in_r2 __asm__("r2") = work;
    register uint32_t *in_r3 __asm__("r3") = to;
    register int in_r4 __asm__("r4") = pixel;
    register int in_r5 __asm__("r5") = channels;
    /* s0 in, s1 its end, s2 to, s3 work, s4 pixel, s5 the caller's r7, s6 what is added to rows 4 and 5, s7 the end of
     * a run of columns. */
    __asm__ volatile(
        "vmov s0, r0\n add r5, r0, r5\n vmov s1, r5\n vmov s2, r3\n vmov s3, r2\n vmov s4, r4\n vmov s5, r7\n"
        /* Four columns, then two. */
        "1:\n mov r3, #0x00800080\n vmov s6, r3\n add r4, r2, #16\n vmov s7, r4\n"
        ".p2align 2\n"
        /* Rows 0, 2 and 4, first of even channels, then of odd ones. */
        "2:\n add lr, r0, r1\n add lr, lr, r1, lsl #1\n vmov r12, s6\n"
        "ldr r5, [r0]\n ldr r6, [r0, r1, lsl #1]\n ldr r7, [lr, r1]\n"
        "sxtab16 r8, r3, r6\n sxtab16 r9, r12, r7\n sxtab16 r10, r3, r5\n"
        "sub r4, r9, r8, lsl #2\n sub r10, r10, r8\n sub r9, r9, r8\n add r10, r9, r10, lsl #2\n"
        "str r10, [r2, #0]\n"
        "sxtab16 r6, r3, r6, ror #8\n sxtab16 r7, r12, r7, ror #8\n sxtab16 r5, r3, r5, ror #8\n"
        "sub r8, r7, r6, lsl #2\n sub r5, r5, r6\n sub r7, r7, r6\n add r5, r7, r5, lsl #2\n"
        "str r5, [r2, #144]\n"
        /* Rows 1, 3 and 5. */
        "ldr r5, [r0, r1]\n ldr r6, [lr]\n ldr r10, [lr, r1, lsl #1]\n"
        "sxtab16 r11, r3, r5\n sxtab16 lr, r3, r6\n sub r12, lr, r11, lsl #2\n sub r11, lr, r11\n"
        "sub r4, r4, r12\n str r4, [r2, #48]\n add r4, r4, r12, lsl #1\n str r4, [r2, #24]\n"
        "sub r9, r9, r11, lsl #1\n str r9, [r2, #96]\n add r9, r9, r11, lsl #2\n str r9, [r2, #72]\n"
        "vmov r12, s6\n sxtab16 r4, r12, r10\n sub r4, r4, lr\n sub r4, r4, r11, lsl #2\n"
        "str r4, [r2, #120]\n"
        "sxtab16 r11, r3, r5, ror #8\n sxtab16 lr, r3, r6, ror #8\n sub r9, lr, r11, lsl #2\n sub r11, lr, r11\n"
        "sub r8, r8, r9\n str r8, [r2, #192]\n add r8, r8, r9, lsl #1\n str r8, [r2, #168]\n"
        "sub r7, r7, r11, lsl #1\n str r7, [r2, #240]\n add r7, r7, r11, lsl #2\n str r7, [r2, #216]\n"
        "sxtab16 r10, r12, r10, ror #8\n sub r10, r10, lr\n sub r10, r10, r11, lsl #2\n"
        "str r10, [r2, #264]\n"
        "vmov r4, s4\n vmov r5, s7\n add r0, r0, r4\n add r2, r2, #4\n cmp r2, r5\n bne 2b\n"
        "vmov r4, s3\n add r4, r4, #24\n cmp r2, r4\n beq 3f\n"
        "movw r5, #0x8080\n movt r5, #0x0080\n vmov s6, r5\n vmov s7, r4\n b 2b\n"
        /* Twelve rows of six words, two per turn. */
        "3:\n vmov r3, s2\n sub r2, r2, #24\n add lr, r2, #288\n"
        ".p2align 2\n 4:\n" MIDGE_DSP_WINOGRAD_ROW MIDGE_DSP_WINOGRAD_ROW "cmp r2, lr\n bne 4b\n"
        "vmov s2, r3\n vmov r0, s0\n vmov r4, s1\n vmov r2, s3\n add r0, r0, #4\n vmov s0, r0\n"
        "cmp r0, r4\n bne 1b\n"
        "vmov r7, s5\n"
        : "+r"(in_r0), "+r"(in_r1), "+r"(in_r2), "+r"(in_r3), "+r"(in_r4), "+r"(in_r5)
        :
        : "r6", "r8", "r9", "r10", "r11", "r12", "lr", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "cc", "memory");
#else
    for (int pair = 0; pair < channels / 2; ++pair) {
        /* Of each four channels first 0 and 2, then 1 and 3. */
        const int8_t *first = in + pair / 2 * 4 + pair % 2;
        for (int x = 0; x < 6; ++x) {
            uint32_t d[6];
            for (int y = 0; y < 6; ++y) {
                const int8_t *at = first + y * row + x * pixel;
                d[y] = midge_dsp_pair(128 + at[0], 128 + at[2]) + (y < 4 || x < 4 ? 0 : 0x8000);
            }
            midge_dsp_winograd_line(d, 6, work + x);
        }
        for (int y = 0; y < 6; ++y) {
            uint32_t *const line = to + 72 * pair + 12 * y;
            midge_dsp_winograd_line(work + 6 * y, 2, line);
            for (int x = 0; x < 6; ++x) {
                line[2 * x] ^= 0x8000;
            }
        }
    }
#endif
}

#endif
