/* What kernels for Xtensa cores with MAC16 share (ESP32). Freestanding C11, no libc, no state.
 *
 * MAC16 multiplies int16 and adds to an accumulator of 40 bits, of which the low 32 are read: sums that fit into 32
 * bits are right whatever happened above. Activations are widened once: a byte x becomes x + 128, so that one AND
 * widens two, and the bias makes up for it.
 *
 * The accumulator, m0..m3 and the registers of the loop belong to the task: FreeRTOS saves them when it switches tasks.
 * Nothing stays in them from one call to the next. An interrupt of a level above those that it manages must save them
 * itself before it multiplies.
 */
#ifndef MIDGE_MAC16_H
#define MIDGE_MAC16_H

#include "midge_nn.h"

/* Four int8 at once, in memory that is otherwise read by bytes; the address is a multiple of 4. */
#if defined(__GNUC__)
typedef uint32_t __attribute__((may_alias)) midge_mac16_word;
#else
typedef uint32_t midge_mac16_word;
#endif

/* What the compiler's core has, where the compiler is for one chip. */
#if defined(__XTENSA__) && defined(__has_include)
#if __has_include(<xtensa/config/core-isa.h>)
#include <xtensa/config/core-isa.h>
#endif
#endif

/* Whether kernels are assembly (an unoptimized build wants to be read), and whether its instructions have names: not
 * for a compiler that knows nothing of MAC16, whose code runs on a core that has it. */
#if !defined(__XTENSA__) || !defined(__OPTIMIZE__)
#define MIDGE_MAC16_ASM 0
#elif defined(XCHAL_HAVE_MAC16)
#define MIDGE_MAC16_ASM (XCHAL_HAVE_MAC16 && XCHAL_HAVE_LOOPS && XCHAL_HAVE_MINMAX)
#else
#define MIDGE_MAC16_ASM 1
#endif
#if !defined(MIDGE_MAC16_NAMES) && defined(XCHAL_HAVE_MAC16)
#define MIDGE_MAC16_NAMES 1
#elif !defined(MIDGE_MAC16_NAMES)
#define MIDGE_MAC16_NAMES 0
#endif
#if MIDGE_MAC16_ASM
#include "midge_mac16_asm.h"
#else
#include "midge_mac16_c.h"
#endif
#include "midge_mac16_dense.h"
#include "midge_mac16_planes.h"

/* One copy for all layers. */
#if defined(__clang__)
#define MIDGE_MAC16_SHARED static __attribute__((noinline, unused))
#elif defined(__GNUC__)
#define MIDGE_MAC16_SHARED static __attribute__((noinline, noclone, unused))
#else
#define MIDGE_MAC16_SHARED static
#endif

/* What the channels of a layer have in common: how many there are, whole turns before the last one of a channel,
 * whether that has 8 products instead of 16, how far the lower product is shifted, and whether there is a rule below
 * zero. A channel has `record` words of scales: three where sums become outputs by midge_requantize, whose results are
 * limited to low..high before `after` is added. */
typedef struct {
    uint32_t channels, turns, is_half, split, is_signed, record;
    int32_t low, high, after;
} midge_mac16_layer;

/* All channels of the activations at `x`. */
MIDGE_MAC16_SHARED void midge_mac16_channels(const uint32_t *x, const uint32_t *weights, const uint32_t *scales,
                                             const midge_mac16_layer *layer, int8_t *out) {
    const uint32_t turns = layer->turns, split = layer->split, channels = layer->channels;
    if (layer->is_signed) {
        if (layer->is_half) {
            midge_mac16_dense_signed_8(x, weights, scales, turns, split, channels, out);
        } else {
            midge_mac16_dense_signed_16(x, weights, scales, turns, split, channels, out);
        }
    } else if (layer->is_half) {
        midge_mac16_dense_8(x, weights, scales, turns, split, channels, out);
    } else {
        midge_mac16_dense_16(x, weights, scales, turns, split, channels, out);
    }
}

/* Bytes 0 and 2 of four activations, and 1 and 3, as pairs. */
static inline uint32_t midge_mac16_even(uint32_t bytes) { return (bytes ^ 0x80808080u) & 0x00FF00FFu; }
static inline uint32_t midge_mac16_odd(uint32_t bytes) { return (bytes ^ 0x80808080u) >> 8 & 0x00FF00FFu; }

/* Four activations as number `quad` of those at `x`, where the dense kernels read them: a turn has four quads. */
static inline void midge_mac16_put(uint32_t bytes, uint32_t quad, uint32_t *x) {
    const uint32_t place = quad % 4, even = midge_mac16_even(bytes), odd = midge_mac16_odd(bytes);
    x += quad / 4 * 6;
    if (place % 2 == 0) {
        x += place / 2 * 3;
        x[0] = even;
        x[1] = odd;
    } else {
        x[place == 1 ? 2 : 5] = even;
        x[MIDGE_MAC16_APART / 4 + place / 2] = odd;
    }
}

/* `count` activations from anywhere; where the copy ends. */
MIDGE_MAC16_SHARED int8_t *midge_mac16_copy(const int8_t *from, uint32_t count, int8_t *to) {
    for (; count >= 4; count -= 4) {
        const int8_t a = from[0], b = from[1], c = from[2], d = from[3];
        from += 4;
        to[0] = a;
        to[1] = b;
        to[2] = c;
        to[3] = d;
        to += 4;
    }
    for (; count > 0; --count) {
        *to++ = *from++;
    }
    return to;
}

/* `quads` times four activations from `from`, a multiple of 4, as number `quad` and following ones. */
MIDGE_MAC16_SHARED void midge_mac16_pack(const int8_t *from, uint32_t quads, uint32_t quad, uint32_t *x) {
    const midge_mac16_word *words = (const midge_mac16_word *)(const void *)from;
    for (; quads > 0 && quad % 4; --quads) {
        midge_mac16_put(*words++, quad++, x);
    }
    uint32_t *to = x + quad / 4 * 6;
    for (; quads >= 4; quads -= 4) {
        const uint32_t a = words[0] ^ 0x80808080u, b = words[1] ^ 0x80808080u;
        const uint32_t c = words[2] ^ 0x80808080u, d = words[3] ^ 0x80808080u;
        words += 4;
        to[0] = a & 0x00FF00FFu;
        to[1] = a >> 8 & 0x00FF00FFu;
        to[2] = b & 0x00FF00FFu;
        to[MIDGE_MAC16_APART / 4] = b >> 8 & 0x00FF00FFu;
        to[3] = c & 0x00FF00FFu;
        to[4] = c >> 8 & 0x00FF00FFu;
        to[5] = d & 0x00FF00FFu;
        to[MIDGE_MAC16_APART / 4 + 1] = d >> 8 & 0x00FF00FFu;
        to += 6;
        quad += 4;
    }
    for (; quads > 0; --quads) {
        midge_mac16_put(*words++, quad++, x);
    }
}

/* A sum as int8; `k` is what follows a channel's bias. */
static inline int8_t midge_mac16_output(uint32_t sum, const uint32_t *k, const midge_mac16_layer *layer) {
    if (layer->record == 3) {
        const int32_t scaled = midge_requantize((int32_t)sum, (int32_t)k[0], (int32_t)k[1]);
        return (int8_t)(midge_clamp(scaled, layer->low, layer->high) + layer->after);
    }
    const uint32_t u = (uint32_t)midge_clamp((int32_t)sum, 0, (int32_t)k[0]);
    const uint32_t y = u * k[1] + (u * k[2] >> layer->split) + k[3];
    return (int8_t)((layer->is_signed && u < k[4] ? y - k[5] : y) >> 24);
}

/* All channels of `quads` times four activations, as many as there are: a run at a time, each with weights of its own
 * for all channels. `sums` has room for a word of each. */
MIDGE_MAC16_SHARED void midge_mac16_by_sums(const int8_t *in, uint32_t quads, const uint32_t *weights,
                                            const uint32_t *scales, const midge_mac16_layer *layer, uint32_t *x,
                                            midge_mac16_word *sums, int8_t *out) {
    const uint32_t channels = layer->channels, record = layer->record;
    for (uint32_t i = 0; i < channels; ++i) {
        sums[i] = scales[i * record];
    }
    while (quads > 0) {
        const uint32_t some = quads < MIDGE_MAC16_APART / 6 ? quads : MIDGE_MAC16_APART / 6, halves = (some + 1) / 2;
        midge_mac16_pack(in, some, 0, x);
        const uint32_t *const k = (const uint32_t *)(const void *)sums;
        if (halves % 2) {
            midge_mac16_dense_partial_8(x, weights, k, halves / 2, 0, channels, (int8_t *)(void *)sums);
        } else {
            midge_mac16_dense_partial_16(x, weights, k, halves / 2 - 1, 0, channels, (int8_t *)(void *)sums);
        }
        weights += channels * halves * 4 + 2;
        in += 4 * some;
        quads -= some;
    }
    for (uint32_t i = 0; i < channels; ++i) {
        *out++ = midge_mac16_output(sums[i], scales + i * record + 1, layer);
    }
}

/* A depthwise layer of 3x3 windows: the image's size, how far output rows and columns are apart, the columns that it is
 * padded with to the left, those of the plane, outputs in a row, how far the lower product is shifted, whether there is
 * a rule below zero, and the padding's two pixels. */
typedef struct {
    int32_t in_h, in_w, in_c, stride_h, stride_w, left, columns, out_w, out_c;
    uint32_t split, is_signed, padding;
} midge_mac16_image;

/* Rows `first`... of the channel that starts at `in`, two in a word, as `pairs` rows of words. What is padding in both
 * is written with the first channel and stays. */
MIDGE_MAC16_SHARED void midge_mac16_plane_of(const int8_t *in, const midge_mac16_image *image, int32_t first,
                                             int32_t pairs, int is_first, uint32_t *to) {
    const int32_t columns = image->columns, in_c = image->in_c, in_w = image->in_w;
    const int32_t inside = midge_min(in_w, columns - image->left), pitch = in_w * in_c;
    if (is_first) {
        for (int32_t i = 0; i < pairs * columns; ++i) {
            to[i] = image->padding;
        }
    }
    to += image->left;
    for (int32_t y = first; y < first + 2 * pairs; y += 2) {
        const int8_t *const row = in + y * pitch;
        const int a = y >= 0 && y < image->in_h, b = y + 1 >= 0 && y + 1 < image->in_h;
        if (a && b) {
            const uint8_t *upper = (const uint8_t *)row, *lower = upper + pitch;
            for (uint32_t *const end = to + inside; to < end; ++to) {
                *to = ((uint32_t)*upper | (uint32_t)*lower << 16) ^ 0x00800080u;
                upper += in_c;
                lower += in_c;
            }
        } else if (a || b) {
            const uint8_t *from = (const uint8_t *)(a ? row : row + pitch);
            for (uint32_t *const end = to + inside; to < end; ++to) {
                const uint32_t x = (uint32_t)*from ^ 0x80u, pad = image->padding & 0xFFu;
                *to = a ? x | pad << 16 : pad | x << 16;
                from += in_c;
            }
        } else {
            to += inside;
        }
        to += columns - inside;
    }
}

/* Every second row of outputs, those that begin in even rows of the plane or those in odd ones. */
MIDGE_MAC16_SHARED void midge_mac16_rows(const uint32_t *plane, const uint32_t *k, const midge_mac16_image *image,
                                         int is_odd, uint32_t rows, int8_t *out) {
    const uint32_t *const next = plane + image->columns;
    const uint32_t step = (uint32_t)image->out_c, split = image->split;
    if (image->stride_w == 2) {
        if (image->is_signed) {
            if (is_odd) {
                midge_mac16_plane_odd_by_two_signed(plane, next, k, out, step, split, rows);
            } else {
                midge_mac16_plane_even_by_two_signed(plane, next, k, out, step, split, rows);
            }
        } else if (is_odd) {
            midge_mac16_plane_odd_by_two(plane, next, k, out, step, split, rows);
        } else {
            midge_mac16_plane_even_by_two(plane, next, k, out, step, split, rows);
        }
    } else if (image->is_signed) {
        if (is_odd) {
            midge_mac16_plane_odd_signed(plane, next, k, out, step, split, rows);
        } else {
            midge_mac16_plane_even_signed(plane, next, k, out, step, split, rows);
        }
    } else if (is_odd) {
        midge_mac16_plane_odd(plane, next, k, out, step, split, rows);
    } else {
        midge_mac16_plane_even(plane, next, k, out, step, split, rows);
    }
}

/* `rows` rows of outputs of a channel from its plane; `words` are its scales and weights. */
MIDGE_MAC16_SHARED void midge_mac16_depthwise(const uint32_t *plane, const uint32_t *words,
                                              const midge_mac16_image *image, uint32_t rows, int8_t *out) {
    uint32_t k[MIDGE_MAC16_PLANE_WORDS];
    for (int32_t i = 0; i < MIDGE_MAC16_COLUMNS; ++i) {
        k[i] = words[i];
    }
    const int32_t row = image->out_w * image->out_c;
    k[MIDGE_MAC16_COLUMNS] = (uint32_t)image->out_w;
    k[MIDGE_MAC16_COLUMNS + 1] = (uint32_t)(4 * (image->columns - 1 - image->out_w * image->stride_w));
    k[MIDGE_MAC16_COLUMNS + 2] = image->stride_h == 1 ? (uint32_t)row : 0;
    if (image->stride_h == 2) {
        midge_mac16_rows(plane, k, image, 0, rows, out);
        return;
    }
    midge_mac16_rows(plane, k, image, 0, (rows + 1) / 2, out);
    if (rows > 1) {
        midge_mac16_rows(plane, k, image, 1, rows / 2, out + row);
    }
}

#endif
