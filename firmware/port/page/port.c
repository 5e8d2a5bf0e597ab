/* The port of a core emulated in midge's own process: a line and a timer as registers in one page, MIDGE_PORT_DEVICE.
 *
 *   0x00  RX_READY   read: 1 when a byte has come in, else 0
 *   0x04  DATA       read: take that byte; write: send the lowest byte, never waits
 *   0x10  TICKS      read: cycles since reset (instructions for a core without a cycle model), lowest 32 bits
 *   0x14  TICKS_HIGH read: the upper 32 bits as they were when TICKS was read
 *
 * The other side of these registers is host/midge/run/emulator_hook.c.
 */
#include "port/port.h"

#if !defined(MIDGE_PORT_DEVICE) || !defined(MIDGE_PORT_CLOCK_HZ)
#error "the build gives the address of the device page and the clock, both from the board's file"
#endif

#define REGISTER(offset) (*(volatile uint32_t *)((MIDGE_PORT_DEVICE) + (offset)))
#define RX_READY REGISTER(0x00u)
#define DATA REGISTER(0x04u)
#define TICKS REGISTER(0x10u)
#define TICKS_HIGH REGISTER(0x14u)

void midge_port_init(void) {}

size_t midge_port_read(uint8_t *buf, size_t max) {
    size_t n = 0;
    while (n < max && RX_READY != 0) {
        buf[n++] = (uint8_t)DATA;
    }
    return n;
}

void midge_port_write(const uint8_t *buf, size_t n) {
    for (size_t i = 0; i < n; i++) {
        DATA = buf[i];
    }
}

midge_ticks midge_port_ticks(void) {
    uint32_t low = TICKS;
    return (uint64_t)TICKS_HIGH << 32 | low;
}

uint32_t midge_port_ticks_hz(void) { return MIDGE_PORT_CLOCK_HZ; }

bool midge_port_is_emulated(void) { return true; }
