/* What a board must provide to the rest of the firmware. */
#ifndef MIDGE_PORT_PORT_H
#define MIDGE_PORT_PORT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Make the line and the clock ready. Called once, first. */
void midge_port_init(void);

/* Bytes that have come in, up to `max`; returns their number, 0 when nothing is there. Does not wait. */
size_t midge_port_read(uint8_t *buf, size_t max);

/* Send `n` bytes; returns when all of them are handed to the line. */
void midge_port_write(const uint8_t *buf, size_t n);

/* A counter that never stops and wraps at 2^32. */
uint32_t midge_port_ticks(void);

/* How often the counter advances in a second; at least 1. */
uint32_t midge_port_ticks_hz(void);

#ifdef __cplusplus
}
#endif

#endif
