/* What kernels share that convolve by Winograd's F(4x4, 3x3). Freestanding C11, no libc, no state.
 *
 * midge.kernels.winograd says what is computed, and why it is exact modulo 2^32. A tile's 6x6 inputs become 36 words
 * for each pair of channels; the words of two tiles alternate. So the kernel reads words and weights in the order in
 * which they lie, and leaves 36 times 8 sums: four channels of one tile, then those of the other.
 */
#ifndef MIDGE_WINOGRAD_H
#define MIDGE_WINOGRAD_H

#include "midge_nn.h"

/* One copy for all layers. */
#if defined(__clang__)
#define MIDGE_WINOGRAD_SHARED static __attribute__((noinline, unused))
#elif defined(__GNUC__)
#define MIDGE_WINOGRAD_SHARED static __attribute__((noinline, noclone, unused))
#else
#define MIDGE_WINOGRAD_SHARED static
#endif

/* A word of bytes, and half a word. */
#if defined(__GNUC__)
typedef uint32_t __attribute__((may_alias)) midge_winograd_word;
typedef int16_t __attribute__((may_alias)) midge_winograd_half;
#else
typedef uint32_t midge_winograd_word;
typedef int16_t midge_winograd_half;
#endif

/* Four bytes from anywhere. */
static inline uint32_t midge_winograd_load(const int8_t *from) {
    uint32_t word;
#if defined(__GNUC__)
    __builtin_memcpy(&word, from, sizeof word);
#else
    word = 0;
    for (int i = 3; i >= 0; --i) {
        word = word << 8 | (uint8_t)from[i];
    }
#endif
    return word;
}

/* An image, NHWC: its sizes, and the byte around it, four times. */
typedef struct {
    int height, width, channels;
    uint32_t zeros;
} midge_winograd_image;

/* `count` words of `word`, or from whole words. */
static inline uint32_t *midge_winograd_fill(uint32_t *to, uint32_t word, int count) {
    for (; count > 0; --count) {
        *to++ = word;
    }
    return to;
}
static inline uint32_t *midge_winograd_copy(uint32_t *to, const int8_t *words, int count) {
    const midge_winograd_word *from = (const midge_winograd_word *)(const void *)words;
    for (; count >= 2; count -= 2) {
        const uint32_t a = from[0], b = from[1];
        from += 2;
        to[0] = a;
        to[1] = b;
        to += 2;
    }
    if (count) {
        *to++ = *from;
    }
    return to;
}

/* The 6x6 pixels from row y and column x on, the image's and those around it, each rounded up to whole words. */
MIDGE_WINOGRAD_SHARED void midge_winograd_patch(const int8_t *in, const midge_winograd_image *image, int y, int x,
                                                uint32_t *to) {
    const int words = (image->channels + 3) / 4, rest = image->channels % 4;
    const int left = midge_max(0, -x), right = midge_min(6, image->width - x);
    for (int row = y; row < y + 6; ++row) {
        if (row < 0 || row >= image->height || right <= left) {
            to = midge_winograd_fill(to, image->zeros, 6 * words);
            continue;
        }
        const int8_t *from = in + (row * image->width + x + left) * image->channels;
        to = midge_winograd_fill(to, image->zeros, left * words);
        if (rest == 0) {
            to = midge_winograd_copy(to, from, (right - left) * words);
        } else {
            for (int i = left; i < right; ++i) {
                for (int j = 1; j < words; ++j) {
                    *to++ = midge_winograd_load(from);
                    from += 4;
                }
                *to = 0;
                for (int c = 0; c < rest; ++c) {
                    *to |= (uint32_t)(uint8_t)from[c] << 8 * c;
                }
                ++to;
                from += rest;
            }
        }
        to = midge_winograd_fill(to, image->zeros, (6 - right) * words);
    }
}

/* Four bytes to anywhere. */
static inline void midge_winograd_store(uint32_t word, int8_t *to) {
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
static inline void midge_winograd_put(const uint32_t *block, int rows, int columns, int channels, int row_bytes,
                                      int pixel_bytes, int8_t *out) {
    for (int y = 0; y < rows; ++y) {
        int8_t *to = out;
        for (int x = 0; x < columns; ++x) {
            if (channels >= 4 && pixel_bytes % 4 == 0) {
                *(midge_winograd_word *)(void *)to = block[x];
            } else if (channels >= 4) {
                midge_winograd_store(block[x], to);
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

/* B^T times d0..d5, to six words `step` words apart. */
static inline void midge_winograd_line(uint32_t d0, uint32_t d1, uint32_t d2, uint32_t d3, uint32_t d4, uint32_t d5,
                                       int step, uint32_t *to) {
    const uint32_t a = d4 - 4 * d2, b = d3 - 4 * d1, c = d4 - d2, e = 2 * (d3 - d1);
    to[0] = 4 * (d0 - d2) + c;
    to[step] = a + b;
    to[2 * step] = a - b;
    to[3 * step] = c + e;
    to[4 * step] = c - e;
    to[5 * step] = d5 - d3 - 2 * e;
}

/* B^T d B of 6x6 pixels of `channels`, a multiple of four, that lie `row` and `pixel` bytes apart, whole words. Bytes
 * count from -128. Position p of pair c goes to to[72 * c + 2 * p]; `work` has room for 72 words. Of each four channels
 * 0 and 2 are a pair, then 1 and 3.
 *
 * Two values are one number, high * 65536 + low, and add and subtract as one. A negative low half would have borrowed
 * from the high one: so the last two of a line have 2^15 more, which comes out once at every position, and makes all
 * low halves positive until it is flipped away. */
MIDGE_WINOGRAD_SHARED void midge_winograd_inputs(const int8_t *in, int row, int pixel, int channels, uint32_t *work,
                                                 uint32_t *to) {
    for (const int8_t *const end = in + channels; in < end; in += 4) {
        const int8_t *column = in;
        for (uint32_t *const last = work + 6; work < last; ++work) {
            uint32_t d[6];
            const int8_t *at = column;
            for (int y = 0; y < 6; ++y) {
                d[y] = *(const midge_winograd_word *)(const void *)at ^ 0x80808080u;
                at += row;
            }
            midge_winograd_line(d[0] & 0xFF00FFu, d[1] & 0xFF00FFu, d[2] & 0xFF00FFu, d[3] & 0xFF00FFu,
                                d[4] & 0xFF00FFu, d[5] & 0xFF00FFu, 6, work);
            midge_winograd_line(d[0] >> 8 & 0xFF00FFu, d[1] >> 8 & 0xFF00FFu, d[2] >> 8 & 0xFF00FFu,
                                d[3] >> 8 & 0xFF00FFu, d[4] >> 8 & 0xFF00FFu, d[5] >> 8 & 0xFF00FFu, 6, work + 36);
            column += pixel;
        }
        work -= 6;
        const uint32_t *d = work;
        for (uint32_t *const last = to + 144; to < last; to += 12) {
            uint32_t line[6];
            midge_winograd_line(d[0], d[1], d[2], d[3], d[4] + 0x8000, d[5] + 0x8000, 1, line);
            for (int x = 0; x < 6; ++x) {
                to[2 * x] = line[x] ^ 0x8000;
            }
            d += 6;
        }
    }
}

/* A^T times six words, `step` apart: those of z0..z3, without the powers of 2. */
static inline void midge_winograd_sums(const uint32_t *m, int step, uint32_t z[4]) {
    const uint32_t m1 = m[step], m2 = m[2 * step], m3 = m[3 * step], m4 = m[4 * step];
    const uint32_t s = m1 + m2, d = m1 - m2, e = m3 + m4, f = m3 - m4;
    z[0] = m[0] + e - 4 * s;
    z[1] = f - 2 * d;
    z[2] = e - s;
    z[3] = m[5 * step] - d + 2 * f;
}

/* The same of a tile's columns, in place. */
static inline void midge_winograd_columns(uint32_t *sums) {
    for (uint32_t *const last = sums + 48; sums < last; sums += 8) {
        uint32_t z[4];
        midge_winograd_sums(sums, 48, z);
        for (int y = 0; y < 4; ++y) {
            sums[48 * y] = z[y];
        }
    }
}

#endif
