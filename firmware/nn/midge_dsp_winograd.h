/* What kernels for cores with 16-bit SIMD share that convolve by Winograd's F(4x4, 3x3). Freestanding C11, no libc, no
 * state.
 *
 * midge.kernels.winograd says what is computed, and why it is exact modulo 2^32. The kernel leaves 36 times 8 sums:
 * four channels of one tile, then those of the other.
 */
#ifndef MIDGE_DSP_WINOGRAD_H
#define MIDGE_DSP_WINOGRAD_H

#include "midge_dsp_winograd_inputs.h"

/* An image, NHWC: its sizes, and the byte around it, four times. */
typedef struct {
    int height, width, channels;
    uint32_t zeros;
} midge_dsp_image;

/* `count` words of `word`, or from anywhere. */
static inline uint32_t *midge_dsp_fill(uint32_t *to, uint32_t word, int count) {
    for (; count > 0; --count) {
        *to++ = word;
    }
    return to;
}
static inline uint32_t *midge_dsp_copy(uint32_t *to, const int8_t *from, int count) {
    for (; count >= 2; count -= 2) {
        const uint32_t a = midge_dsp_load(from), b = midge_dsp_load(from + 4);
        from += 8;
        to[0] = a;
        to[1] = b;
        to += 2;
    }
    if (count) {
        *to++ = midge_dsp_load(from);
    }
    return to;
}

/* The 6x6 pixels from row y and column x on, the image's and those around it, each rounded up to whole words. */
MIDGE_KERNEL __attribute__((unused)) void midge_dsp_winograd_patch(const int8_t *in, const midge_dsp_image *image,
                                                                   int y, int x, uint32_t *to) {
    const int words = (image->channels + 3) / 4, rest = image->channels % 4;
    const int left = midge_max(0, -x), right = midge_min(6, image->width - x);
    for (int row = y; row < y + 6; ++row) {
        if (row < 0 || row >= image->height || right <= left) {
            to = midge_dsp_fill(to, image->zeros, 6 * words);
            continue;
        }
        const int8_t *from = in + (row * image->width + x + left) * image->channels;
        to = midge_dsp_fill(to, image->zeros, left * words);
        if (rest == 0) {
            to = midge_dsp_copy(to, from, (right - left) * words);
        } else {
            for (int i = left; i < right; ++i) {
                to = midge_dsp_copy(to, from, words - 1);
                from += 4 * (words - 1);
                *to = 0;
                for (int c = 0; c < rest; ++c) {
                    *to |= (uint32_t)(uint8_t)from[c] << 8 * c;
                }
                ++to;
                from += rest;
            }
        }
        to = midge_dsp_fill(to, image->zeros, (6 - right) * words);
    }
}

/* Four bytes to anywhere. */
static inline void midge_dsp_store(uint32_t word, int8_t *to) {
#if defined(__GNUC__)
    __builtin_memcpy(to, &word, sizeof word);
#else
    for (int i = 0; i < 4; ++i) {
        to[i] = (int8_t)(word >> 8 * i);
    }
#endif
}

/* So many rows, columns and channels (four where there are more) of a tile's 4x4 outputs of four channels, to where
 * they lie in the image. */
static inline void midge_dsp_winograd_put(const uint32_t *block, int rows, int columns, int channels, int row_bytes,
                                          int pixel_bytes, int8_t *out) {
    for (int y = 0; y < rows; ++y) {
        int8_t *to = out;
        for (int x = 0; x < columns; ++x) {
            if (channels >= 4) {
                midge_dsp_store(block[x], to);
            } else {
                for (int c = 0; c < channels; ++c) {
                    to[c] = (int8_t)(block[x] >> 8 * c);
                }
            }
            to += pixel_bytes;
        }
        block += 4;
        out += row_bytes;
    }
}

#if !MIDGE_DSP_ASM

/* The sums of two tiles and four channels at all positions, of `pairs` pairs of channels. */
static inline void midge_dsp_winograd_products(const uint32_t *x, const int32_t *weights, int pairs, uint32_t *sums) {
    for (int position = 0; position < 36; ++position) {
        for (int i = 0; i < 8; ++i) {
            sums[i] = 0;
        }
        for (int pair = 0; pair < pairs; ++pair) {
            for (int i = 0; i < 8; ++i) {
                sums[i] = midge_dsp_dot(x[72 * pair + i / 4], (uint32_t)weights[i % 4], sums[i]);
            }
            weights += 4;
        }
        x += 2;
        sums += 8;
    }
}

/* A^T times the six words m, `step` apart, in their place: those of z0..z3, without the powers of 2. */
static inline void midge_dsp_winograd_sums(uint32_t *m, int step) {
    const uint32_t s = m[step] + m[2 * step], d = m[step] - m[2 * step];
    const uint32_t e = m[3 * step] + m[4 * step], f = m[3 * step] - m[4 * step];
    m[0] += e - 4 * s;
    m[step] = f - 2 * d;
    m[2 * step] = e - s;
    m[3 * step] = m[5 * step] - d + 2 * f;
}

/* The output of 64 times its sum, and of its channel the scales in the order of the stream. */
static inline int8_t midge_dsp_winograd_output(int32_t sum, const int32_t *scales, const midge_dsp_scale *scale) {
    if (scale->shift >= 0) {
        const int32_t high = (int32_t)((int64_t)sum * scales[1] >> 32);
        return (int8_t)midge_clamp((high + scales[0]) >> (scale->shift + 6), -128, 127);
    }
    const int32_t high = midge_high_mul(sum >> 6, scales[2]);
    return (int8_t)midge_clamp((high + scales[1] - (sum < 0)) >> scales[0], scale->low, scale->high);
}

/* 4x4 outputs of four channels from a tile's sums. */
static inline void midge_dsp_winograd_outputs(uint32_t *sums, const int32_t *scales, int8_t *block,
                                              const midge_dsp_scale *scale) {
    static const uint8_t powers[4] = {0, 1, 2, 2};
    for (int channel = 0; channel < 4; ++channel) {
        for (int x = 0; x < 6; ++x) {
            midge_dsp_winograd_sums(sums + 8 * x, 48);
        }
        const int record = scale->shift >= 0 ? 3 : 4;
        for (int y = 0; y < 4; ++y) {
            midge_dsp_winograd_sums(sums + 48 * y, 8);
            for (int x = 0; x < 4; ++x) {
                /* The inverse of 9 modulo 2^32. */
                const uint32_t ninth = UINT32_C(0x38E38E39) << (powers[x] + powers[y]);
                const int32_t sum = (int32_t)(sums[48 * y + 8 * x] * ninth + (uint32_t)scales[record - 1]);
                block[16 * y + 4 * x] = midge_dsp_winograd_output(sum, scales, scale);
            }
        }
        ++sums;
        ++block;
        scales += record;
    }
}

#endif
#endif
