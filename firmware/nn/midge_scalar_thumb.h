/* What the assembly of midge_scalar.h for Thumb has in common: what it keeps on the stack, and its functions. */
#ifndef MIDGE_SCALAR_THUMB_H
#define MIDGE_SCALAR_THUMB_H

#include <stdint.h>

/* What the assembly keeps on the stack, in its order: see midge_scalar_channels. `step` is bytes of weights for a pair
 * of channels, `end` the end of the weights. */
typedef struct {
    const uint32_t *x;
    const int32_t *scales;
    int32_t split, step;
    const int32_t *end;
    int8_t *out, *next;
} midge_scalar_frame;

/* The same of midge_scalar_row. `x_end` is the end of the activations. */
typedef struct {
    const uint32_t *x;
    const int32_t *scales;
    int32_t split;
    const uint32_t *x_end, *end;
    int8_t *out;
} midge_scalar_row_frame;

/* clang-format off */

/* The function of that name: r0 points to the weights, r1 to the frame. The body leaves r7, which may be the frame
 * pointer, and sp as they were. */
#define MIDGE_SCALAR_FUNCTION(name, weight_type, frame_type, body) \
static inline void name(const weight_type *weights, const frame_type *frame) { \
    register const weight_type *r0 __asm__("r0") = weights; \
    register const frame_type *r1 __asm__("r1") = frame; \
    __asm__ volatile( \
        body \
        : "+r"(r0), "+r"(r1) \
        : \
        : "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory"); \
}

/* clang-format on */

#endif
