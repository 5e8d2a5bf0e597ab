/* The port of an emulated AVR: a line and a timer as registers where the chips have none, of one byte each.
 *
 *   0xE0  RX_READY   read: 1 when a byte has come in, else 0
 *   0xE1  DATA       read: take that byte; write: send it, never waits
 *   0xE2  TICKS      read: bits 0 to 7 of the cycles since reset; 0xE3 to 0xE5 the others as they were then
 *
 * Timer 1 would count the same, but its overflow every 65,536 cycles needs an interrupt that takes some itself. The
 * other side of these registers is host/midge/run/simavr/core.c.
 */
#include "port/port.h"

#if !defined(MIDGE_PORT_CLOCK_HZ)
#error "the build gives the clock, from the board's file"
#endif

#define REGISTER(address) (*(volatile uint8_t *)(address))
#define RX_READY REGISTER(0xE0)
#define DATA REGISTER(0xE1)
#define TICKS(byte) REGISTER(0xE2 + (byte))

void midge_port_init(void) {}

size_t midge_port_read(uint8_t *buf, size_t max) {
    size_t n = 0;
    while (n < max && RX_READY != 0) {
        buf[n++] = DATA;
    }
    return n;
}

void midge_port_write(const uint8_t *buf, size_t n) {
    for (size_t i = 0; i < n; i++) {
        DATA = buf[i];
    }
}

uint32_t midge_port_ticks(void) {
    union {
        uint8_t bytes[4];
        uint32_t whole;
    } now;
    now.bytes[0] = TICKS(0);
    now.bytes[1] = TICKS(1);
    now.bytes[2] = TICKS(2);
    now.bytes[3] = TICKS(3);
    return now.whole;
}

uint32_t midge_port_ticks_hz(void) { return MIDGE_PORT_CLOCK_HZ; }
