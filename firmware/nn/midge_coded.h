/* Weights as canonical Huffman codes of at most 15 bits. Freestanding C11, no libc, no state.
 *
 * Codes follow one another without gaps, the first bit of a byte uppermost. midge.kernels.coded says what symbols mean.
 */
#ifndef MIDGE_CODED_H
#define MIDGE_CODED_H

#include <stdint.h>

#include "midge_flash.h"

#define MIDGE_CODED_LONGEST 15

/* Where reading has come: the bytes from `next` to `end`, and before them `left` bits, the upper ones of `held`. */
typedef struct {
    const MIDGE_FLASH uint8_t *next, *end;
    uint8_t held, left;
} midge_coded;

/* The beginning of a stream of `count` bytes. */
static inline midge_coded midge_coded_start(const MIDGE_FLASH uint8_t *bytes, int32_t count) {
    return (midge_coded){bytes, bytes + count, 0, 0};
}

/* The place of the next code among all, in canonical order: less than the sum of the counts, whatever the stream holds.
 * `counts`: how many codes have 1, 2, ... 15 bits, one at least in all. Behind the stream zeros are read, no memory;
 * bits that are no code give place 0. */
static inline unsigned midge_coded_next(midge_coded *stream, const MIDGE_FLASH uint8_t *counts) {
    uint16_t code = 0, first = 0, place = 0;
    for (int i = 0; i < MIDGE_CODED_LONGEST; ++i) {
        if (stream->left == 0) {
            stream->held = stream->next != stream->end ? *stream->next++ : 0;
            stream->left = 8;
        }
        code = (uint16_t)(code << 1 | stream->held >> 7);
        stream->held = (uint8_t)(stream->held << 1);
        stream->left--;
        /* Codes of i + 1 bits are the numbers from `first` on; `code` is never below it. */
        const uint16_t above = (uint16_t)(code - first);
        if (above < counts[i]) {
            return (unsigned)place + above;
        }
        place = (uint16_t)(place + counts[i]);
        first = (uint16_t)((first + counts[i]) << 1);
    }
    return 0;
}

#endif
