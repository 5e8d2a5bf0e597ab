#include "link/cobs.h"

static void append(midge_cobs_decoder *decoder, uint8_t byte) {
    if (decoder->length < decoder->capacity) {
        decoder->data[decoder->length++] = byte;
    } else {
        decoder->broken = true;
    }
}

static uint16_t finish(midge_cobs_decoder *decoder) {
    bool whole = !decoder->broken && decoder->left == 0;
    uint16_t length = whole ? decoder->length : 0;
    decoder->length = 0;
    decoder->left = 0;
    decoder->zero = false;
    decoder->broken = false;
    return length;
}

uint16_t midge_cobs_push(midge_cobs_decoder *decoder, uint8_t byte) {
    if (byte == 0) {
        return finish(decoder);
    }
    if (decoder->left > 0) {
        decoder->left--;
        append(decoder, byte);
        return 0;
    }
    if (decoder->zero) {
        append(decoder, 0);
    }
    decoder->left = (uint8_t)(byte - 1);
    decoder->zero = byte != 255;
    return 0;
}

void midge_cobs_encode(const uint8_t *data, size_t size, void (*write)(const uint8_t *bytes, size_t size)) {
    size_t start = 0;
    for (;;) {
        size_t run = 0;
        while (run < 254 && start + run < size && data[start + run] != 0) {
            run++;
        }
        uint8_t code = (uint8_t)(run + 1);
        write(&code, 1);
        if (run > 0) {
            write(data + start, run);
        }
        start += run;
        if (start == size) {
            return;
        }
        if (run < 254) {
            start++; /* the code byte of a shorter block stands for the zero behind it */
        }
    }
}
