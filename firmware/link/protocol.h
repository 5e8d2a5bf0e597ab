/* The device's side of the serial protocol (docs/protocol.md): one request, one answer, one frame of memory. */
#ifndef MIDGE_LINK_PROTOCOL_H
#define MIDGE_LINK_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

#include "link/app.h"
#include "link/cobs.h"

#define MIDGE_LINK_VERSION 2

/* Payload bytes of the largest frame, announced in the hello. A board with little memory lowers it. */
#ifndef MIDGE_LINK_MAX_PAYLOAD
#define MIDGE_LINK_MAX_PAYLOAD 1024
#endif

/* Version, type, sequence number (2); behind the payload the CRC (4). */
#define MIDGE_LINK_HEADER 4
#define MIDGE_LINK_FRAME (MIDGE_LINK_HEADER + MIDGE_LINK_MAX_PAYLOAD + 4)

_Static_assert(MIDGE_LINK_MAX_PAYLOAD >= 100, "the hello with a name of 63 bytes takes 100 bytes of payload");
_Static_assert(MIDGE_LINK_FRAME <= 65535, "lengths are 16 bits");

/* Types of requests; the answer to a request is its type with MIDGE_LINK_ANSWER set, or MIDGE_LINK_ERROR. */
enum {
    MIDGE_LINK_HELLO = 1,
    MIDGE_LINK_SIZES = 2,
    MIDGE_LINK_INPUT = 3,
    MIDGE_LINK_RUN = 4,
    MIDGE_LINK_OUTPUT = 5,
    MIDGE_LINK_TICKS = 6,
    MIDGE_LINK_RESET = 7,
    MIDGE_LINK_KERNELS = 8,
    MIDGE_LINK_ANSWER = 0x80,
    MIDGE_LINK_ERROR = 0xFF
};

/* Codes of errors, with what the 32-bit detail behind them says. */
typedef enum {
    MIDGE_LINK_OK = 0,
    MIDGE_LINK_BAD_VERSION = 1,      /* the version that this firmware speaks */
    MIDGE_LINK_BAD_TYPE = 2,         /* the type that it does not know */
    MIDGE_LINK_BAD_LENGTH = 3,       /* the length of the payload, or of what was asked for */
    MIDGE_LINK_OUT_OF_ORDER = 4,     /* the sequence number that is due; 0x10000: a hello is */
    MIDGE_LINK_BAD_RANGE = 5,        /* the limit that index or offset + length exceeds */
    MIDGE_LINK_INPUT_ORDER = 6,      /* the offset that is due in the input under way */
    MIDGE_LINK_INPUT_INCOMPLETE = 7, /* the first input that has bytes missing since the last run */
    MIDGE_LINK_INPUT_DAMAGED = 8,    /* the CRC of the inputs that stand in the arena */
    MIDGE_LINK_NO_RESULT = 9         /* the number of runs since the start of the firmware */
} midge_link_code;

/* All state of the link. */
typedef struct {
    const midge_app *app;
    uint32_t runs;           /* since the start of the firmware */
    midge_ticks total_ticks; /* of the last run */
    uint32_t fill_offset;    /* the byte of input fill_index that is due */
    uint32_t last_crc;       /* of the last request: with its sequence number it tells a repetition */
    uint16_t fill_index;     /* `inputs` when all inputs are complete */
    uint16_t sequence;       /* of the last request */
    bool open;               /* a hello was said */
    bool last_served;        /* the last request was answered with something other than an error */
    bool result;             /* the outputs in the arena are those of the last run */
    midge_cobs_decoder decoder;
    uint8_t frame[MIDGE_LINK_FRAME]; /* the request, and in its place the answer */
} midge_link;

/* Make a zeroed `link` ready to serve `app`, which forgets all earlier runs. */
void midge_link_init(midge_link *link, const midge_app *app);

/* Take one byte of the line; when it completes a sound request, serve that and write the answer to the port. */
void midge_link_push(midge_link *link, uint8_t byte);

/* Serve what the port has received, and return when nothing more is there. */
void midge_link_poll(midge_link *link);

#endif
