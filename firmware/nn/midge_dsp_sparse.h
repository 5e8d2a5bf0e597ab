/* What kernels for cores with 16-bit SIMD share where weights are zero in vectors of four channels. Freestanding C11,
 * no libc, no state.
 *
 * Of each group of four channels only the positions that some channel has weights for are multiplied, two at a time:
 * `neighbors`, two positions beside each other, which one load brings, and `strangers`, any two. Two pixels lie side by
 * side in bytes, so that the four bytes of two positions are two pixels' pairs of activations.
 *
 * Which positions these are is written in flash as steps of four bits (midge.kernels.sparse_channels). Once per
 * inference they become a list in memory, where the loop over all pixels finds for each pair its distance in bytes from
 * the list's own pointer, and before each turn of a loop where in the unrolled code to begin: a jump.
 */
#ifndef MIDGE_DSP_SPARSE_H
#define MIDGE_DSP_SPARSE_H

#include "midge_dsp.h"

/* Pairs done per turn of both loops; whether one turn of strangers is always enough. */
typedef struct {
    int neighbors, strangers, once;
} midge_dsp_turns;

typedef enum { MIDGE_DSP_NEIGHBORS, MIDGE_DSP_STRANGERS, MIDGE_DSP_DONE, MIDGE_DSP_OUT } midge_dsp_part;

/* Bytes of two pixels side by side: of each four positions 0, 2, 1, 3, at the end as they come. */
static inline void midge_dsp_zip(const int8_t *first, const int8_t *second, int count, midge_dsp_half *to) {
    int quads = count / 4;
#if MIDGE_DSP_ASM
    if (quads) {
        uint32_t a, b, c, d;
        /* SEL takes bytes 0 and 2 of its first operand where UADD8 carried. */
        __asm__ volatile("uadd8 %[a], %[a], %[b]\n"
                         "1:\n"
                         "ldr %[a], [%[first]], #4\n"
                         "ldr %[b], [%[second]], #4\n"
                         "rev16 %[d], %[b]\n"
                         "rev16 %[c], %[a]\n"
                         "sel %[d], %[a], %[d]\n"
                         "sel %[c], %[c], %[b]\n"
                         "str %[c], [%[to], #4]\n"
                         "str %[d], [%[to]], #8\n"
                         "subs %[quads], %[quads], #1\n"
                         "bne 1b\n"
                         : [first] "+r"(first), [second] "+r"(second), [to] "+r"(to), [quads] "+r"(quads), [a] "=&r"(a),
                           [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d)
                         : "[a]"(0x00FF00FFu), "[b]"(0x00010001u)
                         : "cc", "memory");
    }
#else
    for (; quads > 0; --quads) {
        const uint32_t a = midge_dsp_load(first), b = midge_dsp_load(second);
        first += 4;
        second += 4;
        *to++ = (midge_dsp_half)((a & 0xFF) | (b & 0xFF) << 8);
        *to++ = (midge_dsp_half)((a >> 16 & 0xFF) | (b >> 8 & 0xFF00));
        *to++ = (midge_dsp_half)((a >> 8 & 0xFF) | (b & 0xFF00));
        *to++ = (midge_dsp_half)((a >> 24) | (b >> 16 & 0xFF00));
    }
#endif
    for (int i = 0; i < count % 4; ++i) {
        to[i] = (midge_dsp_half)((uint8_t)first[i] | (uint8_t)second[i] << 8);
    }
}

/* Bytes of code for a pair, for the jump behind a turn, and for the way back (templates/kernels/dsp_sparse.j2). */
enum { MIDGE_DSP_NEIGHBORS_CODE = 64, MIDGE_DSP_STRANGERS_CODE = 76, MIDGE_DSP_JUMP_CODE = 8, MIDGE_DSP_BACK_CODE = 4 };

/* How a turn of `count` pairs of the part `to` begins, from where the part `from` does: in assembly a distance. */
static inline int midge_dsp_jump(const midge_dsp_turns *turns, midge_dsp_part from, midge_dsp_part to, int count) {
#if MIDGE_DSP_ASM
    const int strangers = turns->neighbors ? turns->neighbors * MIDGE_DSP_NEIGHBORS_CODE + MIDGE_DSP_JUMP_CODE : 0;
    const int done = strangers + turns->strangers * MIDGE_DSP_STRANGERS_CODE + (turns->once ? 0 : MIDGE_DSP_JUMP_CODE);
    const int begin = from == MIDGE_DSP_NEIGHBORS ? 0 : from == MIDGE_DSP_STRANGERS ? strangers : done;
    switch (to) {
    case MIDGE_DSP_NEIGHBORS:
        return (turns->neighbors - count) * MIDGE_DSP_NEIGHBORS_CODE - begin;
    case MIDGE_DSP_STRANGERS:
        return strangers + (turns->strangers - count) * MIDGE_DSP_STRANGERS_CODE - begin;
    case MIDGE_DSP_DONE:
        return done - begin;
    default:
        return done + MIDGE_DSP_BACK_CODE - begin;
    }
#else
    (void)turns;
    (void)from;
    return (int)to << 8 | count;
#endif
}

/* Where a list stands: `slot` is the jump to fill in, from before the part `from`; `count` pairs stand behind it. */
typedef struct {
    midge_dsp_half *at, *slot;
    midge_dsp_part from;
    int count;
} midge_dsp_writer;

/* Fills in the jump to the pairs of the part `to` that stand behind it, and leaves place for the next. */
static inline void midge_dsp_end_turn(const midge_dsp_turns *turns, midge_dsp_part to, midge_dsp_writer *writer) {
    *writer->slot = (midge_dsp_half)midge_dsp_jump(turns, writer->from, to, writer->count);
    writer->slot = writer->at;
    writer->from = to == MIDGE_DSP_NEIGHBORS ? MIDGE_DSP_STRANGERS : MIDGE_DSP_DONE;
    writer->at += !(to == MIDGE_DSP_STRANGERS && turns->once);
    writer->count = 0;
}

/* Steps of four bits, from step `at` on. */
typedef struct {
    const uint8_t *index;
    int at;
} midge_dsp_steps;

/* The next position behind this one; -1 where there is none. */
static inline int midge_dsp_next(midge_dsp_steps *steps, int position) {
    for (;;) {
        const int step = steps->index[steps->at >> 1] >> (steps->at & 1) * 4 & 15;
        ++steps->at;
        if (step < 14) {
            return position + step + 1;
        }
        if (step == 14) {
            return -1;
        }
        position += 14;
    }
}

/* The list of a group: a pair of strangers, neighbors, other strangers. Returns its end. */
static inline midge_dsp_half *midge_dsp_list_group(midge_dsp_steps *from, const midge_dsp_turns *turns,
                                                   const midge_dsp_half *x, midge_dsp_half *list) {
    midge_dsp_steps steps = *from;
    midge_dsp_writer writer = {list + 3, list + 2, turns->neighbors ? MIDGE_DSP_NEIGHBORS : MIDGE_DSP_STRANGERS, 0};
    int at = turns->neighbors ? midge_dsp_next(&steps, -1) : -1;
    for (; at >= 0; at = midge_dsp_next(&steps, at)) {
        *writer.at = (midge_dsp_half)(2 * (x + at - (writer.at + 1)));
        ++writer.at;
        if (++writer.count == turns->neighbors) {
            midge_dsp_end_turn(turns, MIDGE_DSP_NEIGHBORS, &writer);
        }
    }
    if (writer.count) {
        midge_dsp_end_turn(turns, MIDGE_DSP_NEIGHBORS, &writer);
    }
    midge_dsp_half *pair = list;
    at = midge_dsp_next(&steps, -1);
    while (at >= 0) {
        /* The last one may be alone. */
        const int second = midge_dsp_next(&steps, at);
        pair[0] = (midge_dsp_half)(2 * (x + at - (pair + 2)));
        pair[1] = (midge_dsp_half)(2 * (x + (second < 0 ? at : second) - (pair + 2)));
        if (pair != list) {
            writer.at += 2;
            if (++writer.count == turns->strangers) {
                midge_dsp_end_turn(turns, MIDGE_DSP_STRANGERS, &writer);
            }
        }
        pair = writer.at;
        at = second < 0 ? second : midge_dsp_next(&steps, second);
    }
    if (writer.count) {
        midge_dsp_end_turn(turns, MIDGE_DSP_STRANGERS, &writer);
    }
    if (writer.slot < writer.at) {
        *writer.slot = (midge_dsp_half)midge_dsp_jump(turns, writer.from, MIDGE_DSP_DONE, 0);
    }
    from->at = steps.at;
    return writer.at;
}

/* The lists of `groups` groups, and a jump out of them; x, which lies behind them, will hold two pixels. */
static inline midge_dsp_half *midge_dsp_list(midge_dsp_steps *steps, int groups, const midge_dsp_turns *turns,
                                             const midge_dsp_half *x, midge_dsp_half *list) {
    for (; groups > 0; --groups) {
        list = midge_dsp_list_group(steps, turns, x, list);
    }
    /* The first pair of a group that is not there. */
    list[0] = list[1] = (midge_dsp_half)(2 * (x - (list + 2)));
    const midge_dsp_part from = turns->neighbors ? MIDGE_DSP_NEIGHBORS : MIDGE_DSP_STRANGERS;
    list[2] = (midge_dsp_half)midge_dsp_jump(turns, from, MIDGE_DSP_OUT, 0);
    return list + 3;
}

#if !MIDGE_DSP_ASM

/* Adds the products of one pair of positions, whose bytes of two pixels are in `bytes`. */
static inline void midge_dsp_sparse_pair(uint32_t bytes, const int32_t *words, uint32_t sums[2][4]) {
    for (int pixel = 0; pixel < 2; ++pixel) {
        const uint32_t x = pixel ? midge_dsp_odd(bytes) : midge_dsp_even(bytes);
        for (int i = 0; i < 4; i += 2) {
            const uint32_t w = (uint32_t)words[i / 2];
            sums[pixel][i] = midge_dsp_dot(x, midge_dsp_even(w), sums[pixel][i]);
            sums[pixel][i + 1] = midge_dsp_dot(x, w, sums[pixel][i + 1]);
        }
    }
}

/* The two bytes at each of two distances from `at`. */
static inline uint32_t midge_dsp_bytes(const midge_dsp_half *at, int first, int second) {
    return (uint32_t)at[first / 2] | (uint32_t)at[second / 2] << 16;
}

/* Adds the products of the pair of strangers at the list's begin. Returns what lies behind it. */
static inline const midge_dsp_half *midge_dsp_strangers(const midge_dsp_half *list, const int32_t *words,
                                                        uint32_t sums[2][4]) {
    list += 2;
    midge_dsp_sparse_pair(midge_dsp_bytes(list, list[-2], list[-1]), words, sums);
    return list;
}

/* All channels of the groups in the list for two pixels. */
static inline void midge_dsp_sparse_pixels(const midge_dsp_half *list, const int32_t *stream, int8_t *out0,
                                           int8_t *out1, int once, const midge_dsp_scale *scale) {
    while (list[2] >> 8 != MIDGE_DSP_OUT) {
        uint32_t sums[2][4];
        for (int i = 0; i < 4; ++i) {
            sums[0][i] = sums[1][i] = (uint32_t)stream[i];
        }
        list = midge_dsp_strangers(list, stream + 4, sums);
        stream += 6;
        int part;
        do {
            const int jump = *list++;
            part = jump >> 8;
            for (int i = 0; i < (jump & 255); ++i) {
                if (part == MIDGE_DSP_NEIGHBORS) {
                    ++list;
                    midge_dsp_sparse_pair(midge_dsp_bytes(list, list[-1], list[-1] + 2), stream, sums);
                } else {
                    list = midge_dsp_strangers(list, stream, sums);
                }
                stream += 2;
            }
        } while (part == MIDGE_DSP_NEIGHBORS || (part == MIDGE_DSP_STRANGERS && !once));
        for (int i = 0; i < 4; ++i) {
            const int b = i & 1;
            *out0++ = midge_dsp_output((int32_t)(sums[0][i] - (b ? sums[0][i - 1] : 0)), i, stream, scale);
            *out1++ = midge_dsp_output((int32_t)(sums[1][i] - (b ? sums[1][i - 1] : 0)), i, stream, scale);
        }
        stream += scale->shift >= 0 ? 8 : 12;
    }
}

#endif
#endif
