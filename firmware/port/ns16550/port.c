/* The port of QEMU's machines with a 16550 UART: `lx60` (Xtensa) and `virt` (RISC-V). Time is the core's own counter.
 */
#include "port/port.h"
#include "port/wide.h"

#if !defined(MIDGE_PORT_DEVICE)
#error "the build gives the address of the device page, from the board's file"
#endif

#if defined(__XTENSA__)
/* The registers are words, and begin 0x20 bytes into the page. CCOUNT advances at 40 MHz. */
#define REGISTER(number) (*(volatile uint32_t *)((MIDGE_PORT_DEVICE) + 0x20u + 4u * (number)))
#define TICKS_HZ 40000000u
#elif defined(__riscv)
/* The registers are bytes. mcycle counts instructions as if they took a nanosecond each. */
#define REGISTER(number) (*(volatile uint8_t *)((MIDGE_PORT_DEVICE) + (number)))
#define TICKS_HZ 1000000000u
#else
#error "no machine with this core is known"
#endif

#define DATA REGISTER(0u)
#define LINE_CONTROL REGISTER(3u)
#define LINE_STATUS REGISTER(5u)

#define EIGHT_BITS 3u
#define STATUS_RECEIVED 0x01u
#define STATUS_CAN_SEND 0x20u

void midge_port_init(void) { LINE_CONTROL = EIGHT_BITS; }

size_t midge_port_read(uint8_t *buf, size_t max) {
    size_t n = 0;
    while (n < max && (LINE_STATUS & STATUS_RECEIVED) != 0) {
        buf[n++] = (uint8_t)DATA;
    }
    return n;
}

void midge_port_write(const uint8_t *buf, size_t n) {
    for (size_t i = 0; i < n; i++) {
        while ((LINE_STATUS & STATUS_CAN_SEND) == 0) {
        }
        DATA = buf[i];
    }
}

#if defined(__XTENSA__)
/* CCOUNT wraps after 107 s of 40 MHz. */
midge_ticks midge_port_ticks(void) {
    static uint64_t last;
    uint32_t now;
    __asm__ volatile("rsr %0, ccount" : "=a"(now));
    return midge_widen(&last, now);
}
#else
midge_ticks midge_port_ticks(void) {
    uint32_t high, low, again;
    do {
        __asm__ volatile(".option push\n.option arch, +zicsr\n"
                         "csrr %0, mcycleh\ncsrr %1, mcycle\ncsrr %2, mcycleh\n.option pop"
                         : "=r"(high), "=r"(low), "=r"(again));
    } while (high != again);
    return (uint64_t)high << 32 | low;
}
#endif

uint32_t midge_port_ticks_hz(void) { return TICKS_HZ; }

bool midge_port_is_emulated(void) { return true; }
