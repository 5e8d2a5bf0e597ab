/* A 64-bit count out of a 32-bit counter. */
#ifndef MIDGE_PORT_WIDE_H
#define MIDGE_PORT_WIDE_H

#include <stdint.h>

/* The count that `now` stands for, given the one of the last reading; right when the counter has wrapped at most once
 * in between. */
static inline uint64_t midge_widen(uint64_t *last, uint32_t now) {
    *last += (uint32_t)(now - (uint32_t)*last);
    return *last;
}

#endif
