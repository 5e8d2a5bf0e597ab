/* Weights as canonical Huffman codes of at most 15 bits. Freestanding C11, no libc, no state.
 *
 * Codes follow one another without gaps, the first bit of a byte uppermost. midge.kernels.coded says what symbols mean.
 */
#ifndef MIDGE_CODED_H
#define MIDGE_CODED_H

#include <stdint.h>

#include "midge_flash.h"

/* Where reading has come: the bytes from `next` to `end`, and before them the upper `left` bits of `held`. */
typedef struct {
    const MIDGE_FLASH uint8_t *next, *end;
    uint32_t held;
    int left;
} midge_coded;

/* The beginning of a stream of `count` bytes. */
static inline midge_coded midge_coded_start(const MIDGE_FLASH uint8_t *bytes, int32_t count) {
    return (midge_coded){bytes, bytes + count, 0, 0};
}

/* The place of the next code among all, in canonical order: less than the sum of the counts, whatever the stream holds.
 * `counts`: how many codes have `shortest`, ... `longest` bits, 1 to 15; at least one code. Behind the stream zeros are
 * read, no memory; bits that are no code give place 0. */
static inline unsigned midge_coded_next(midge_coded *stream, const MIDGE_FLASH uint8_t *counts, int shortest,
                                        int longest) {
    for (; stream->left < longest; stream->left += 8) {
        if (stream->next != stream->end) {
            stream->held |= (uint32_t)*stream->next++ << (24 - stream->left);
        }
    }
    /* What is left of the next 15 bits, as a number, above the first code of this length. */
    unsigned above = (unsigned)(stream->held >> 17), place = 0;
    int bits = shortest;
    for (; bits <= longest; ++bits) {
        const unsigned count = *counts++;
        if (above >> (15 - bits) < count) {
            place += above >> (15 - bits);
            break;
        }
        place += count;
        above -= count << (15 - bits);
    }
    if (bits > longest) {
        bits = longest;
        place = 0;
    }
    stream->held <<= bits;
    stream->left -= bits;
    return place;
}

#endif
