/* What kernels for RV32IM share: no SIMD, many registers, and a quick high word of a product. Freestanding C11, no
 * libc, no state.
 *
 * As in midge_scalar.h one 32-bit multiplication does two products: a word holds an activation of two pixels,
 * 65536 * b + a, and the sum p of such products, P for pixel a and Q for pixel b, is 65536 * Q + P. While P is within
 * int16, (p + 32768) >> 16 is Q; so
 *
 *     total += p,   upper += (p + 32768) >> 16
 *
 * and at the end upper is the sum of pixel b, total - 65536 * upper that of pixel a. To part them costs more than to
 * multiply, so four positions go together where their four weights allow it, |w| + |w'| + |w''| + |w'''| <= 255, and
 * only two where not: a flag for each four positions of two channels says so. It is the caller's to see that two always
 * can. Four pixels (two words) meet two channels at a time.
 *
 * Requantization is that of midge_steep.h.
 */
#ifndef MIDGE_RISCV_H
#define MIDGE_RISCV_H

#include "midge_nn.h"
#include "midge_scalar.h"
#include "midge_steep.h"

/* Whether the inner loops are assembly: an unoptimized build wants to be read. */
#if defined(__riscv) && __riscv_xlen == 32 && defined(__riscv_mul) && !defined(__riscv_32e) && defined(__OPTIMIZE__)
#define MIDGE_RISCV_ASM 1
#include "midge_riscv_quads.h"
#include "midge_riscv_row.h"
#endif

/* One copy for all layers. */
#if defined(__clang__)
#define MIDGE_RISCV_SHARED static __attribute__((noinline, unused))
#elif defined(__GNUC__)
#define MIDGE_RISCV_SHARED static __attribute__((noinline, noclone, unused))
#else
#define MIDGE_RISCV_SHARED static
#endif

/* What the channels of a layer have in common: how many there are, at least two, four times `quads` activations in a
 * sum, and how sums become int8: they carry `fraction` bits of a fraction, and each channel has a bias, a multiplier
 * and, where `is_signed`, a jump. */
typedef struct {
    int32_t channels, quads, fraction, shift, is_signed, addend;
} midge_riscv_layer;

/* A sum as int8; `k` points to the channel's words. */
static inline int8_t midge_riscv_output(int32_t sum, const int32_t *k, const midge_riscv_layer *layer) {
    return midge_steep_scaled(sum, k[0], k[1], layer->is_signed ? k[2] : 0, layer->fraction, layer->addend,
                              layer->shift);
}

/* The sums of a word of pixels for one channel of a pair: `w` points to flags and weights of both. */
static inline void midge_riscv_sums(const uint32_t *x, int32_t words, const int32_t *w, int32_t channel, int32_t quads,
                                    int32_t sums[2]) {
    uint32_t total = 0, upper = 0, flags = 0;
    for (int32_t quad = 0; quad < quads; ++quad) {
        if (quad % 32 == 0) {
            flags = (uint32_t)*w++;
        }
        const uint32_t four = (uint32_t)w[channel];
        uint32_t p = 0;
        for (int32_t i = 0; i < 4; ++i) {
            p += (uint32_t)(int8_t)(four >> 8 * i) * *x;
            x += words;
            if (i == 3 || (i == 1 && flags >> 31)) {
                total += p;
                upper += (uint32_t)((int32_t)(p + 32768u) >> 16);
                p = 0;
            }
        }
        flags <<= 1;
        w += 2;
    }
    sums[0] = (int32_t)(total - (upper << 16));
    sums[1] = (int32_t)upper;
}

/* `pairs` pairs of channels for one or two words of pixels. */
static inline void midge_riscv_pairs(const uint32_t *x, int32_t words, const int32_t *weights, const int32_t *scales,
                                     int32_t pairs, const midge_riscv_layer *layer, int8_t *out, int32_t hop,
                                     int32_t last_hop) {
    const int32_t row = 2 * layer->quads + (layer->quads + 31) / 32;
#if defined(MIDGE_RISCV_ASM)
    midge_riscv_frame frame = {x,        scales,          weights + pairs * row, 8 * layer->quads, hop,
                               last_hop, layer->fraction, layer->shift,          layer->is_signed, layer->addend,
                               out};
    if (words == 2) {
        midge_riscv_quads_2(weights, &frame);
    } else {
        midge_riscv_quads_1(weights, &frame);
    }
#else
    for (; pairs > 0; --pairs) {
        for (int32_t channel = 0; channel < 2; ++channel) {
            int8_t *to = out++;
            for (int32_t word = 0; word < words; ++word) {
                int32_t sums[2];
                midge_riscv_sums(x + word, words, weights, channel, layer->quads, sums);
                *to = midge_riscv_output(sums[0], scales, layer);
                to += word == words - 1 ? last_hop : hop;
                *to = midge_riscv_output(sums[1], scales, layer);
                to += hop;
            }
            scales += layer->is_signed ? 3 : 2;
        }
        weights += row;
    }
#endif
}

/* All channels of up to four pixels: `words` words of them at each position, the first pixel's outputs at `out`, each
 * next one `hop` bytes further on, the last one `last_hop`. Behind the pairs of an odd number of channels follows one
 * of the last two. */
MIDGE_RISCV_SHARED void midge_riscv_channels(const uint32_t *x, int32_t words, const int32_t *weights,
                                             const int32_t *scales, const midge_riscv_layer *layer, int8_t *out,
                                             int32_t last_hop) {
    const int32_t pairs = layer->channels / 2;
    midge_riscv_pairs(x, words, weights, scales, pairs, layer, out, layer->channels, last_hop);
    if (layer->channels % 2) {
        weights += pairs * (2 * layer->quads + (layer->quads + 31) / 32);
        scales += pairs * (layer->is_signed ? 6 : 4);
        midge_riscv_pairs(x, words, weights, scales, 1, layer, out + layer->channels - 2, layer->channels, last_hop);
    }
}

/* Activations of two pixels, one word for each position. */
MIDGE_RISCV_SHARED uint32_t *midge_riscv_pack_2(const int8_t *a, const int8_t *b, int32_t count, uint32_t *to) {
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC unroll 4
#endif
    for (int32_t i = 0; i < count; ++i) {
        *to++ = (uint32_t)a[i] + ((uint32_t)b[i] << 16);
    }
    return to;
}

/* Activations of four pixels, two words for each position. */
MIDGE_RISCV_SHARED uint32_t *midge_riscv_pack_4(const int8_t *const from[4], int32_t count, uint32_t *to) {
    const int8_t *a = from[0], *b = from[1], *c = from[2], *d = from[3];
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC unroll 4
#endif
    for (int32_t i = 0; i < count; ++i) {
        to[0] = (uint32_t)a[i] + ((uint32_t)b[i] << 16);
        to[1] = (uint32_t)c[i] + ((uint32_t)d[i] << 16);
        to += 2;
    }
    return to;
}

/* The same for four pixels of which `left` are there, or more than four: the others are the last one once more. */
static inline void midge_riscv_four(uint32_t *x, int32_t left, const int32_t *weights, const int32_t *scales,
                                    const midge_riscv_layer *layer, int8_t *out) {
    const int32_t channels = layer->channels, words = left > 2 ? 2 : 1;
    for (int32_t i = 1; words == 1 && i < 4 * layer->quads; ++i) {
        x[i] = x[2 * i];
    }
    midge_riscv_channels(x, words, weights, scales, layer, out, left == 2 * words - 1 ? 0 : channels);
}

/* A matrix for each of `pixels` that lie one behind the other, `width` activations each; `x` has 8 words for each of
 * the layer's quads. */
MIDGE_RISCV_SHARED void midge_riscv_pixels(const int8_t *in, int32_t pixels, int32_t width, const int32_t *weights,
                                           const int32_t *scales, const midge_riscv_layer *layer, uint32_t *x,
                                           int8_t *out) {
    const int32_t rest = 4 * layer->quads - width, channels = layer->channels;
    for (; pixels > 0; pixels -= 4) {
        const int32_t words = pixels > 2 ? 2 : 1, last = 2 * words - 1;
        /* An odd one has no partner but itself. */
        const int32_t is_alone = pixels == last;
        uint32_t *end;
        if (words == 2) {
            const int8_t *const from[4] = {in, in + width, in + 2 * width, in + (is_alone ? 2 : 3) * width};
            end = midge_riscv_pack_4(from, width, x);
        } else {
            end = midge_riscv_pack_2(in, is_alone ? in : in + width, width, x);
        }
        for (int32_t i = 0; i < words * rest; ++i) {
            end[i] = 0;
        }
        midge_riscv_channels(x, words, weights, scales, layer, out, is_alone ? 0 : channels);
        in += 4 * width;
        out += 4 * channels;
    }
}

/* `groups` groups of eight channels of midge_riscv_row. */
static inline void midge_riscv_row_groups(const int8_t *in, const uint32_t *weights, const int32_t *scales,
                                          int32_t groups, const midge_riscv_layer *layer, int8_t *out) {
    const int32_t depth = 4 * layer->quads;
#if defined(MIDGE_RISCV_ASM)
    const int32_t *const end = (const int32_t *)weights + groups * (4 * depth + (depth + 63) / 64);
    midge_riscv_row_frame frame = {in,           scales,           end,           depth, layer->fraction,
                                   layer->shift, layer->is_signed, layer->addend, out};
    midge_riscv_eights(weights, &frame);
#else
    for (; groups > 0; --groups) {
        const uint32_t *w = weights;
        for (int32_t pair = 0; pair < 4; ++pair) {
            uint32_t total = 0, upper = 0, p = 32768, flags = 0;
            w = weights;
            for (int32_t i = 0; i < depth; i += 2) {
                if (i % 64 == 0) {
                    flags = *w++;
                }
                p += w[pair] * (uint32_t)in[i] + w[4 + pair] * (uint32_t)in[i + 1];
                w += 8;
                if (flags >> 31) {
                    total += p;
                    upper += (uint32_t)((int32_t)p >> 16);
                    p = 32768;
                }
                flags <<= 1;
            }
            *out++ = midge_riscv_output((int32_t)(total - (upper << 16)), scales, layer);
            scales += layer->is_signed ? 3 : 2;
            *out++ = midge_riscv_output((int32_t)upper, scales, layer);
            scales += layer->is_signed ? 3 : 2;
        }
        weights = w;
    }
#endif
}

/* One row of activations times a matrix whose weights are words of two channels, 65536 * b + a: so here it is the
 * channels that come apart. They go by eight, the last eight of a number that is no multiple overlap those before. For
 * up to 64 positions a word of flags, one for two positions, tells behind which of them sums are taken apart. Sums
 * begin 32768 ahead, so that no rounding is needed; the biases know how often. The layer's quads are even, its channels
 * eight or more. */
MIDGE_RISCV_SHARED void midge_riscv_row(const int8_t *in, const uint32_t *weights, const int32_t *scales,
                                        const midge_riscv_layer *layer, int8_t *out) {
    const int32_t depth = 4 * layer->quads, groups = layer->channels / 8, words = 4 * depth + (depth + 63) / 64;
    int8_t *const last = out + layer->channels - 8;
    midge_riscv_row_groups(in, weights, scales, groups, layer, out);
    if (layer->channels % 8) {
        midge_riscv_row_groups(in, weights + groups * words, scales + groups * (layer->is_signed ? 24 : 16), 1, layer,
                               last);
    }
}

#endif
