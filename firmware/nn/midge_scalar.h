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
#define MIDGE_SCALAR_ASM 1
#include "midge_scalar_armv6m.h"
#elif defined(__ARM_ARCH_7M__)
#define MIDGE_SCALAR_ASM 1
#include "midge_scalar_armv7m.h"
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

/* `count` activations of a channel, and those `hop` bytes further on, `step` bytes apart. */
static inline void midge_scalar_pack_channel(const int8_t *from, int32_t hop, int32_t step, int32_t count,
                                             uint32_t *to) {
    for (uint32_t *const end = to + count; to < end; from += step) {
        *to++ = (uint32_t)from[0] + ((uint32_t)from[hop] << 16);
    }
}

/* Rows `first`... of a channel that starts at `in`, and those `lower` rows further down, as `rows` rows of words. What
 * is padding beside both is written with the first channel and stays. */
MIDGE_SCALAR_SHARED void midge_scalar_plane_of(const int8_t *in, const midge_scalar_plane *shape, int32_t first,
                                               int32_t lower, int32_t rows, int is_first, uint32_t *to) {
    const int32_t columns = shape->columns, left = shape->left, in_c = shape->in_c, pitch = shape->in_w * in_c;
    const int32_t inside = midge_min(shape->in_w, columns - left), hop = lower * pitch;
    if (is_first) {
        for (int32_t i = 0; i < rows * columns; ++i) {
            to[i] = (uint32_t)shape->zero * 65537u;
        }
    }
    int32_t y = first;
    if (columns == 1 && left == 0 && y >= 0) {
        /* A single column is one line. */
        const int32_t count = midge_clamp(shape->in_h - lower - y, 0, rows);
        midge_scalar_pack_channel(in + y * pitch, hop, pitch, count, to);
        y += count;
        to += count;
    }
    to += left;
    for (; y < first + rows; ++y) {
        const int a = y >= 0 && y < shape->in_h, b = y + lower >= 0 && y + lower < shape->in_h;
        if (a && b) {
            midge_scalar_pack_channel(in + y * pitch, hop, in_c, inside, to);
        } else if (a || b) {
            const int8_t *from = in + (a ? y : y + lower) * pitch;
            for (int32_t i = 0; i < inside; ++i) {
                to[i] = (uint32_t)(a ? *from : shape->zero) + ((uint32_t)(b ? *from : shape->zero) << 16);
                from += in_c;
            }
        }
        to += columns;
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

/* A sum as int8; `k` points to the channel's words behind the bias. */
static inline int8_t midge_scalar_output(int32_t sum, const int32_t *k, const midge_scalar_layer *layer) {
    if (layer->split < 0) {
        return (int8_t)(midge_clamp(midge_requantize(sum, k[0], k[1]), layer->low, layer->high) + layer->zero_point);
    }
    const uint32_t u = midge_scalar_place(sum, (uint32_t)k[0]);
    uint32_t y = u * (uint32_t)k[1] + (u * (uint32_t)k[2] >> layer->split) + (uint32_t)k[3];
    if (layer->is_signed) {
        y -= u < (uint32_t)k[4] ? (uint32_t)k[5] : 0;
    }
    return (int8_t)(y >> 24);
}

/* The sums of a channel for two pixels. `next` may be `out`, whose value stays. */
static inline void midge_scalar_store(int32_t a, int32_t b, const int32_t *k, const midge_scalar_layer *layer,
                                      int8_t *out, int8_t *next) {
    const int8_t first = midge_scalar_output(a, k, layer), second = midge_scalar_output(b, k, layer);
    *next = second;
    *out = first;
}

/* All channels of two pixels whose windows are packed at `x`. The words of `scales` go by pairs of channels: two
 * biases, then what is left of channel 0's and of channel 1's. */
MIDGE_SCALAR_SHARED void midge_scalar_channels(const uint32_t *x, const int32_t *weights, const int32_t *scales,
                                               const midge_scalar_layer *layer, int8_t *out, int8_t *next) {
    const int32_t step = layer->depth / 2, words = layer->words;
    int32_t left = layer->channels;
#if defined(MIDGE_SCALAR_ASM)
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

/* One row of activations times a matrix whose weights are words of two channels, 65536 * b + a: so here it is the
 * channels that come apart. Words of four channels alternate, those of channels 0 and 1 first. `scales` go by four
 * channels: 65536 * bias b + bias a and bias b of either pair, then the words of each channel. */
MIDGE_SCALAR_SHARED void midge_scalar_row(const int8_t *in, int32_t width, const uint32_t *weights,
                                          const int32_t *scales, const midge_scalar_layer *layer, uint32_t *x,
                                          int8_t *out) {
    const int32_t depth = layer->depth, words = layer->words - 1;
    for (int32_t i = 0; i < width; ++i) {
        x[i] = (uint32_t)in[i];
    }
    midge_scalar_fill(x, width, depth);
    int32_t left = layer->channels;
#if defined(MIDGE_SCALAR_ASM)
    const int32_t groups = left / 4;
    if (layer->split >= 0 && groups) {
        const midge_scalar_row_frame frame = {x, scales, layer->split, x + depth, weights + groups * 2 * depth, out};
        if (layer->is_signed) {
            midge_scalar_signed_groups(weights, &frame);
        } else {
            midge_scalar_groups(weights, &frame);
        }
        weights += groups * 2 * depth;
        scales += groups * 4 * (words + 1);
        out += 4 * groups;
        left -= 4 * groups;
    }
#endif
    for (; left > 0; left -= 4) {
        for (int32_t pair = 0; pair < 2; ++pair) {
            uint32_t total = (uint32_t)scales[2 * pair], upper = (uint32_t)scales[2 * pair + 1];
            for (int32_t i = 0; i < depth; i += 2) {
                const uint32_t p = weights[2 * i + pair] * x[i] + weights[2 * i + 2 + pair] * x[i + 1];
                total += p;
                upper += (uint32_t)((int32_t)(p + 32768u) >> 16);
            }
            const int32_t sums[2] = {(int32_t)(total - (upper << 16)), (int32_t)upper};
            for (int32_t i = 0; i < 2 && 2 * pair + i < left; ++i) {
                *out++ = midge_scalar_output(sums[i], scales + 4 + (2 * pair + i) * words, layer);
            }
        }
        weights += 2 * depth;
        scales += 4 * (words + 1);
    }
}

#endif
