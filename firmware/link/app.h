/* What the generated code of one model gives to the link: the contract between app.c and the rest of the firmware. */
#ifndef MIDGE_LINK_APP_H
#define MIDGE_LINK_APP_H

#include <stdint.h>

#include "port/port.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An input or an output: its place in the arena and its size, which is at least 1. */
typedef struct {
    void *data;
    uint32_t bytes;
} midge_buffer;

typedef struct {
    const char *name; /* of the model; the hello shows its first 63 bytes */
    uint8_t hash[16]; /* first 16 bytes of the SHA-256 over the model that was compiled */
    uint32_t arena_bytes;
    uint16_t inputs, outputs, layers;   /* inputs and outputs are at least 1, together at most 65535 */
    uint16_t (*kernel)(uint16_t layer); /* the number of the kernel that a layer runs (midge.kernels.variant) */
    const midge_buffer *input, *output; /* [inputs], [outputs] */
    midge_ticks (*run)(void);           /* one inference: clobbers the inputs; returns its ticks */
    void (*reset)(void);                /* forgets all earlier runs; NULL for a network that remembers nothing */
    const midge_ticks *layer_ticks;     /* [layers], filled by run: ticks of each layer */
} midge_app;

extern const midge_app midge_app_model;

#ifdef __cplusplus
}
#endif

#endif
