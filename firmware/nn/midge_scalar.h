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

/* One copy for all layers. */
#if defined(__clang__)
#define MIDGE_SCALAR_SHARED static __attribute__((noinline, unused))
#elif defined(__GNUC__)
#define MIDGE_SCALAR_SHARED static __attribute__((noinline, noclone, unused))
#else
#define MIDGE_SCALAR_SHARED static
#endif

/* What the channels of a layer have in common. For each of them `words` int32 say how its sums become int8: the bias,
 * and then, where `split` is not negative, what midge.kernels.two_products binds: last, high, low, addend and, where
 * `is_signed`, zero and below. Else multiplier and shift of midge_requantize, whose results are limited to low..high
 * before `zero_point` is added. `depth` activations, a multiple of 8, make a sum. */
typedef struct {
    int32_t channels, depth, words, split, is_signed, low, high, zero_point;
} midge_scalar_layer;

/* Activations of two pixels, one word for each position. */
MIDGE_SCALAR_SHARED uint32_t *midge_scalar_pack(const int8_t *a, const int8_t *b, int32_t count, uint32_t *to) {
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC unroll 4
#endif
    for (int32_t i = 0; i < count; ++i) {
        *to++ = (uint32_t)a[i] + ((uint32_t)b[i] << 16);
    }
    return to;
}

/* One channel of an image for a depthwise convolution: the image's size, the columns that it is padded with to the
 * left, the columns of the plane, and the zero point. */
typedef struct {
    int32_t in_h, in_w, in_c, left, columns;
    int8_t zero;
} midge_scalar_plane;

/* Rows `first`... of a channel that starts at `in`, and those `lower` rows further down, as `rows` rows of words. What
 * is padding beside both is written with the first channel and stays. */
MIDGE_SCALAR_SHARED void midge_scalar_plane_of(const int8_t *in, const midge_scalar_plane *shape, int32_t first,
                                               int32_t lower, int32_t rows, int is_first, uint32_t *to) {
    const int32_t columns = shape->columns, left = shape->left, in_c = shape->in_c, pitch = shape->in_w * in_c;
    const int32_t inside = midge_min(shape->in_w, columns - left);
    if (is_first) {
        for (int32_t i = 0; i < rows * columns; ++i) {
            to[i] = (uint32_t)shape->zero * 65537u;
        }
    }
    to += left;
    for (int32_t y = first; y < first + rows; ++y) {
        const int a = y >= 0 && y < shape->in_h, b = y + lower >= 0 && y + lower < shape->in_h;
        const int8_t *from = in + y * pitch;
        uint32_t *const end = to + inside;
        if (a && b) {
            const int32_t hop = lower * pitch;
            while (to < end) {
                *to++ = (uint32_t)from[0] + ((uint32_t)from[hop] << 16);
                from += in_c;
            }
        } else if (a || b) {
            from += a ? 0 : lower * pitch;
            while (to < end) {
                *to++ = (uint32_t)(a ? *from : shape->zero) + ((uint32_t)(b ? *from : shape->zero) << 16);
                from += in_c;
            }
        }
        to = end + columns - inside;
    }
}

/* Zeros behind `count` activations up to `depth`. */
static inline void midge_scalar_fill(uint32_t *x, int32_t count, int32_t depth) {
    for (; count < depth; ++count) {
        x[count] = 0;
    }
}

/* Sums of two channels, with their biases, over two pixels: channel 0 of pixel a and b, then channel 1. A word of
 * weights is for two activations: its bytes are two weights of channel 0 and two of channel 1. */
static inline void midge_scalar_sums(const uint32_t *x, const int32_t *w, const int32_t *w_end, const int32_t bias[2],
                                     int32_t sums[4]) {
    uint32_t total[2] = {(uint32_t)bias[0] * 65537u, (uint32_t)bias[1] * 65537u};
    uint32_t upper[2] = {(uint32_t)bias[0], (uint32_t)bias[1]};
    for (; w < w_end; ++w) {
        for (int i = 0; i < 2; ++i) {
            const uint32_t p = (uint32_t)(int8_t)(*w >> 16 * i) * x[0] + (uint32_t)(int8_t)(*w >> (16 * i + 8)) * x[1];
            total[i] += p;
            upper[i] += (uint32_t)((int32_t)(p + 32768u) >> 16);
        }
        x += 2;
    }
    for (int i = 0; i < 2; ++i) {
        sums[2 * i] = (int32_t)(total[i] - (upper[i] << 16));
        sums[2 * i + 1] = (int32_t)upper[i];
    }
}

/* Where a sum lies in the window of sums that make a difference, 0..last. */
static inline uint32_t midge_scalar_place(int32_t sum, uint32_t last) {
    const uint32_t u = (uint32_t)sum;
    if (u <= last) {
        return u;
    }
    return sum < 0 ? 0 : last;
}

/* The sums of a channel for two pixels as int8; `k` points to its words behind the bias. `next` may be `out`, whose
 * value stays. */
static inline void midge_scalar_store(int32_t a, int32_t b, const int32_t *k, const midge_scalar_layer *layer,
                                      int8_t *out, int8_t *next) {
    if (layer->split < 0) {
        *next = (int8_t)(midge_clamp(midge_requantize(b, k[0], k[1]), layer->low, layer->high) + layer->zero_point);
        *out = (int8_t)(midge_clamp(midge_requantize(a, k[0], k[1]), layer->low, layer->high) + layer->zero_point);
        return;
    }
    const uint32_t last = (uint32_t)k[0], high = (uint32_t)k[1], low = (uint32_t)k[2], addend = (uint32_t)k[3];
    const uint32_t u = midge_scalar_place(a, last), v = midge_scalar_place(b, last);
    uint32_t y = u * high + (u * low >> layer->split) + addend, z = v * high + (v * low >> layer->split) + addend;
    if (layer->is_signed) {
        y -= u < (uint32_t)k[4] ? (uint32_t)k[5] : 0;
        z -= v < (uint32_t)k[4] ? (uint32_t)k[5] : 0;
    }
    *next = (int8_t)(z >> 24);
    *out = (int8_t)(y >> 24);
}

#if defined(MIDGE_SCALAR_ARMV6M) || defined(MIDGE_SCALAR_ARMV7M)
/* What the assembly below keeps on the stack, in its order. */
typedef struct {
    const uint32_t *x;
    const int32_t *scales;
    int32_t split, step;
    const int32_t *end;
    int8_t *out, *next;
} midge_scalar_frame;
#endif

#if defined(MIDGE_SCALAR_ARMV6M)
/* r0 weights, r1 activations, r8 and r6 total and upper of channel 0, r9 and r7 of channel 1, lr end of the weights.
 * A pair of products in r3 joins total and upper: the carry of the shift rounds. 24 cycles for 8 products. */
#define MIDGE_SCALAR_JOIN(total, upper) "add " total ", r3\n asrs r3, r3, #16\n adcs " upper ", r3\n"
#define MIDGE_SCALAR_TWO                                                                                               \
    "ldmia r1!, {r4, r5}\n ldmia r0!, {r2}\n"                                                                          \
    "sxtb r3, r2\n muls r3, r4\n mov r12, r3\n asrs r2, r2, #8\n sxtb r3, r2\n muls r3, r5\n add r3, "                 \
    "r12\n" MIDGE_SCALAR_JOIN("r8", "r6") "asrs r2, r2, #8\n sxtb r3, r2\n muls r3, r4\n asrs r2, r2, #8\n muls r2, "  \
                                          "r5\n adds r3, r3, r2\n" MIDGE_SCALAR_JOIN("r9", "r7")
/* The sum in r0 as int8: r1 split, r2 last, r3 high, r4 low, r7 addend. */
#define MIDGE_SCALAR_LIMIT "cmp r0, r2\n bls 3f\n asrs r0, r0, #31\n mvns r0, r0\n ands r0, r2\n3:\n"
#define MIDGE_SCALAR_SCALE "movs r5, r0\n muls r5, r4\n lsrs r5, r1\n muls r0, r3\n adds r0, r0, r5\n adds r0, r0, r7\n"
#define MIDGE_SCALAR_WRITE(pointer, offset) "lsrs r0, r0, #24\n mov r5, " pointer "\n strb r0, [r5, #" offset "]\n"
#define MIDGE_SCALAR_PUT(pointer, offset) MIDGE_SCALAR_LIMIT MIDGE_SCALAR_SCALE MIDGE_SCALAR_WRITE(pointer, offset)
/* The same with a rule below zero: zero and below are where the stack says; r12 is what is taken away. */
#define MIDGE_SCALAR_PUT_SIGNED(pointer, offset)                                                                       \
    MIDGE_SCALAR_LIMIT                                                                                                 \
    "ldr r5, [sp, #4]\n ldr r1, [r5]\n cmp r0, r1\n sbcs r1, r1\n ldr r5, [r5, #4]\n ands r1, r5\n"                    \
    "mov r12, r1\n ldr r1, [sp, #8]\n" MIDGE_SCALAR_SCALE                                                              \
    "mov r5, r12\n subs r0, r0, r5\n" MIDGE_SCALAR_WRITE(pointer, offset)
#define MIDGE_SCALAR_CHANNEL(put, after, total, offset)                                                                \
    "ldr r1, [sp, #4]\n ldmia r1!, {r2, r3, r4, r7}\n str r1, [sp, #4]\n ldr r1, [sp, #8]\n"                           \
    "mov r0, r6\n" put("r11", offset) "mov r0, " total "\n lsls r6, r6, #16\n subs r0, r0, r6\n" put("r10", offset)    \
        after

/* midge_scalar_channels in assembly, for pairs of channels. */
#define MIDGE_SCALAR_PAIRS(name, put, after)                                                                           \
    static inline void name(const int32_t *weights, const midge_scalar_frame *frame) {                                 \
        register const int32_t *r0 __asm__("r0") = weights;                                                            \
        register const midge_scalar_frame *r1 __asm__("r1") = frame;                                                   \
        __asm__ volatile(".syntax unified\n"                                                                           \
                         "ldr r2, [r1, #20]\n mov r10, r2\n ldr r2, [r1, #24]\n mov r11, r2\n"                         \
                         "ldmia r1!, {r2-r6}\n push {r7}\n push {r2-r7}\n"                                             \
                         "1:\n"                                                                                        \
                         "ldr r3, [sp, #12]\n adds r3, r3, r0\n mov lr, r3\n"                                          \
                         "ldr r1, [sp]\n ldr r3, [sp, #4]\n ldmia r3!, {r6, r7}\n str r3, [sp, #4]\n"                  \
                         "lsls r2, r6, #16\n adds r2, r2, r6\n mov r8, r2\n"                                           \
                         "lsls r2, r7, #16\n adds r2, r2, r7\n mov r9, r2\n"                                           \
                         "2:\n" MIDGE_SCALAR_TWO MIDGE_SCALAR_TWO MIDGE_SCALAR_TWO MIDGE_SCALAR_TWO                    \
                         "cmp r0, lr\n bne 2b\n"                                                                       \
                         "mov lr, r7\n str r0, [sp, #20]\n" MIDGE_SCALAR_CHANNEL(                                      \
                             put, after, "r8",                                                                         \
                             "0") "mov r6, lr\n" MIDGE_SCALAR_CHANNEL(put, after, "r9",                                \
                                                                      "1") "movs r0, #2\n add r10, r0\n add r11, r0\n" \
                                                                           "ldr r0, [sp, #20]\n ldr r1, [sp, #16]\n "  \
                                                                           "cmp r0, r1\n beq 4f\n b 1b\n"              \
                                                                           "4: add sp, #24\n pop {r7}\n"               \
                         : "+r"(r0), "+r"(r1)                                                                          \
                         :                                                                                             \
                         : "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");       \
    }
MIDGE_SCALAR_PAIRS(midge_scalar_pairs, MIDGE_SCALAR_PUT, "")
MIDGE_SCALAR_PAIRS(midge_scalar_signed_pairs, MIDGE_SCALAR_PUT_SIGNED,
                   "ldr r1, [sp, #4]\n adds r1, r1, #8\n str r1, [sp, #4]\n")
#elif defined(MIDGE_SCALAR_ARMV7M)
/* r0 weights, r1 activations, r10 and r11 total and upper of channel 0, r12 and lr of channel 1. Four weights in r6-r9
 * meet activations in r2-r5. */
#define MIDGE_SCALAR_JOIN(total, upper, p)                                                                             \
    "add " total ", " total ", " p "\n add " p ", " p ", #32768\n add " upper ", " upper ", " p ", asr #16\n"
#define MIDGE_SCALAR_FOUR(total, upper)                                                                                \
    "mul r6, r6, r2\n mla r6, r7, r3, r6\n" MIDGE_SCALAR_JOIN(                                                         \
        total, upper, "r6") "mul r8, r8, r4\n mla r8, r9, r5, r8\n" MIDGE_SCALAR_JOIN(total, upper, "r8")
/* Loads come in runs: the first of a run costs a cycle more. 38 cycles for 16 products. */
#define MIDGE_SCALAR_TURN(words, bytes)                                                                                \
    "ldrsb r6, [r0, #" #bytes "]\n ldr r2, [r1, #" #words "]\n"                                                        \
    "ldrsb r7, [r0, #" #bytes "+1]\n ldr r3, [r1, #" #words "+4]\n"                                                    \
    "ldrsb r8, [r0, #" #bytes "+4]\n ldr r4, [r1, #" #words "+8]\n"                                                    \
    "ldrsb r9, [r0, #" #bytes "+5]\n ldr r5, [r1, #" #words                                                            \
    "+12]\n" MIDGE_SCALAR_FOUR("r10", "r11") "ldrsb r6, [r0, #" #bytes "+2]\n ldrsb r7, [r0, #" #bytes "+3]\n"         \
                                             "ldrsb r8, [r0, #" #bytes "+6]\n ldrsb r9, [r0, #" #bytes                 \
                                             "+7]\n" MIDGE_SCALAR_FOUR("r12", "lr")
/* The sum u as int8: r2 last, r3 high, r4 low, r5 addend, r9 split. */
#define MIDGE_SCALAR_LIMIT(u) "cmp " u ", r2\n it gt\n movgt " u ", r2\n bic " u ", " u ", " u ", asr #31\n"
#define MIDGE_SCALAR_SCALE(u) "mul r6, " u ", r4\n mla " u ", " u ", r3, r5\n lsr r6, r6, r9\n add " u ", " u ", r6\n"
#define MIDGE_SCALAR_WRITE(u, pointer) "lsr " u ", " u ", #24\n strb " u ", [" pointer "], #1\n"
#define MIDGE_SCALAR_PUT(u, pointer) MIDGE_SCALAR_LIMIT(u) MIDGE_SCALAR_SCALE(u) MIDGE_SCALAR_WRITE(u, pointer)
/* The same with a rule below zero: zero and below are at r1. */
#define MIDGE_SCALAR_PUT_SIGNED(u, pointer)                                                                            \
    MIDGE_SCALAR_LIMIT(u)                                                                                              \
    "ldr r6, [r1]\n cmp " u ", r6\n" MIDGE_SCALAR_SCALE(u) "itt cc\n ldrcc r6, [r1, #4]\n subcc " u ", " u             \
                                                           ", r6\n" MIDGE_SCALAR_WRITE(u, pointer)
#define MIDGE_SCALAR_CHANNEL(put, after, total, upper)                                                                 \
    "ldmia r1!, {r2-r5}\n sub " total ", " total ", " upper ", lsl #16\n" put(upper, "r8") put(total, "r7") after

/* midge_scalar_channels in assembly, for pairs of channels. */
#define MIDGE_SCALAR_PAIRS(name, put, after)                                                                           \
    static inline void name(const int32_t *weights, const midge_scalar_frame *frame) {                                 \
        register const int32_t *r0 __asm__("r0") = weights;                                                            \
        register const midge_scalar_frame *r1 __asm__("r1") = frame;                                                   \
        __asm__ volatile(                                                                                              \
            "ldm r1, {r2-r6, r8, r9}\n push {r2-r10}\n"                                                                \
            "1:\n"                                                                                                     \
            "ldrd r1, r6, [sp]\n ldr r2, [sp, #12]\n ldrd r11, lr, [r6], #8\n"                                         \
            "str r6, [sp, #4]\n add r2, r2, r0\n str r2, [sp, #32]\n"                                                  \
            "add r10, r11, r11, lsl #16\n add r12, lr, lr, lsl #16\n"                                                  \
            ".p2align 2\n"                                                                                             \
            "2:\n" MIDGE_SCALAR_TURN(0, 0) MIDGE_SCALAR_TURN(                                                          \
                16, 8) "ldr r2, [sp, #32]\n add r0, r0, #16\n add r1, r1, #32\n cmp r0, r2\n bne 2b\n"                 \
                       "ldr r1, [sp, #4]\n ldr r9, [sp, #8]\n ldrd r7, r8, [sp, #24]\n" MIDGE_SCALAR_CHANNEL(          \
                           put, after, "r10", "r11")                                                                   \
                           MIDGE_SCALAR_CHANNEL(put, after, "r12", "lr") "strd r7, r8, [sp, #24]\n str r1, [sp, #4]\n" \
                                                                         "ldr r2, [sp, #16]\n cmp r0, r2\n bne 1b\n"   \
                                                                         "ldr r7, [sp, #20]\n add sp, sp, #36\n"       \
            : "+r"(r0), "+r"(r1)                                                                                       \
            :                                                                                                          \
            : "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");                    \
    }
MIDGE_SCALAR_PAIRS(midge_scalar_pairs, MIDGE_SCALAR_PUT, "")
MIDGE_SCALAR_PAIRS(midge_scalar_signed_pairs, MIDGE_SCALAR_PUT_SIGNED, "add r1, r1, #8\n")
#endif

/* All channels of two pixels whose windows are packed at `x`. The words of `scales` go by pairs of channels: two
 * biases, then what is left of channel 0's and of channel 1's. */
MIDGE_SCALAR_SHARED void midge_scalar_channels(const uint32_t *x, const int32_t *weights, const int32_t *scales,
                                               const midge_scalar_layer *layer, int8_t *out, int8_t *next) {
    const int32_t step = layer->depth / 2, words = layer->words;
    int32_t left = layer->channels;
#if defined(MIDGE_SCALAR_ARMV6M) || defined(MIDGE_SCALAR_ARMV7M)
    const int32_t pairs = left / 2;
    if (layer->split >= 0 && pairs) {
        const midge_scalar_frame frame = {x, scales, layer->split, 4 * step, weights + pairs * step, out, next};
        if (layer->is_signed) {
            midge_scalar_signed_pairs(weights, &frame);
        } else {
            midge_scalar_pairs(weights, &frame);
        }
        weights += pairs * step;
        scales += pairs * 2 * words;
        out += 2 * pairs;
        next += 2 * pairs;
        left -= 2 * pairs;
    }
#endif
    for (; left > 0; left -= 2) {
        int32_t sums[4];
        midge_scalar_sums(x, weights, weights + step, scales, sums);
        weights += step;
        midge_scalar_store(sums[0], sums[1], scales + 2, layer, out++, next++);
        if (left > 1) {
            midge_scalar_store(sums[2], sums[3], scales + 1 + words, layer, out++, next++);
        }
        scales += 2 * words;
    }
}

/* A matrix for each of `pixels` that lie one behind the other, `width` activations each. */
MIDGE_SCALAR_SHARED void midge_scalar_pixels(const int8_t *in, int32_t pixels, int32_t width, const int32_t *weights,
                                             const int32_t *scales, const midge_scalar_layer *layer, uint32_t *x,
                                             int8_t *out) {
    midge_scalar_fill(x, width, layer->depth);
    for (; pixels > 0; pixels -= 2) {
        /* The last pixel may have no partner but itself. */
        midge_scalar_pack(in, pixels > 1 ? in + width : in, width, x);
        midge_scalar_channels(x, weights, scales, layer, out, pixels > 1 ? out + layer->channels : out);
        in += 2 * width;
        out += 2 * layer->channels;
    }
}

#endif
