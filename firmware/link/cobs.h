/* Consistent overhead byte stuffing (Cheshire and Baker, 1999): a frame without a zero byte, so that zero ends it. */
#ifndef MIDGE_LINK_COBS_H
#define MIDGE_LINK_COBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Give `data` and `capacity`, zero the rest. `data` never receives more than `capacity` bytes. */
typedef struct {
    uint8_t *data;
    uint16_t capacity;
    uint16_t length; /* bytes decoded of the frame that is under way */
    uint8_t left;    /* bytes until the next code byte */
    bool zero;       /* a zero stands before the next block, if there is one */
    bool broken;     /* the frame is longer than capacity: skip to the next delimiter */
} midge_cobs_decoder;

/* Take one byte of the line. Returns the length of the frame that the byte completes in `data`, which stays valid until
 * the next push; 0 when there is none: the frame goes on, is empty, cut short, or too long. */
uint16_t midge_cobs_push(midge_cobs_decoder *decoder, uint8_t byte);

/* Hand `size` bytes of data, stuffed and without the delimiter, to `write` piece by piece. */
void midge_cobs_encode(const uint8_t *data, size_t size, void (*write)(const uint8_t *bytes, size_t size));

#endif
