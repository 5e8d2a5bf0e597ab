/* What kernels for AVR share: 8-bit registers, an 8x8 multiplier, constants in program memory. Freestanding C11, no
 * libc, no state. The inner loops are assembly (templates/kernels/avr_windows.j2); here is the same in C, which any
 * compiler takes.
 */
#ifndef MIDGE_AVR_H
#define MIDGE_AVR_H

#include "midge_nn.h"

/* Whether there is assembly: an unoptimized build wants to be read. */
#if defined(__AVR__) && defined(__OPTIMIZE__)
#define MIDGE_AVR_ASM 1
#else
#define MIDGE_AVR_ASM 0
#endif

/* How the assembly loads a constant, passes over some, or takes Z as an
 * index into a table: Z, and RAMPZ where 16 bits do not reach, are left behind it. */
#if MIDGE_AVR_ASM && defined(MIDGE_FLASH_FAR)
#define MIDGE_AVR_LPM "elpm "
#define MIDGE_AVR_SKIP(bytes) "adiw r30, " bytes "\n brcc .+6\n in r0, __RAMPZ__\n inc r0\n out __RAMPZ__, r0\n"
#define MIDGE_AVR_FAR(bank) "out __RAMPZ__, " bank "\n"
#define MIDGE_AVR_INDEX(table)                                                                                         \
    "ldi r18, 0\n subi r30, lo8(-(" table "))\n sbci r31, hi8(-(" table "))\n sbci r18, hh8(-(" table "))\n"           \
    "out __RAMPZ__, r18\n"
#define MIDGE_AVR_BANK(pointer) ((uint8_t)((__uint24)(pointer) >> 16))
#define MIDGE_AVR_NEAR(pointer) ((uint16_t)(__uint24)(pointer))
#elif MIDGE_AVR_ASM
#define MIDGE_AVR_LPM "lpm "
#define MIDGE_AVR_SKIP(bytes) "adiw r30, " bytes "\n"
#define MIDGE_AVR_FAR(bank) ""
#define MIDGE_AVR_INDEX(table) "subi r30, lo8(-(" table "))\n sbci r31, hi8(-(" table "))\n"
#define MIDGE_AVR_BANK(pointer) 0
#define MIDGE_AVR_NEAR(pointer) ((uint16_t)(pointer))
#endif

/* One copy for all layers. */
#if defined(__GNUC__) && !defined(__clang__)
#define MIDGE_AVR_SHARED static __attribute__((noinline, noclone, unused))
#elif defined(__GNUC__)
#define MIDGE_AVR_SHARED static __attribute__((noinline, unused))
#else
#define MIDGE_AVR_SHARED static
#endif

/* Copies `rows` runs of activations plus 128, those of the input `skip` bytes apart, those of the copy `gap` bytes;
 * returns the sum of what it wrote. Neither count is 0. */
MIDGE_AVR_SHARED uint32_t midge_avr_widen(const int8_t *in, uint8_t *x, uint8_t rows, uint16_t run, uint16_t skip,
                                          uint16_t gap) {
#if MIDGE_AVR_ASM
    uint8_t low = 0, middle = 0, high = 0, value;
    uint16_t left;
    __asm__ volatile("1:\n movw %A[left], %A[run]\n"
                     "2:\n ld %[value], X+\n subi %[value], 128\n st Z+, %[value]\n"
                     "add %[low], %[value]\n adc %[middle], r1\n adc %[high], r1\n"
                     "sbiw %[left], 1\n brne 2b\n"
                     "add r26, %A[skip]\n adc r27, %B[skip]\n add r30, %A[gap]\n adc r31, %B[gap]\n"
                     "dec %[rows]\n brne 1b\n"
                     : [low] "+r"(low), [middle] "+r"(middle), [high] "+r"(high), [rows] "+r"(rows),
                       [value] "=&d"(value), [left] "=&w"(left), "+x"(in), "+z"(x)
                     : [run] "r"(run), [skip] "r"(skip), [gap] "r"(gap)
                     : "memory");
    return low | (uint32_t)middle << 8 | (uint32_t)high << 16;
#else
    uint32_t sum = 0;
    for (; rows; --rows) {
        for (uint16_t i = 0; i < run; ++i) {
            *x = (uint8_t)(*in++ + 128);
            sum += *x++;
        }
        in += skip;
        x += gap;
    }
    return sum;
#endif
}

/* Writes -128 times the sum of a window's activations in front of them. */
static inline void midge_avr_head(uint8_t *x, uint32_t sum, uint8_t bytes) {
    const uint32_t head = 0u - (sum << 7);
    for (uint8_t i = 0; i < bytes; ++i) {
        x[i] = (uint8_t)(head >> (8 * i));
    }
}

/* A row of `count` activations becomes a window: both of the above. */
#if MIDGE_AVR_ASM
#define MIDGE_AVR_ROW(bytes, last)                                                                                     \
    MIDGE_AVR_SHARED void midge_avr_row##bytes(const int8_t *in, uint8_t *x, uint8_t count) {                          \
        uint8_t *head;                                                                                                 \
        __asm__ volatile("movw %A[head], r30\n adiw r30, " #bytes "\n clr r18\n clr r19\n"                             \
                         "1:\n ld r20, X+\n subi r20, 128\n st Z+, r20\n add r18, r20\n adc r19, r1\n"                 \
                         "dec %[count]\n brne 1b\n"                                                                    \
                         "movw r30, %A[head]\n lsr r19\n ror r18\n clr r20\n ror r20\n clr r21\n clr r0\n"             \
                         "neg r20\n sbc r21, r18\n sbc r0, r19\n st Z, r20\n std Z+1, r21\n" last                      \
                         : [count] "+r"(count), [head] "=&r"(head), "+x"(in), "+z"(x)                                  \
                         :                                                                                             \
                         : "r18", "r19", "r20", "r21", "cc", "memory");                                                \
    }
#else
#define MIDGE_AVR_ROW(bytes, last)                                                                                     \
    MIDGE_AVR_SHARED void midge_avr_row##bytes(const int8_t *in, uint8_t *x, uint8_t count) {                          \
        midge_avr_head(x, midge_avr_widen(in, x + bytes, 1, count, 0, 0), bytes);                                      \
    }
#endif
MIDGE_AVR_ROW(2, "")
MIDGE_AVR_ROW(3, "std Z+2, r0\n")

/* Fills a window of `depth` activations with padding; returns the sum of what is left of it when `inside` of them have
 * been written over. */
MIDGE_AVR_SHARED uint32_t midge_avr_pad(uint8_t *x, int depth, int inside, uint8_t padding) {
    for (int i = 0; i < depth; ++i) {
        *x++ = padding;
    }
    return (uint32_t)(depth - inside) * padding;
}

/* How sums become outputs: see midge.kernels.byte_products. */
typedef struct {
    uint16_t depth;
    uint8_t sum_bytes, width, below_bytes, addend_bytes, factor_bytes, split, kept;
} midge_avr_form;

/* A number of `bytes` bytes in program memory, which is left behind it. */
static inline uint32_t midge_avr_number(const MIDGE_FLASH uint8_t **at, uint8_t bytes) {
    uint32_t value = 0;
    for (uint8_t i = 0; i < bytes; ++i) {
        value |= (uint32_t)*(*at)++ << (8 * i);
    }
    return value;
}

/* A sum, relative to its window's start, as int8. `at` is the record, which is left behind it. */
static inline int8_t midge_avr_output(int32_t sum, const MIDGE_FLASH uint8_t **at, const midge_avr_form *form) {
    const int32_t last = (int32_t)midge_avr_number(at, form->width);
    const uint32_t u = (uint32_t)midge_clamp(sum, 0, last);
    uint32_t zero = 0, below = 0;
    if (form->below_bytes) {
        zero = midge_avr_number(at, form->width);
        below = midge_avr_number(at, form->below_bytes);
    }
    uint32_t total = midge_avr_number(at, form->addend_bytes) - (u < zero ? below : 0);
    for (uint8_t j = 0; j < form->factor_bytes; ++j) {
        const uint8_t factor = (uint8_t)midge_avr_number(at, 1);
        for (uint8_t i = 0; i < form->width; ++i) {
            const uint32_t product = (u >> (8 * i) & 255u) * factor;
            if (i + j >= form->kept && i + j < form->kept + 4) {
                total += product << (8 * (i + j - form->kept));
            } else if (i + j == form->kept - 1) {
                total += product >> 8;
            }
        }
    }
    return (int8_t)(total >> (form->split - 8 * form->kept) & 255u);
}

/* A sum that begins with `begin`, of activations at `offsets`, plus 128, times weights. */
static inline int32_t midge_avr_line(const int8_t *in, const uint16_t *offsets, const int8_t *weights, int depth,
                                     int32_t begin) {
    for (int i = 0; i < depth; ++i) {
        begin += (int32_t)(in[offsets[i]] + 128) * weights[i];
    }
    return begin;
}

/* A channel's sum over the weights of a list (midge.kernels.fully_connected.avr_nonzeros). Both the stream and the
 * activations are left where the list ends. */
static inline int32_t midge_avr_nonzeros(const int8_t **in, const MIDGE_FLASH uint8_t **stream) {
    const uint32_t start = midge_avr_number(stream, 3);
    int32_t sum = (int32_t)(start << 8) >> 8;
    *in += (int16_t)midge_avr_number(stream, 2);
    for (uint16_t left = (uint16_t)(2 * midge_avr_number(stream, 1)); left; --left) {
        *in += midge_avr_number(stream, 1);
        sum += **in * (int8_t)midge_avr_number(stream, 1);
    }
    return sum;
}

/* A channel's sum over the window at `in`, with rows `stride` bytes apart and pixels `step`: the stream has where it
 * starts and its weights, and is left behind them. */
static inline uint32_t midge_avr_taps(const int8_t *in, uint16_t stride, const MIDGE_FLASH uint8_t **stream, int rows,
                                      int columns, int step) {
    uint32_t sum = midge_avr_number(stream, 3);
    for (int y = 0; y < rows; ++y) {
        for (int x = 0; x < columns; ++x) {
            const int8_t weight = (int8_t)*(*stream)++;
            sum += (uint32_t)(((int32_t)in[y * (int)stride + x * step] + 128) * weight);
        }
    }
    return sum;
}

/* Copies what a window of `bytes` bytes, `across` in a row, has inside the input: `rows` runs of `run` bytes, `stride`
 * apart, from row `above` and byte `before` on. Around it is padding. */
MIDGE_AVR_SHARED void midge_avr_framed(const int8_t *in, int8_t *window, int rows, int run, int above, int before,
                                       int bytes, int across, uint16_t stride, int8_t padding) {
    for (int i = 0; i < bytes; ++i) {
        window[i] = padding;
    }
    if (run <= 0) {
        return;
    }
    window += above * across + before;
    for (; rows > 0; --rows) {
        for (int i = 0; i < run; ++i) {
            window[i] = in[i];
        }
        window += across;
        in += stride;
    }
}

/* For each channel the largest of `rows` times `columns` values, `across` and `step` bytes apart, within low..high. */
MIDGE_AVR_SHARED void midge_avr_largest(const int8_t *in, int8_t *out, uint8_t rows, uint8_t columns, uint16_t step,
                                        uint16_t across, uint16_t channels, int8_t low, int8_t high) {
    for (; channels; --channels) {
        const int8_t *row = in++;
        int8_t largest = low;
        for (uint8_t y = rows; y; --y) {
            const int8_t *value = row;
            for (uint8_t x = columns; x; --x) {
                largest = *value > largest ? *value : largest;
                value += step;
            }
            row += across;
        }
        *out++ = largest < high ? largest : high;
    }
}

/* The same for their average, halves away from zero, within low..high; 1 to 255 values. */
MIDGE_AVR_SHARED void midge_avr_average(const int8_t *in, int8_t *out, uint8_t rows, uint8_t columns, uint16_t step,
                                        uint16_t across, uint16_t channels, int8_t low, int8_t high) {
    const int16_t count = (int16_t)(rows * columns);
    for (; channels; --channels) {
        const int8_t *row = in++;
        int16_t sum = 0;
        for (uint8_t y = rows; y; --y) {
            const int8_t *value = row;
            for (uint8_t x = columns; x; --x) {
                sum = (int16_t)(sum + *value);
                value += step;
            }
            row += across;
        }
        const int16_t half = (int16_t)(sum < 0 ? -(count / 2) : count / 2);
        const int16_t average = (int16_t)((int16_t)(sum + half) / count);
        *out++ = (int8_t)(average < low ? low : average > high ? high : average);
    }
}

/* The sums of a group of `size` channels with the window at x, each begun with `head`. The stream has their starting
 * values (with the sign of what is beyond two bytes turned or not), their weights and, without a common `record`, a
 * record of each; returns what is behind. */
static inline const MIDGE_FLASH uint8_t *midge_avr_sums(const uint8_t *x, uint8_t offset, uint32_t head, int is_turned,
                                                        const MIDGE_FLASH uint8_t *stream, int size,
                                                        const MIDGE_FLASH uint8_t *record, const midge_avr_form *form,
                                                        int8_t *out) {
    const MIDGE_FLASH uint8_t *const weights = stream + size * form->sum_bytes;
    const MIDGE_FLASH uint8_t *records = weights + size * form->depth;
    const uint8_t unused = (uint8_t)(32 - 8 * form->sum_bytes);
    for (int n = 0; n < size; ++n) {
        uint32_t sum = head + midge_avr_number(&stream, 2);
        const uint32_t high = midge_avr_number(&stream, (uint8_t)(form->sum_bytes - 2));
        sum += (is_turned ? 0u - high : high) << 16;
        for (uint16_t i = 0; i < form->depth; ++i) {
            sum += (uint32_t)(uint8_t)(x[i] + offset) * weights[(uint32_t)i * (uint32_t)size + (uint32_t)n];
        }
        const MIDGE_FLASH uint8_t *at = record ? record : records;
        *out++ = midge_avr_output((int32_t)(sum << unused) >> unused, &at, form);
        records = record ? records : at;
    }
    return records;
}

/* The same with the share of the activations in front of the window. */
static inline const MIDGE_FLASH uint8_t *midge_avr_group(const uint8_t *x, const MIDGE_FLASH uint8_t *stream, int size,
                                                         const MIDGE_FLASH uint8_t *record, const midge_avr_form *form,
                                                         int8_t *out) {
    uint32_t head = 0;
    for (uint8_t i = 0; i < form->sum_bytes; ++i) {
        head |= (uint32_t)x[i] << (8 * i);
    }
    return midge_avr_sums(x + form->sum_bytes, 0, head, 0, stream, size, record, form, out);
}

/* The same with a row of activations as they are, and high bytes turned. */
static inline const MIDGE_FLASH uint8_t *midge_avr_direct(const int8_t *in, const MIDGE_FLASH uint8_t *stream, int size,
                                                          const MIDGE_FLASH uint8_t *record, const midge_avr_form *form,
                                                          int8_t *out) {
    uint32_t head = 0;
    for (uint16_t i = 0; i < form->depth; ++i) {
        head -= (uint32_t)(in[i] + 128) << 7;
    }
    return midge_avr_sums((const uint8_t *)in, 128, head, 1, stream, size, record, form, out);
}

#endif
