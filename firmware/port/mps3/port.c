/* The port of Arm's MPS3 board as QEMU has it: UART 0 (CMSDK APB UART) and the counter of the FPGA's system registers.
 * MIDGE_PORT_DEVICE is the address of those; the UART lies one page behind (AN547, table of the peripherals).
 */
#include "port/port.h"
#include "port/wide.h"

#if !defined(MIDGE_PORT_DEVICE)
#error "the build gives the address of the system registers, from the board's file"
#endif

#define REGISTER(offset) (*(volatile uint32_t *)((MIDGE_PORT_DEVICE) + (offset)))
#define COUNTER REGISTER(0x18u)
#define UART_DATA REGISTER(0x1000u)
#define UART_STATE REGISTER(0x1004u)
#define UART_CONTROL REGISTER(0x1008u)
#define UART_DIVIDER REGISTER(0x1010u)

#define STATE_TX_FULL 1u
#define STATE_RX_FULL 2u
#define CONTROL_TX_RX 3u
#define LEAST_DIVIDER 16u
#define COUNTER_HZ 20000000u

void midge_port_init(void) {
    UART_DIVIDER = LEAST_DIVIDER;
    UART_CONTROL = CONTROL_TX_RX;
    /* QEMU looks for input again after a read, but not when the receiver is switched on. */
    (void)UART_DATA;
}

size_t midge_port_read(uint8_t *buf, size_t max) {
    size_t n = 0;
    while (n < max && (UART_STATE & STATE_RX_FULL) != 0) {
        buf[n++] = (uint8_t)UART_DATA;
    }
    return n;
}

void midge_port_write(const uint8_t *buf, size_t n) {
    for (size_t i = 0; i < n; i++) {
        while ((UART_STATE & STATE_TX_FULL) != 0) {
        }
        UART_DATA = buf[i];
    }
}

/* Wraps after 214 s of 20 MHz. */
midge_ticks midge_port_ticks(void) {
    static uint64_t last;
    return midge_widen(&last, COUNTER);
}

uint32_t midge_port_ticks_hz(void) { return COUNTER_HZ; }

bool midge_port_is_emulated(void) { return true; }
