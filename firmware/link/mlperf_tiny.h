/* MLPerf Tiny's text protocol, instead of protocol.h: the benchmark's own runner drives the board.
 *
 * Commands are words separated by one space and ended by '%', 80 characters at most; answers are lines ended by CR LF.
 * Behind the answer to every command comes the line m-ready. Lines that begin with e- are errors; a command with an
 * error changes nothing.
 */
#ifndef MIDGE_LINK_MLPERF_TINY_H
#define MIDGE_LINK_MLPERF_TINY_H

#include <stdbool.h>
#include <stdint.h>

#include "link/app.h"

#define MIDGE_MLPERF_COMMAND 80

/* What the generated code of one model gives (app.c). */
typedef struct {
    const char *id;                  /* what `profile` answers: kws01, vww01, ic01, ad01, or the model's name */
    uint8_t *buffer;                 /* takes what `db` sends: all inputs, one behind the other */
    uint32_t buffer_bytes;           /* of all inputs */
    const midge_buffer *input;       /* [inputs], filled from the buffer before each run, which clobbers them */
    uint16_t inputs;                 /* at least 1 */
    uint32_t results;                /* elements of the first output */
    float (*result)(uint32_t index); /* element `index` of the first output as a real number */
    void (*run)(void);               /* one inference */
} midge_mlperf_model;

extern const midge_mlperf_model midge_mlperf_app;

/* All state of the protocol. */
typedef struct {
    const midge_mlperf_model *model;
    uint32_t due;    /* bytes that `db load` has announced */
    uint32_t filled; /* bytes of them that have come */
    uint8_t length;  /* characters of the command under way; more than MIDGE_MLPERF_COMMAND: it is too long */
    bool has_result; /* there has been an `infer` */
    char command[MIDGE_MLPERF_COMMAND + 1];
} midge_mlperf;

/* Make a zeroed `link` ready to serve `model`, and say so on the line. */
void midge_mlperf_init(midge_mlperf *link, const midge_mlperf_model *model);

/* Take one character of the line; when it ends a command, serve that. */
void midge_mlperf_push(midge_mlperf *link, char character);

/* Serve what the port has received, and return when nothing more is there. */
void midge_mlperf_poll(midge_mlperf *link);

#endif
