/* What a board must provide to the rest of the firmware. */
#ifndef MIDGE_PORT_PORT_H
#define MIDGE_PORT_PORT_H

#include <stdbool.h>
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

/* Ticks of the counter. 64 bits, but for 8-bit cores, where they cost a kilobyte of code: 32 bits are 268 s at 16 MHz.
 */
#if defined(__AVR__)
typedef uint32_t midge_ticks;
#else
typedef uint64_t midge_ticks;
#endif

/* A counter that never stops. Where the core's own has 32 bits, the rest is counted in software: a port says how long
 * it may go unread. */
midge_ticks midge_port_ticks(void);

/* How often the counter advances in a second; at least 1. */
uint32_t midge_port_ticks_hz(void);

/* Whether the counter is an emulator's: then it counts cycles of a model, or instructions, and no time. */
bool midge_port_is_emulated(void);

#ifdef __cplusplus
}
#endif

#endif
